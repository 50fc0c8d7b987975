/** What the pipeline after a call does: has the transcript read, and hands the row on. */
import type { PostCallEffect } from "../../machines/postcall.facts.ts";
import type { EffectAnswer } from "../call/effect-answer.ts";
import type { Turn } from "../effects/journal.ts";
import { errorText, PushError } from "../errors.ts";
import type { Extractor, ExtractorProblem } from "../extractor-port.ts";
import type { WebhookSender } from "../postcall-port.ts";
import type { CallRow, Clock, Log } from "../ports.ts";
import { AtOnce } from "./at-once.ts";
import { bodyOf } from "./delivery.ts";
import { eventIdOf, type Extracted } from "./facts.ts";
import { checked } from "./findings.ts";
import { extractionSchema, formatOf, type SlotSpec } from "./schema.ts";
import { inputOf, INSTRUCTIONS, linesOf } from "./transcript.ts";

export interface PostCallEffectsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** `null`: nothing is read. */
  readonly extractor: Extractor | null;
  readonly slots: readonly SlotSpec[];
  /** `null`: nobody is told. */
  readonly webhook: { readonly url: string; readonly sender: WebhookSender } | null;
}

/** The answer of an extraction: what was found, as JSON. It quotes people, and the call's log leaves `text` out. */
export type PostCallAnswer = EffectAnswer & { readonly text?: string };

/** More would only wait at the other end. */
const MAX_EXTRACTIONS_AT_ONCE = 8;
const MAX_DELIVERIES_AT_ONCE = 8;

export class PostCallEffects {
  readonly #options: PostCallEffectsOptions;
  readonly #schema;
  readonly #format;
  readonly #extractions = new AtOnce(MAX_EXTRACTIONS_AT_ONCE);
  readonly #deliveries = new AtOnce(MAX_DELIVERIES_AT_ONCE);
  readonly counters = {
    extracted: 0,
    extractionAttemptsFailed: 0,
    spansDropped: 0,
    spansRealigned: 0,
    delivered: 0,
    deliveryAttemptsFailed: 0,
  };

  constructor(options: PostCallEffectsOptions) {
    this.#options = options;
    this.#schema = extractionSchema(options.slots);
    this.#format = formatOf(this.#schema);
  }

  /** Never rejects, and never resolves once `over` is aborted: another engine will do it then. */
  async run(
    effect: PostCallEffect,
    row: () => CallRow,
    over: AbortSignal,
    turn: Turn,
  ): Promise<PostCallAnswer> {
    await turn.ready();
    const extracts = effect.name === "postcall.extract";
    const work = async (): Promise<PostCallAnswer | null> => {
      if (over.aborted) return null;
      try {
        return await (extracts ? this.#extract(effect, row(), over) : this.#deliver(effect, row(), over));
      } catch (error) {
        // A bug of ours must not end in an endless wait for its answer.
        this.#options.log.error("postcall.threw", { name: effect.name, error: errorText(error) });
        return this.#failed(effect, "internal_error", 0);
      }
    };
    const answer = await (extracts ? this.#extractions : this.#deliveries).run(work);
    return answer === null || over.aborted ? await new Promise<never>(() => undefined) : answer;
  }

  async #extract(effect: PostCallEffect, row: CallRow, over: AbortSignal): Promise<PostCallAnswer> {
    const { extractor, log } = this.#options;
    const { transcript } = row.protected;
    const input = inputOf(linesOf(transcript));
    const request = { instructions: INSTRUCTIONS, input, format: this.#format };
    const answer = await extractor?.extract(request, over);
    if (!answer?.ok) {
      const { problem, status } = answer ?? { problem: "unreachable" as const, status: 0 };
      return this.#notExtracted(effect, problem, status);
    }
    const parsed = this.#schema.safeParse(answer.json);
    if (!parsed.success) {
      // Where, and not what: the rest may be anybody's words.
      const where = parsed.error.issues.slice(0, 5).map(({ path }) => path.join("."));
      log.warn("postcall.malformed", { callSid: row.callSid, where });
      return this.#notExtracted(effect, "malformed", 0);
    }
    const found = checked(parsed.data, transcript);
    this.counters.extracted++;
    this.counters.spansDropped += found.findings.spansDropped;
    this.counters.spansRealigned += found.findings.spansRealigned;
    const extracted: Extracted = { ...found, usage: answer.usage };
    return { ...this.#done(effect), text: JSON.stringify(extracted) };
  }

  #notExtracted(effect: PostCallEffect, problem: ExtractorProblem, status: number): PostCallAnswer {
    this.counters.extractionAttemptsFailed++;
    return this.#failed(effect, problem, status);
  }

  async #deliver(effect: PostCallEffect, row: CallRow, over: AbortSignal): Promise<PostCallAnswer> {
    const { webhook } = this.#options;
    if (!webhook) return this.#failed(effect, "no_webhook", 0);
    const eventId = eventIdOf(row.callSid);
    try {
      await webhook.sender.send({ url: webhook.url, eventId, body: bodyOf(eventId, row) }, over);
      this.counters.delivered++;
      return this.#done(effect);
    } catch (error) {
      this.counters.deliveryAttemptsFailed++;
      const { status, retryable } = error instanceof PushError ? error : { status: 0, retryable: true };
      const unanswered = retryable ? "unreachable" : "url_refused";
      return this.#failed(effect, status === 0 ? unanswered : `http_${status}`, status);
    }
  }

  #done({ id, name }: PostCallEffect): PostCallAnswer {
    return { type: "effect.done", at: this.#options.clock.now(), id, name, label: null };
  }

  /** `message` is the reason, as the row names it. */
  #failed({ id, name }: PostCallEffect, message: string, status: number): PostCallAnswer {
    const at = this.#options.clock.now();
    return { type: "effect.failed", at, id, name, label: null, code: 0, status, message };
  }
}
