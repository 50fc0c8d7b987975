/** Who reads transcripts and who takes rows, without a world behind them. */
import { PushError } from "../../engine/errors.ts";
import type { Extractor, ExtractorAnswer, ExtractorRequest } from "../../engine/extractor-port.ts";
import type { Delivery, WebhookSender } from "../../engine/postcall-port.ts";

/** An answer in the right form, by which the caller has said their name. */
export function foundName(name: string, entry: number, start: number): ExtractorAnswer {
  const claim = (value: unknown) => ({ value, confidence: 0.5, spans: [] });
  const spans = [{ entry, start, end: start + name.length, text: name }];
  const json = {
    sentiment: claim("neutral"),
    intent: claim("message"),
    leadScore: claim(10),
    escalate: claim(false),
    outcome: claim("message_taken"),
    slots: {
      name: { value: name, confidence: 0.9, spans },
      callbackNumber: claim(null),
      reason: claim(null),
      urgency: claim("normal"),
    },
  };
  return { ok: true, json, usage: { inputTokens: 100, outputTokens: 20 } };
}

/** Answers as it is told to, one after another; without an answer it waits until it is given up. */
export class ScriptedExtractor implements Extractor {
  readonly model = "a-model";
  readonly requests: ExtractorRequest[] = [];
  readonly answers: ExtractorAnswer[] = [];

  async extract(request: ExtractorRequest): Promise<ExtractorAnswer> {
    this.requests.push(request);
    return this.answers.shift() ?? (await new Promise<never>(() => undefined));
  }

  counters(): Readonly<Record<string, number>> {
    return { answered: this.requests.length };
  }
}

/** Takes rows; each status that it is given is an answer, 2xx when there is none left. */
export class KeptRows implements WebhookSender {
  readonly deliveries: Delivery[] = [];
  readonly statuses: number[] = [];

  async send(delivery: Delivery): Promise<void> {
    this.deliveries.push(delivery);
    const status = this.statuses.shift() ?? 200;
    if (status !== 200) throw new PushError("no", { status, retryable: true });
  }
}
