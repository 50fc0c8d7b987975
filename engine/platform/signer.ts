import { createHmac, timingSafeEqual } from "node:crypto";

/**
 * Texts that only we can make: `base64url(payload | MAC)`, the MAC being HMAC-SHA256 cut to `macBytes`. The key is
 * derived from the secret and the purpose: a text works after a restart, and is of no use for another purpose.
 */
export class Signer {
  readonly #key: Buffer;
  readonly #macBytes: number;

  constructor(options: { readonly secret: string; readonly purpose: string; readonly macBytes: number }) {
    this.#key = createHmac("sha256", options.secret).update(options.purpose).digest();
    this.#macBytes = options.macBytes;
  }

  sign(payload: Buffer): string {
    return Buffer.concat([payload, this.#mac(payload)]).toString("base64url");
  }

  /** The payload; `null` when we have not made the text. */
  open(text: string): Buffer | null {
    const bytes = Buffer.from(text, "base64url");
    // Decoding is lenient: one text, one spelling.
    if (bytes.length <= this.#macBytes || bytes.toString("base64url") !== text) return null;
    const payload = bytes.subarray(0, -this.#macBytes);
    return timingSafeEqual(bytes.subarray(-this.#macBytes), this.#mac(payload)) ? payload : null;
  }

  #mac(payload: Buffer): Buffer {
    return createHmac("sha256", this.#key).update(payload).digest().subarray(0, this.#macBytes);
  }
}
