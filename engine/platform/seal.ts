import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import type { Ids } from "../ports.ts";

const ALGORITHM = "aes-256-gcm";
export const IV_BYTES = 12;
export const TAG_BYTES = 16;

export interface Sealed {
  /** 12 bytes. */
  readonly iv: Uint8Array;
  /** 16 bytes. */
  readonly tag: Uint8Array;
  readonly data: Uint8Array;
}

/** A text with all that sealing it takes, for a thread that has no keys: see {@link sealText}. */
export interface ToSeal {
  /** See {@link keyIdOf}. */
  readonly keyId: string;
  /** 32 bytes in base64. */
  readonly key: string;
  /** 12 bytes in hex. */
  readonly iv: string;
  readonly boundTo: string;
  readonly text: string;
}

/** The keys that are for all calls, the present one first. A previous one without a present one is none. */
export function masterKeys(key: Uint8Array | null, previousKey: Uint8Array | null): readonly Uint8Array[] {
  return key === null ? [] : [key, previousKey].filter((each) => each !== null);
}

/** Names a key without telling anything about it: 8 hexadecimal digits. */
export function keyIdOf(key: Uint8Array): string {
  return createHash("sha256").update("tandem key id").update(key).digest("hex").slice(0, 8);
}

function sealWith(key: Uint8Array, iv: Uint8Array, plain: Uint8Array, boundTo: string): Sealed {
  const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(Buffer.from(boundTo));
  const data = Buffer.concat([cipher.update(plain), cipher.final()]);
  return { iv, tag: cipher.getAuthTag(), data };
}

/** As {@link Sealer.seal} gives it. */
export function sealText({ key, iv, boundTo, text }: ToSeal): Sealed {
  const plain = Buffer.from(text, "utf8");
  return sealWith(Uint8Array.fromBase64(key), Uint8Array.fromHex(iv), plain, boundTo);
}

/** AES-256-GCM under one key. What is sealed is bound to a text that opening it must name again. */
export class Sealer {
  /** See {@link keyIdOf}. */
  readonly keyId: string;
  readonly #key: Uint8Array;
  readonly #ids: Ids;

  /** @param key 32 bytes. */
  constructor(key: Uint8Array, ids: Ids) {
    this.#key = key;
    this.#ids = ids;
    this.keyId = keyIdOf(key);
  }

  seal(plain: Uint8Array, boundTo: string): Sealed {
    return sealWith(this.#key, Uint8Array.fromHex(this.#iv()), plain, boundTo);
  }

  /** For {@link sealText}. Not to be given to anybody who must not have the key. */
  toSeal(text: string, boundTo: string): ToSeal {
    return { keyId: this.keyId, key: this.#key.toBase64(), iv: this.#iv(), boundTo, text };
  }

  /** 96 random bits in hex: a nonce must not come twice under one key. */
  #iv(): string {
    return this.#ids.sid("").slice(0, IV_BYTES * 2);
  }

  /** @throws an error of node:crypto for another key, other data, or data that is bound to another text. */
  open({ iv, tag, data }: Sealed, boundTo: string): Uint8Array {
    const decipher = createDecipheriv(ALGORITHM, this.#key, iv, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(boundTo))
      .setAuthTag(tag);
    return Buffer.concat([decipher.update(data), decipher.final()]);
  }
}
