/** How an effect is answered: by one event, whatever became of it. */
import type { EventOf } from "../../machines/events.ts";
import { CarrierError, EffectLostError, errorText, PushError } from "../errors.ts";
import type { Clock } from "../ports.ts";

export type EffectAnswer = EventOf<"effect.done"> | EventOf<"effect.failed">;

/** What an effect that was done tells besides. */
export type EffectFacts = Pick<
  EventOf<"effect.done">,
  "callSid" | "conferenceSid" | "participants" | "callerAlive"
>;

type Data = Readonly<Record<string, unknown>>;

/** Any effect: which one it is, and about which leg or page. */
export interface NamedEffect {
  readonly id: string;
  readonly name: string;
  readonly input: object;
}

/** Never rejects: an error becomes `effect.failed`. */
export async function answerOf(
  effect: NamedEffect,
  clock: Clock,
  work: () => Promise<EffectFacts>,
): Promise<EffectAnswer> {
  const { label = null } = effect.input as { readonly label?: string };
  const head = { id: effect.id, name: effect.name, label };
  try {
    const facts = await work();
    return { type: "effect.done", at: clock.now(), ...head, ...facts };
  } catch (error) {
    const { code, status } = numbersOf(error);
    const message = withoutNumbers(errorText(error));
    return { type: "effect.failed", at: clock.now(), ...head, code, status, message };
  }
}

/** An answer as it is kept, without what names its effect. */
export function answerData({ id: _id, name: _name, at: _at, ...data }: EffectAnswer): Data {
  return data;
}

/** The answer that was kept. */
export function answerOfData(of: { readonly id: string; readonly name: string }, data: Data, at: number) {
  return { ...data, ...of, at } as EffectAnswer;
}

function numbersOf(error: unknown): { readonly code: number; readonly status: number } {
  if (error instanceof CarrierError || error instanceof EffectLostError) {
    return { code: error.code, status: error.status };
  }
  return { code: 0, status: error instanceof PushError ? error.status : 0 };
}

/** Twilio quotes phone numbers in its error texts. */
function withoutNumbers(message: string): string {
  return message.replaceAll(/\+?\d{7,}/g, "[number]");
}
