import { Signer } from "../platform/signer.ts";
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
 * Single-use tokens that a media stream must show in its `start` message. They are signed, so that an
 * engine that comes back knows those which the one before it gave away.
 *
 * A document holds several, used from first to last: a token is good as long as no later one of its leg, nor
 * itself, was. What is kept per leg is one number, for as long as its call lives.
 */
export class StreamTokens {
  readonly counters = { tokensIssued: 0, tokensUnknown: 0, tokensExpired: 0, tokensUsed: 0 };
  readonly #clock: Clock;
  readonly #signer: Signer;
  readonly #ttlMs: number;
  readonly #calls = new Map<string, Map<string, Leg>>();

  constructor(options: { readonly clock: Clock; readonly secret: string; readonly ttlMs: number }) {
    this.#clock = options.clock;
    this.#signer = new Signer({
      secret: options.secret,
      purpose: "tandem media stream",
      macBytes: MAC_BYTES,
    });
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
    return this.#signer.sign(Buffer.from(`${expiresAtS} ${leg.issued} ${callSid} ${legKey}`));
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
    const payload = token.length > MAX_TOKEN_CHARS ? null : this.#signer.open(token);
    if (!payload) return null;
    const [expiresAtS, ordinal, callSid, legKey] = payload.toString("utf8").split(" ");
    if (callSid === undefined || legKey === undefined) return null;
    return { callSid, legKey, ordinal: Number(ordinal), expiresAtMs: Number(expiresAtS) * 1000 };
  }
}
