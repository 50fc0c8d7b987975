/** Calls that come and go, with everything that happens to them: barge-ins, hang-ups by either side, lost sockets. */
import { errorText } from "../../engine/errors.ts";
import { pause } from "../../engine/platform/clock.ts";
import type { LoadCall } from "./load-call.ts";
import type { LoadRun } from "./load-run.ts";
import type { ChurnPlan, Churned, Target } from "./protocol.ts";

const STEP_MS = 100;
/** Calls that begin in one step at most. */
const MAX_STARTS = 2;
/** An agent that was to end the call and has not by then: the caller does. */
const AGENT_LIMIT_MS = 20_000;
/** All calls are over by then, or the run says so. */
const END_LIMIT_MS = 30_000;

interface Fate {
  readonly call: LoadCall;
  readonly endsAtMs: number;
  readonly byAgent: boolean;
  /** When one of its sockets is lost; the other one is not. */
  dropAtMs: number;
  readonly dropsModel: boolean;
  asked: boolean;
  ending: boolean;
}

export async function churn(run: LoadRun, target: Target, plan: ChurnPlan): Promise<Churned> {
  return await new Churn(run, target, plan).run();
}

class Churn {
  readonly #run: LoadRun;
  readonly #target: Target;
  readonly #plan: ChurnPlan;
  readonly #fates = new Map<LoadCall, Fate>();
  readonly #callSids: string[] = [];
  readonly #counts = {
    started: 0,
    refused: 0,
    failed: 0,
    endedByCaller: 0,
    endedByAgent: 0,
    droppedModelSockets: 0,
    droppedStreams: 0,
    framesOut: 0,
    framesIn: 0,
  };

  constructor(run: LoadRun, target: Target, plan: ChurnPlan) {
    this.#run = run;
    this.#target = target;
    this.#plan = plan;
    run.onEnded = (call, by) => this.#ended(call, by);
  }

  async run(): Promise<Churned> {
    const { clock } = this.#run;
    const untilMs = clock.monotonicMs() + this.#plan.durationMs;
    while (clock.monotonicMs() < untilMs) {
      // One after the other: a model's socket is known by its turn.
      for (let i = 0; i < MAX_STARTS && this.#fates.size < this.#plan.calls; i++) await this.#start();
      this.#step(clock.monotonicMs());
      await pause(clock, STEP_MS);
    }
    const endByMs = clock.monotonicMs() + END_LIMIT_MS;
    for (const fate of this.#fates.values()) this.#hangUp(fate);
    while (this.#fates.size > 0 && clock.monotonicMs() < endByMs) await pause(clock, STEP_MS);
    const { bargeIns } = this.#run.tally;
    return { ...this.#counts, bargeIns, callSids: this.#callSids, problem: this.#run.problem };
  }

  async #start(): Promise<void> {
    const { ids, clock } = this.#run;
    const { minCallMs, maxCallMs, agentEnds, socketDrops } = this.#plan;
    const call = await this.#run.place(this.#target);
    if (typeof call === "string") {
      this.#counts[call]++;
      return;
    }
    this.#counts.started++;
    this.#callSids.push(call.callSid);
    const lengthMs = minCallMs + ids.random() * (maxCallMs - minCallMs);
    const nowMs = clock.monotonicMs();
    const drops = ids.random() < socketDrops;
    this.#fates.set(call, {
      call,
      endsAtMs: nowMs + lengthMs,
      byAgent: ids.random() < agentEnds,
      dropAtMs: drops ? nowMs + lengthMs * ids.random() : Number.POSITIVE_INFINITY,
      dropsModel: ids.random() < 0.5,
      asked: false,
      ending: false,
    });
  }

  #step(nowMs: number): void {
    for (const fate of this.#fates.values()) {
      if (nowMs >= fate.dropAtMs) this.#drop(fate);
      if (nowMs < fate.endsAtMs || fate.ending) continue;
      if (fate.byAgent && nowMs < fate.endsAtMs + AGENT_LIMIT_MS) {
        if (!fate.asked) fate.call.turns?.endSoon();
        fate.asked = true;
      } else {
        this.#hangUp(fate);
      }
    }
  }

  #drop(fate: Fate): void {
    fate.dropAtMs = Number.POSITIVE_INFINITY;
    if (fate.asked || fate.ending) return;
    if (fate.dropsModel) {
      this.#counts.droppedModelSockets++;
      this.#run.dropLine(fate.call);
    } else {
      this.#counts.droppedStreams++;
      fate.call.drop();
    }
  }

  #hangUp(fate: Fate): void {
    fate.ending = true;
    this.#run.hangUpOne(fate.call).catch((error: unknown) => (this.#run.problem ??= errorText(error)));
  }

  #ended(call: LoadCall, by: "caller" | "agent"): void {
    if (!this.#fates.delete(call)) return;
    if (by === "caller") this.#counts.endedByCaller++;
    else this.#counts.endedByAgent++;
    this.#counts.framesOut += call.echo.framesOut;
    this.#counts.framesIn += call.echo.framesIn;
  }
}
