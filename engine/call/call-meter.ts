/** Watches one call for what its caller has to bear: waiting for the AI, and silence while a person takes over. */
import { aiLeg, type CallContext } from "../../machines/context.ts";
import type { CallEvent } from "../../machines/events.ts";
import type { Clock } from "../ports.ts";
import type { Voice } from "./voice.ts";
import type { VoiceMetrics } from "./voice-metrics.ts";

export interface CallMeterOptions {
  readonly clock: Clock;
  readonly voice: Pick<Voice, "silentMs" | "waitMs">;
  readonly metrics: Pick<VoiceMetrics, "handoverGap">;
  readonly facts: () => CallContext;
}

/** Where the AI alone is there for the caller. */
const WITH_AI: ReadonlySet<string> = new Set(["arriving", "streaming", "escalating"]);

export class CallMeter {
  readonly #options: CallMeterOptions;

  constructor(options: CallMeterOptions) {
    this.#options = options;
  }

  /** To be told of each event before the call's actor is: what that makes the AI do must not be in the figures. */
  before(event: CallEvent): void {
    if (event.type !== "participant.joined") return;
    const { facts, voice, metrics } = this.#options;
    const context = facts();
    const leg = context.legs[event.label];
    const comes = leg?.kind === "human" && leg.status !== "joined";
    if (!comes || aiLeg(context)?.status !== "joined" || context.callerOnHold) return;
    const silentMs = voice.silentMs;
    if (silentMs !== null) metrics.handoverGap.record(silentMs);
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
