/** Carries out what a call's actors ask for: at the carrier, on people's phones, or by its own voice. */
import { type CallContext, type CallEffect, humanInRoom } from "../../machines/context.ts";
import type { PageEffect } from "../../machines/ladder.types.ts";
import type { Turn } from "../effects/journal.ts";
import type { Clock } from "../ports.ts";
import type { CallStart } from "./call-input.ts";
import { answerOf, type EffectAnswer } from "./effect-answer.ts";
import type { CarrierEffect, CarrierEffects } from "./effects.ts";
import type { PageEffects } from "./page-effects.ts";
import type { LegUp } from "./page-legs.ts";
import type { Voice, VoiceEffect } from "./voice.ts";

export type AnyEffect = CallEffect | PageEffect;

export interface CallEffectsOptions {
  readonly start: CallStart;
  readonly clock: Clock;
  readonly effects: CarrierEffects;
  readonly pages: PageEffects;
  readonly voice: Voice;
  /** As they are now: an effect may run in the middle of the step that asked for it. */
  readonly facts: () => CallContext;
  /** Withdraws what has not been sent yet and would only bring more people into a call that ends. */
  readonly ending: AbortSignal;
}

/** Asked for by nobody who would hear the answer. */
type Late = CarrierEffect extends infer E
  ? E extends CarrierEffect
    ? Omit<E, "type" | "id">
    : never
  : never;

export class CallEffects {
  readonly #options: CallEffectsOptions;

  constructor(options: CallEffectsOptions) {
    this.#options = options;
  }

  /** `null`: it acts at once, and nothing is to be answered. */
  perform(effect: AnyEffect, turn: Turn): Promise<EffectAnswer> | null {
    const { start, effects, pages, voice, clock, facts, ending } = this.#options;
    if (effect.name.startsWith("carrier.")) return effects.run(effect as CarrierEffect, facts, ending, turn);
    if (effect.name.startsWith("page.") || effect.name.startsWith("ladder.")) {
      const { callSid, from } = start;
      const { ringTimeoutMs } = facts().policy;
      return pages.run(effect as PageEffect, { callSid, ringTimeoutMs, from }, ending, turn);
    }
    const confirmed = voice.run(effect as VoiceEffect);
    if (!confirmed) return null;
    return answerOf(effect, clock, async () => {
      if (!(await confirmed)) throw new Error("the model did not confirm");
      return {};
    });
  }

  hangUp({ label, callSid }: LegUp): void {
    void this.#late({ name: "carrier.hangUp", input: { label, callSid } }, label);
  }

  /**
   * The call's actor has failed: a caller who talks to a person goes on with them, and the room closes when that
   * person leaves; one who is alone is told. All other legs end.
   */
  giveUp(context: CallContext, up: readonly LegUp[]): void {
    const { callSid } = this.#options.start;
    const over = context.callerGone || context.endReason !== null;
    const human = over ? null : humanInRoom(context);
    const stays = ({ label }: LegUp): boolean => {
      const { kind, status, unwanted } = context.legs[label] ?? {};
      if (over || kind === "ai") return false;
      return kind === "caller" || (human !== null && status === "joined" && !unwanted);
    };
    for (const leg of up) if (!stays(leg)) this.hangUp(leg);
    if (over) return;
    if (human === null) {
      void this.#apologise({ label: "caller", callSid });
      return;
    }
    void this.#late({ name: "carrier.endOnLeave", input: { label: human.label } }, human.label);
    if (context.unholdOwed)
      void this.#late({ name: "carrier.hold", input: { label: "caller", hold: false } }, "hold");
  }

  /** Who cannot be told is at least not left in silence. */
  async #apologise(caller: LegUp): Promise<void> {
    const { callSid } = caller;
    const { type } = await this.#late({ name: "carrier.apologise", input: { callSid } }, "apology");
    if (type === "effect.failed") this.hangUp(caller);
  }

  #late(effect: Late, what: string): Promise<EffectAnswer> {
    const { start, effects, facts } = this.#options;
    const id = `${start.callSid}/late/${what}`;
    return effects.run({ type: "effect", id, ...effect } as CarrierEffect, facts);
  }
}
