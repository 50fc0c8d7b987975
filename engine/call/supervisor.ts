/** Every live call: begins, finds, counts and drains them. A call that fails takes no other with it. */
import type { UnstampedCallEvent } from "../../machines/events.ts";
import { errorText } from "../errors.ts";
import { Admission, type Refusal } from "./admission.ts";
import type { CallStart } from "./call-input.ts";
import type { CallServices } from "./call-services.ts";
import { CallSession } from "./call-session.ts";
import type { LegKeys } from "./leg-keys.ts";
import type { Unfinished } from "./restore.ts";
import type { SavedCall } from "./snapshot.ts";

export interface SupervisorOptions extends Omit<CallServices, "onEnded"> {
  readonly legKeys: LegKeys;
  /** Called once per call, when its actor is done. */
  readonly onCallEnded: (callSid: string) => void;
}

/** Sids of calls that ended lately, so that a late repetition of their first webhook starts nothing. */
const MAX_REMEMBERED = 10_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #live = new Map<string, CallSession>();
  readonly #over = new Set<string>();
  readonly #waiting = new Set<() => void>();
  readonly #admission: Admission;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    const { limits, overload } = options.deployment;
    const { loopLatenessMs = 0, minLiveCalls } = overload;
    this.#admission = new Admission({ maxLiveCalls: limits.maxLiveCalls, loopLatenessMs, minLiveCalls });
  }

  get size(): number {
    return this.#live.size;
  }

  /** Why a new call would be turned away now, or `null`. */
  get refusal(): Refusal | null {
    return this.#admission.refusal(this.#live.size, this.#options.store.failing === null);
  }

  /** Every reason why it would be. */
  get refusals(): readonly Refusal[] {
    return this.#admission.refusals(this.#live.size, this.#options.store.failing === null);
  }

  get(callSid: string): CallSession | null {
    return this.#live.get(callSid) ?? null;
  }

  all(): readonly CallSession[] {
    return [...this.#live.values()];
  }

  isOver(callSid: string): boolean {
    return this.#over.has(callSid);
  }

  /** Begins a call, or says why not. A call that has begun already is returned as it is. */
  begin(start: CallStart): CallSession | Refusal {
    const existing = this.#live.get(start.callSid);
    if (existing) return existing;
    const { refusal } = this;
    if (refusal) {
      this.#options.index.send({ type: "refused", reason: refusal });
      return refusal;
    }
    const session = new CallSession({ ...this.#options, onEnded: (ended) => this.#ended(ended) }, start);
    this.#live.set(start.callSid, session);
    session.begin();
    return session;
  }

  /** Goes on with a call that another engine left. It is taken whatever the load: it is there already. */
  resume(unfinished: Unfinished<SavedCall>): CallSession {
    const { start } = unfinished.saved;
    const services = { ...this.#options, onEnded: (ended: CallSession) => this.#ended(ended) };
    const session = new CallSession(services, start, unfinished);
    this.#live.set(start.callSid, session);
    for (const label of session.aiLabels) this.#options.legKeys.issue(start.callSid, label);
    try {
      session.resume(unfinished);
    } catch (error) {
      session.abandon("engine_lost");
      throw error;
    }
    return session;
  }

  /** Hands an event to a live call; false when there is none. */
  deliver(callSid: string, event: UnstampedCallEvent, key?: string): boolean {
    const session = this.#live.get(callSid);
    if (!session) return false;
    session.deliver(event, key);
    return true;
  }

  /** Once a second: how late the event loop ran in most of the last seconds. */
  observeLateness(lateMs: number): void {
    const { clock, log } = this.#options;
    const before = this.refusal;
    this.#admission.observe(clock.monotonicMs(), lateMs, this.#live.size);
    const now = this.refusal;
    if (now === "overloaded" && before === null) {
      log.warn("engine.overloaded", { latenessMs: Math.round(lateMs), calls: this.#live.size });
    } else if (before === "overloaded" && now === null) {
      log.info("engine.takes_calls_again", { calls: this.#live.size });
    }
  }

  /** Takes no new calls from now on, and resolves when the last one is over. */
  async drain(): Promise<void> {
    this.#admission.drain();
    if (this.#live.size === 0) return;
    await new Promise<void>((resolve) => this.#waiting.add(resolve));
  }

  /** Ends every live call: each caller is told. */
  endAll(): void {
    for (const session of this.#live.values()) session.deliver({ type: "engine.shutdown" });
  }

  /** Leaves every live call as it is, for another engine to go on with. */
  handOverAll(): void {
    for (const session of this.#live.values()) session.handOver();
    this.#live.clear();
  }

  /** Closes the calls that did not end in time, with the row as far as it is known. */
  abandonAll(): void {
    for (const session of this.#live.values()) session.abandon();
  }

  #ended(session: CallSession): void {
    this.#live.delete(session.callSid);
    this.#options.legKeys.forget(session.callSid);
    this.#over.add(session.callSid);
    if (this.#over.size > MAX_REMEMBERED) this.#over.delete(this.#over.values().next().value as string);
    try {
      this.#options.onCallEnded(session.callSid);
    } catch (error) {
      this.#options.log.error("call.cleanup_failed", { callSid: session.callSid, error: errorText(error) });
    }
    if (this.#live.size > 0) return;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
