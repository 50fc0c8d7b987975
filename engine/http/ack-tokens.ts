import { invariant } from "../errors.ts";
import { Signer } from "../platform/signer.ts";
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
const MAX_TOKEN_CHARS = Math.ceil(((EXPIRY_BYTES + SID_BYTES + MAX_LABEL_BYTES + MAC_BYTES) * 4) / 3);

/** Tokens of ack links: expiry, call sid and label, signed. */
export class AckTokens {
  readonly #signer: Signer;
  readonly #clock: Clock;

  constructor(options: { readonly secret: string; readonly clock: Clock }) {
    this.#signer = new Signer({ secret: options.secret, purpose: "tandem ack link", macBytes: MAC_BYTES });
    this.#clock = options.clock;
  }

  /** A token for one page, good for 24 h. */
  issue(callSid: string, label: string): string {
    invariant(/^CA[0-9a-f]{32}$/i.test(callSid), "AckTokens: callSid must be CA and 32 hexadecimal digits");
    const name = Buffer.from(label);
    invariant(name.length >= 1 && name.length <= MAX_LABEL_BYTES, "AckTokens: label must be 1..40 bytes");
    const expiry = Buffer.alloc(EXPIRY_BYTES);
    expiry.writeUInt32BE(Math.ceil((this.#clock.now() + LIFETIME_MS) / 1000));
    return this.#signer.sign(Buffer.concat([expiry, Buffer.from(callSid.slice(2), "hex"), name]));
  }

  /** What a token grants; `null` when we have not made it. */
  open(token: string): AckGrant | null {
    const payload = token.length > MAX_TOKEN_CHARS ? null : this.#signer.open(token);
    if (!payload || payload.length <= EXPIRY_BYTES + SID_BYTES) return null;
    return {
      callSid: `CA${payload.toString("hex", EXPIRY_BYTES, EXPIRY_BYTES + SID_BYTES)}`,
      label: payload.toString("utf8", EXPIRY_BYTES + SID_BYTES),
      expired: payload.readUInt32BE(0) * 1000 <= this.#clock.now(),
    };
  }
}
