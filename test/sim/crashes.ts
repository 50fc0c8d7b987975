/** The engines of a world, one after the other on the same store: each ends as the plan has it, and another begins. */
import { closeLostCalls, findLostCalls } from "../../engine/call/lost-calls.ts";
import { loadUnfinished } from "../../engine/call/restore.ts";
import { Journal } from "../../engine/effects/journal.ts";
import type { Engine, EngineOptions } from "../../engine/engine.ts";
import type { VirtualClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import type { Log } from "../../engine/ports.ts";
import type { MemoryStore } from "../support/fake-ports.ts";
import { Life, type Moment } from "./life.ts";
import type { VirtualNetwork } from "./network.ts";
import type { Crash, Plan } from "./plan.ts";
import { type EnginePorts, type Seat, settled } from "./seat.ts";
import type { Trace } from "./trace.ts";
import { VolatileStore } from "./volatile-store.ts";

export interface CrashingEngineOptions {
  readonly plan: Plan;
  readonly crashes: readonly Crash[];
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly log: Log;
  /** What is committed. */
  readonly store: MemoryStore;
  readonly trace: Trace;
  readonly onEnd: () => void;
  readonly start: (ports: EnginePorts) => { readonly engine: Engine; readonly options: EngineOptions };
}

interface Armed {
  readonly crash: Crash;
  readonly timer: unknown;
  met: number;
}

export class CrashingEngine implements Seat {
  engine: Engine;
  isDown = false;
  startedMs = 0;
  readonly #options: CrashingEngineOptions;
  readonly #random: () => number;
  readonly #left: Crash[];
  #life: Life;
  #store: VolatileStore | null = null;
  #handsOver = false;
  #armed: Armed | null = null;
  #return: unknown = null;
  #over = false;
  /** Of an engine that was told to stop: when it has. */
  #gone: PromiseWithResolvers<void> | null = null;

  constructor(options: CrashingEngineOptions) {
    this.#options = options;
    this.#random = seededIds(options.plan.seed ^ 0x1b873593).random;
    this.#left = [...options.crashes];
    [this.engine, this.#life] = this.#begin();
  }

  get unwritten(): number {
    return this.isDown ? 0 : (this.#store?.counters()["queuedWrites"] ?? 0);
  }

  /** Nobody crashes any more. What the last one would leave to another is taken up by that one, and ended. */
  async stop(): Promise<void> {
    this.#over = true;
    this.#left.length = 0;
    const { clock } = this.#options;
    clock.clearTimeout(this.#armed?.timer);
    clock.clearTimeout(this.#return);
    this.#armed = null;
    if (this.#gone) await this.#gone.promise;
    else if (!this.isDown && this.#handsOver) {
      await this.engine.stop(0);
      this.#life.end();
      this.isDown = true;
    }
    if (this.isDown) this.#again();
    await this.engine.stop(0);
    // The process ends with it.
    this.#life.end();
  }

  #begin(): [Engine, Life] {
    const { clock, network, log, store: disk, start } = this.#options;
    const [crash] = this.#left;
    this.#handsOver = crash?.how === "term";
    const onMoment = (moment: Moment, what: string): void => this.#met(life, moment, what);
    const life: Life = new Life({ clock, network, log, onMoment });
    const isDead = (): boolean => life.dead;
    const store = new VolatileStore({ disk, clock: life.clock, random: this.#random, isDead, onMoment });
    this.#store = store;
    const ports = { clock: life.clock, log: life.log, store };
    const journal = new Journal(ports);
    const unfinished = settled(loadUnfinished({ ...ports, journal }));
    const known = new Set(unfinished.map(({ saved }) => saved.start.callSid));
    const lost = settled(findLostCalls(store)).filter(({ callSid }) => !known.has(callSid));
    const { engine, options } = start({
      ...ports,
      network: life.network,
      journal,
      unfinished,
      handOver: this.#handsOver,
    });
    const { carrier, deployment } = options;
    const { apology } = deployment.agent;
    void closeLostCalls([...lost, ...engine.notRestored], { ...ports, carrier, apology });
    if (crash) this.#arm(life, crash);
    return [engine, life];
  }

  #arm(life: Life, crash: Crash): void {
    const timer = this.#options.clock.setTimeout(() => this.#strike(life, crash), crash.byMs);
    this.#armed = { crash, timer, met: 0 };
  }

  #met(life: Life, moment: Moment, what: string): void {
    const on = this.#armed?.crash.on;
    if (!this.#armed || !on || life.dead || on.moment !== moment || !what.includes(on.match)) return;
    if (++this.#armed.met !== on.nth) return;
    const { crash } = this.#armed;
    if (on.afterMs === 0) this.#strike(life, crash);
    else this.#options.clock.setTimeout(() => this.#strike(life, crash), on.afterMs);
  }

  #strike(life: Life, crash: Crash): void {
    const { clock } = this.#options;
    if (this.#armed?.crash !== crash) return;
    clock.clearTimeout(this.#armed.timer);
    this.#armed = null;
    this.#left.shift();
    this.#told(crash.how);
    if (crash.how === "kill") {
      this.#end(life, crash);
      return;
    }
    const { engine } = this;
    this.#gone = Promise.withResolvers();
    const gone = (): void => this.#end(life, crash);
    void engine.stop(crash.drainMs).then(gone);
    if (crash.againMs !== null)
      clock.setTimeout(() => {
        if (!life.dead) void engine.stopNow().then(gone);
      }, crash.againMs);
  }

  #end(life: Life, crash: Crash): void {
    if (life.dead) return;
    life.end();
    this.#told("gone");
    this.isDown = true;
    this.#gone?.resolve();
    this.#gone = null;
    if (this.#over) return;
    this.#options.onEnd();
    this.#return = this.#options.clock.setTimeout(() => this.#again(), crash.downMs);
  }

  #again(): void {
    this.#told("back");
    this.startedMs = this.#options.clock.monotonicMs();
    [this.engine, this.#life] = this.#begin();
    this.isDown = false;
  }

  #told(what: string): void {
    this.#options.trace.add("drama", `engine ${what}`, "");
  }
}
