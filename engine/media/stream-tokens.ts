import { createHmac, timingSafeEqual } from "node:crypto";
import type { Clock } from "../ports.ts";

/** What a token allows: one stream, for this leg of this call. */
export interface StreamGrant {
  readonly callSid: string;
  readonly legKey: string;
}

export interface StreamPass extends StreamGrant {
  /** Which of the leg's tokens it is, from 1, in the order in which the carrier comes to them. */
  readonly ordinal: number;
}

interface Leg {
  issued: number;
  /** Of the stream that began last. */
  used: number;
}

/** 128 bits. */
const MAC_BYTES = 16;
const MAX_TOKEN_CHARS = 400;

/**
 * Single-use tokens that a media stream must show in its `start` message: `base64url(payload | MAC)`. The key is
 * derived from the secret, so that an engine that comes back knows those which the one before it gave away.
 *
 * A document holds several, used from first to last: a token is good as long as no later one of its leg, nor
 * itself, was. What is kept per leg is one number, for as long as its call lives.
 */
export class StreamTokens {
  readonly counters = { tokensIssued: 0, tokensUnknown: 0, tokensExpired: 0, tokensUsed: 0 };
  readonly #clock: Clock;
  readonly #key: Buffer;
  readonly #ttlMs: number;
  readonly #calls = new Map<string, Map<string, Leg>>();

  constructor(options: { readonly clock: Clock; readonly secret: string; readonly ttlMs: number }) {
    this.#clock = options.clock;
    this.#key = createHmac("sha256", options.secret).update("tandem media stream").digest();
    this.#ttlMs = options.ttlMs;
  }

  /** Calls whose tokens are kept count of. */
  get size(): number {
    return this.#calls.size;
  }

  issue({ callSid, legKey }: StreamGrant): string {
    const leg = this.#leg(callSid, legKey);
    leg.issued = Math.max(leg.issued, leg.used) + 1;
    this.counters.tokensIssued++;
    const expiresAtS = Math.ceil((this.#clock.now() + this.#ttlMs) / 1000);
    const payload = Buffer.from(`${expiresAtS} ${leg.issued} ${callSid} ${legKey}`);
    return Buffer.concat([payload, this.#mac(payload)]).toString("base64url");
  }

  /** What a token grants. `null` when we have not made it, or it is used already or has expired. */
  check(token: string): StreamPass | null {
    const pass = this.#open(token);
    if (!pass) {
      this.counters.tokensUnknown++;
      return null;
    }
    if (pass.expiresAtMs <= this.#clock.now()) {
      this.counters.tokensExpired++;
      return null;
    }
    const { callSid, legKey, ordinal } = pass;
    if (ordinal <= (this.#calls.get(callSid)?.get(legKey)?.used ?? 0)) {
      this.counters.tokensUsed++;
      return null;
    }
    return { callSid, legKey, ordinal };
  }

  /**
   * A stream begins: neither this token nor an earlier one of its leg lets another in. Nothing is kept of a call
   * that is over or was never ours, whose streams find nobody.
   */
  use({ callSid, legKey, ordinal }: StreamPass): void {
    const leg = this.#calls.get(callSid)?.get(legKey);
    if (leg) leg.used = ordinal;
  }

  /** By leg, the ordinal of the last token that was used. */
  used(callSid: string): Readonly<Record<string, number>> {
    const legs = [...(this.#calls.get(callSid) ?? [])];
    return Object.fromEntries(legs.map(([legKey, { used }]) => [legKey, used]));
  }

  /** Goes on where another engine was, which said so by {@link StreamTokens.used}. */
  resume(callSid: string, used: Readonly<Record<string, number>>): void {
    for (const [legKey, ordinal] of Object.entries(used)) this.#leg(callSid, legKey).used = ordinal;
  }

  /** The call is over: whoever asks for it finds nobody. */
  forget(callSid: string): void {
    this.#calls.delete(callSid);
  }

  #leg(callSid: string, legKey: string): Leg {
    let legs = this.#calls.get(callSid);
    if (!legs) this.#calls.set(callSid, (legs = new Map()));
    let leg = legs.get(legKey);
    if (!leg) legs.set(legKey, (leg = { issued: 0, used: 0 }));
    return leg;
  }

  #open(token: string): (StreamPass & { readonly expiresAtMs: number }) | null {
    if (token.length > MAX_TOKEN_CHARS) return null;
    const bytes = Buffer.from(token, "base64url");
    // Decoding is lenient: one token, one spelling.
    if (bytes.length <= MAC_BYTES || bytes.toString("base64url") !== token) return null;
    const payload = bytes.subarray(0, -MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(-MAC_BYTES), this.#mac(payload))) return null;
    const [expiresAtS, ordinal, callSid, legKey] = payload.toString("utf8").split(" ");
    if (callSid === undefined || legKey === undefined) return null;
    return { callSid, legKey, ordinal: Number(ordinal), expiresAtMs: Number(expiresAtS) * 1000 };
  }

  #mac(payload: Buffer): Buffer {
    return createHmac("sha256", this.#key).update(payload).digest().subarray(0, MAC_BYTES);
  }
}
