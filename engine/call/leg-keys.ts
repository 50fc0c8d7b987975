import { createHmac } from "node:crypto";

/**
 * Opaque keys of AI legs, carried as `app:AP…?session=KEY` and handed back by the TwiML App's webhook. A
 * key is a MAC, so that it names nobody, cannot be guessed, and is the same after a restart.
 */
export class LegKeys {
  readonly #secret: string;
  readonly #legs = new Map<string, { readonly callSid: string; readonly label: string }>();

  constructor(secret: string) {
    this.#secret = secret;
  }

  /** The key of a leg, known from now on until {@link LegKeys.forget}. */
  issue(callSid: string, label: string): string {
    const key = createHmac("sha256", this.#secret).update(`leg:${callSid}:${label}`).digest("base64url");
    this.#legs.set(key, { callSid, label });
    return key;
  }

  resolve(key: string): { readonly callSid: string; readonly label: string } | null {
    return this.#legs.get(key) ?? null;
  }

  forget(callSid: string): void {
    for (const [key, leg] of this.#legs) if (leg.callSid === callSid) this.#legs.delete(key);
  }

  get size(): number {
    return this.#legs.size;
  }
}
