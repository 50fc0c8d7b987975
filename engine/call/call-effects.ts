/** Carries out what a call's actors ask for: at the carrier, on people's phones, or by its own voice. */
import type { CallContext, CallEffect } from "../../machines/context.ts";
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
    const { start, effects, facts } = this.#options;
    const id = `${start.callSid}/late/${label}`;
    void effects.run({ type: "effect", id, name: "carrier.hangUp", input: { label, callSid } }, facts);
  }
}
