/**
 * Watches one call for what its caller has to bear, waiting for the AI and silence while a person takes over, and for
 * what it uses.
 */
import { aiLeg, type CallContext } from "../../machines/context.ts";
import type { CallEvent } from "../../machines/events.ts";
import { isUnanswered } from "../../machines/ladder.facts.ts";
import { costOf, type PriceTable } from "../cost/cost.ts";
import { type SavedUsage, UsageMeter } from "../cost/usage-meter.ts";
import type { CallCost, CostGap } from "../postcall/schema.ts";
import { isSpoken } from "../postcall/transcript.ts";
import type { Clock } from "../ports.ts";
import type { Voice } from "./voice.ts";
import type { VoiceMetrics } from "./voice-metrics.ts";

export interface CallMeterOptions {
  readonly clock: Clock;
  readonly voice: Pick<Voice, "silentMs" | "waitMs" | "tokens" | "answersUnmetered" | "said">;
  readonly metrics: Pick<VoiceMetrics, "handoverGap">;
  readonly facts: () => CallContext;
  readonly modelName: string | null;
  readonly prices: PriceTable;
  readonly recording: "none" | "conference" | "leg";
  /** Of the engine that had the call before: as {@link CallMeter.saved} gave it. */
  readonly before?: unknown;
}

/** Where the AI alone is there for the caller. */
const WITH_AI: ReadonlySet<string> = new Set(["arriving", "streaming", "escalating"]);

export class CallMeter {
  readonly #options: CallMeterOptions;
  readonly #usage: UsageMeter;
  #over = false;
  #handedOver = false;

  constructor(options: CallMeterOptions) {
    this.#options = options;
    this.#usage = new UsageMeter(options);
    this.#usage.endForks(options.clock.now());
  }

  /** To be told of each event before the call's actor is: what that makes the AI do must not be in the figures. */
  before(event: CallEvent): void {
    if (event.type !== "participant.joined") return;
    const { facts, voice, metrics } = this.#options;
    const context = facts();
    const leg = context.legs[event.label];
    const comes = leg?.kind === "human" && leg.status !== "joined";
    // A coach is not heard by the caller, and one on hold hears music.
    const withCaller = aiLeg(context)?.status === "joined" && context.role === "agent";
    if (!comes || !withCaller || context.callerOnHold) return;
    const silentMs = voice.silentMs;
    if (silentMs !== null) metrics.handoverGap.record(silentMs);
  }

  /** To be told of each event after the call's actor was. */
  after(event: CallEvent): void {
    this.#usage.see(event, this.#options.facts());
  }

  /** A fork of this leg begins to run, or ends. */
  fork(label: string, runs: boolean): void {
    this.#usage.fork(label, runs, this.#options.clock.now());
  }

  /** The call is over: nothing of it runs any more. */
  close(): void {
    this.#usage.close(this.#options.clock.now());
    this.#over = true;
  }

  /** Another engine will go on with all of it. */
  handOver(): void {
    this.#handedOver = true;
  }

  saved(): SavedUsage {
    return this.#usage.saved(!this.#handedOver);
  }

  cost(): CallCost {
    const { clock, voice, modelName, prices, facts } = this.#options;
    const last = facts().incidents.at(-1);
    const gaps: (CostGap | false)[] = [
      !this.#over && "in_progress",
      this.#usage.partial && "restart",
      this.#over && last !== undefined && isUnanswered(last) && "follow_up",
      isSpoken(voice.said) && "transcription",
      voice.answersUnmetered > 0 && "answers",
    ];
    return costOf(
      {
        modelName,
        tokens: voice.tokens,
        minutes: this.#usage.minutesAt(clock.now()),
        messages: this.#usage.messages,
        gaps: gaps.filter((gap) => gap !== false),
      },
      prices,
    );
  }

  /** How long the caller has been waiting for the AI by now; 0: they do not. `state`: of the call. */
  waitMs(state: string): number {
    const { clock, facts, voice } = this.#options;
    const { answeredAtMs, callerGone, callerOnHold, streamSid, aiCount } = facts();
    if (!WITH_AI.has(state) || callerGone || callerOnHold || answeredAtMs === null) return 0;
    const first = aiCount <= 1 && streamSid === null && state === "arriving";
    return first ? Math.max(0, clock.now() - answeredAtMs) : voice.waitMs;
  }
}
