/** Calls that are over and whose rows are not complete yet. */
import { initialPostCall, type RetryPolicy } from "../../machines/postcall.facts.ts";
import type { CallStart } from "../call/call-input.ts";
import { postCallLogicOn } from "../call/deadline.ts";
import type { FeedMessage } from "../call/live-index.ts";
import type { HeldRow, Unfinished } from "../call/restore.ts";
import type { SavedPostCall } from "../call/snapshot.ts";
import type { Deployment } from "../config/deployment.ts";
import type { Journal } from "../effects/journal.ts";
import { invariant } from "../errors.ts";
import { extractionMicros } from "../cost/cost.ts";
import type { CostMetrics } from "../cost/cost-metrics.ts";
import type { Extractor, TokensUsed } from "../extractor-port.ts";
import type { WebhookSender } from "../postcall-port.ts";
import type { CallRow, Clock, Log, Store } from "../ports.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { PostCallEffects } from "./effects.ts";
import { factsOf, givenUp, type PostCallFacts, type Reading, withPostCall } from "./facts.ts";
import { PostCall, type PostCallSeed, type PostCallServices } from "./post-call.ts";
import { isSpoken } from "./transcript.ts";

export interface PostCallsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Pick<Journal, "of">;
  readonly feed: (message: FeedMessage) => void;
  readonly deployment: Deployment;
  /** `null`: nothing is read. */
  readonly extractor: Extractor | null;
  /** `null`: nobody is told. */
  readonly sender: WebhookSender | null;
  readonly costMetrics?: CostMetrics;
  readonly tracing?: Tracing | null;
  /** Another engine will go on with what this one leaves. */
  readonly followed: boolean;
}

/** Each holds the transcript of its call, for hours when nobody answers. */
const MAX_OPEN = 5000;
const RETRY_AFTER_MAX_MS = 7_200_000;

export class PostCalls {
  readonly #options: PostCallsOptions;
  readonly #services: PostCallServices;
  readonly #open = new Map<string, PostCall>();
  #stopped = false;
  readonly #counters = { begun: 0, resumed: 0, overflowed: 0, notExtracted: 0, notDelivered: 0 };

  constructor(options: PostCallsOptions) {
    const { extractor, sender, deployment, clock } = options;
    const { webhook, slots, extract } = deployment.postCall;
    this.#options = options;
    const effects = new PostCallEffects({
      ...options,
      extractor: extract ? extractor : null,
      slots,
      webhook: webhook && sender ? { url: webhook.url, sender } : null,
    });
    this.#services = { ...options, effects, logic: postCallLogicOn(clock) };
  }

  get size(): number {
    return this.#open.size;
  }

  /** What became of asking the model, by answer. */
  answers(): Readonly<Record<string, number>> {
    return this.#options.extractor?.counters() ?? {};
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, ...this.#services.effects.counters };
  }

  /**
   * Begins what follows a call that is over. What it gives is what the row is to tell of it, now and whenever it
   * is asked for again. `row` must have it from the moment on when this has returned.
   */
  begin(start: CallStart, row: () => CallRow): { readonly facts: PostCallFacts } {
    const { transcript } = row().protected;
    const policies = this.#policies(isSpoken(transcript));
    const reading = this.#reading;
    const input = { callSid: start.callSid, atMs: this.#options.clock.now(), ...policies };
    const facts = factsOf(initialPostCall(input), null, reading);
    if (policies.extract === null && policies.deliver === null) return { facts };
    if (this.#open.size >= MAX_OPEN) {
      this.#counters.overflowed++;
      this.#options.log.error("postcall.overflow", { callSid: start.callSid, open: this.#open.size });
      return { facts: givenUp(facts, "overflow") };
    }
    this.#counters.begun++;
    const postCall = this.#host({ start, row, policies, reading });
    postCall.begin();
    if (this.#stopped) this.#leave(postCall);
    return postCall;
  }

  /** Goes on with what another engine left. */
  resume(unfinished: Unfinished<SavedPostCall>, held: HeldRow): void {
    const { start, personal } = unfinished.saved;
    held.row = { ...held.row, protected: { ...held.row.protected, ...personal } };
    const row = (): CallRow => (held.row = withPostCall(held.row, postCall.facts));
    // Those that it began with are in the machine.
    const policies = { extract: null, deliver: null };
    this.#counters.resumed++;
    const postCall: PostCall = this.#host({ start, row, policies, reading: this.#reading }, unfinished);
    postCall.resume(unfinished);
  }

  /** The engine stops: what is open is left for the next one, or given up; so is what is begun from now on. */
  stop(): void {
    this.#stopped = true;
    const { log, followed } = this.#options;
    if (this.#open.size > 0) log.info("postcall.left", { open: this.#open.size, followed });
    for (const postCall of this.#open.values()) this.#leave(postCall);
  }

  #leave(postCall: PostCall): void {
    if (this.#options.followed) postCall.handOver();
    else postCall.giveUp();
  }

  get #reading(): Reading {
    const { extractor, deployment } = this.#options;
    const { prices } = deployment;
    const microsOf = (usage: TokensUsed): number | null =>
      extractionMicros(usage, extractor?.model ?? null, prices);
    return deployment.postCall.extract && extractor
      ? { model: extractor.model, skipped: "nothing_said", microsOf }
      : { model: null, skipped: "off", microsOf };
  }

  #policies(spoken: boolean): PostCallSeed["policies"] {
    const { webhook, attempts, retryAfterMs } = this.#options.deployment.postCall;
    return {
      extract: this.#reading.model !== null && spoken ? policyOf(attempts, retryAfterMs) : null,
      deliver: webhook && this.#options.sender ? policyOf(webhook.attempts, webhook.retryAfterMs) : null,
    };
  }

  #host(seed: PostCallSeed, unfinished?: Unfinished<SavedPostCall>): PostCall {
    const postCall = new PostCall(this.#services, seed, (each) => this.#ended(each), unfinished);
    this.#open.set(seed.start.callSid, postCall);
    return postCall;
  }

  #ended(postCall: PostCall): void {
    invariant(this.#open.delete(postCall.callSid), "it was open");
    const { extraction, delivery } = postCall.facts;
    if (extraction?.usage) this.#options.costMetrics?.extracted(extraction.usage, extraction.costMicros);
    if (extraction?.status === "failed") this.#counters.notExtracted++;
    if (delivery?.status === "dead") this.#counters.notDelivered++;
  }
}

function policyOf(attempts: number, retryAfterMs: number): RetryPolicy {
  return { attempts, retryAfterMs, retryAfterMaxMs: Math.max(retryAfterMs, RETRY_AFTER_MAX_MS) };
}
