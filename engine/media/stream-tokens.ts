import type { Clock, Ids } from "../ports.ts";

/** What a token allows: one stream, for this leg of this call. */
export interface StreamGrant {
  readonly callSid: string;
  readonly legKey: string;
}

interface Issued extends StreamGrant {
  readonly expiresAtMs: number;
}

/**
 * Single-use tokens that a media stream must show in its `start` message. Bounded: beyond `maxTokens` the
 * oldest token is dropped, which its stream then sees as a refusal.
 */
export class StreamTokens {
  readonly counters = { tokensIssued: 0, tokensUnknown: 0, tokensExpired: 0, tokensEvicted: 0 };
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #ttlMs: number;
  readonly #max: number;
  /** In order of issue, which is the order of expiry as well. */
  readonly #issued = new Map<string, Issued>();

  constructor(options: {
    readonly clock: Clock;
    readonly ids: Ids;
    readonly ttlMs: number;
    readonly maxTokens: number;
  }) {
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#ttlMs = options.ttlMs;
    this.#max = options.maxTokens;
  }

  get size(): number {
    return this.#issued.size;
  }

  issue(grant: StreamGrant): string {
    const nowMs = this.#clock.monotonicMs();
    for (const [token, issued] of this.#issued) {
      const expired = issued.expiresAtMs <= nowMs;
      if (!expired && this.#issued.size < this.#max) break;
      if (!expired) this.counters.tokensEvicted++;
      this.#issued.delete(token);
    }
    const token = this.#ids.token();
    this.#issued.set(token, {
      callSid: grant.callSid,
      legKey: grant.legKey,
      expiresAtMs: nowMs + this.#ttlMs,
    });
    this.counters.tokensIssued++;
    return token;
  }

  /** Uses the token up. `null` when it was never issued, is used already or has expired. */
  take(token: string): StreamGrant | null {
    const issued = this.#issued.get(token);
    if (!issued) {
      this.counters.tokensUnknown++;
      return null;
    }
    this.#issued.delete(token);
    if (issued.expiresAtMs <= this.#clock.monotonicMs()) {
      this.counters.tokensExpired++;
      return null;
    }
    return { callSid: issued.callSid, legKey: issued.legKey };
  }

  revoke(callSid: string): void {
    for (const [token, issued] of this.#issued) if (issued.callSid === callSid) this.#issued.delete(token);
  }

  clear(): void {
    this.#issued.clear();
  }
}
