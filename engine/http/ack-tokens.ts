import { createHmac, timingSafeEqual } from "node:crypto";
import { invariant } from "../errors.ts";
import type { Clock } from "../ports.ts";

/** What the holder of a link may answer: one page, of one incident, and nothing else. */
export interface AckGrant {
  readonly callSid: string;
  readonly label: string;
  readonly expired: boolean;
}

const LIFETIME_MS = 86_400_000;
const EXPIRY_BYTES = 4;
const SID_BYTES = 16;
/** 96 bits: short enough for a text, and nobody guesses one. */
const MAC_BYTES = 12;
const MAX_LABEL_BYTES = 40;

/**
 * Tokens of ack links, `base64url(expiry | call sid | label | MAC)`. Signed with a key of their own that is
 * derived from the secret, so that a link works after a restart and is of no use elsewhere.
 */
export class AckTokens {
  readonly #key: Buffer;
  readonly #clock: Clock;

  constructor(options: { readonly secret: string; readonly clock: Clock }) {
    this.#key = createHmac("sha256", options.secret).update("tandem ack link").digest();
    this.#clock = options.clock;
  }

  /** A token for one page, good for 24 h. */
  issue(callSid: string, label: string): string {
    invariant(/^CA[0-9a-f]{32}$/i.test(callSid), "AckTokens: callSid must be CA and 32 hexadecimal digits");
    const name = Buffer.from(label);
    invariant(name.length >= 1 && name.length <= MAX_LABEL_BYTES, "AckTokens: label must be 1..40 bytes");
    const expiry = Buffer.alloc(EXPIRY_BYTES);
    expiry.writeUInt32BE(Math.ceil((this.#clock.now() + LIFETIME_MS) / 1000));
    const payload = Buffer.concat([expiry, Buffer.from(callSid.slice(2), "hex"), name]);
    return Buffer.concat([payload, this.#mac(payload)]).toString("base64url");
  }

  /** What a token grants; `null` when we have not made it. */
  open(token: string): AckGrant | null {
    const bytes = Buffer.from(token, "base64url");
    const labelBytes = bytes.length - EXPIRY_BYTES - SID_BYTES - MAC_BYTES;
    if (labelBytes < 1 || labelBytes > MAX_LABEL_BYTES) return null;
    // Decoding is lenient: one token, one spelling.
    if (bytes.toString("base64url") !== token) return null;
    const payload = bytes.subarray(0, -MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(-MAC_BYTES), this.#mac(payload))) return null;
    return {
      callSid: `CA${payload.toString("hex", EXPIRY_BYTES, EXPIRY_BYTES + SID_BYTES)}`,
      label: payload.toString("utf8", EXPIRY_BYTES + SID_BYTES),
      expired: payload.readUInt32BE(0) * 1000 <= this.#clock.now(),
    };
  }

  #mac(payload: Buffer): Buffer {
    return createHmac("sha256", this.#key).update(payload).digest().subarray(0, MAC_BYTES);
  }
}
