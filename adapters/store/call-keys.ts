import { createHmac } from "node:crypto";
import { callOfKey } from "../../engine/platform/call-key.ts";
import { IV_BYTES, Sealer, TAG_BYTES } from "../../engine/platform/seal.ts";
import type { Ids } from "../../engine/ports.ts";
import type { KeyValues, SqlRow } from "./driver.ts";

/** More calls than are live at once: what is forgotten, the longest unused first, is read, or made, again. */
const MAX_KNOWN = 16_384;
const KEY_ID = /^[0-9a-f]{8}$/;

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
const placeOf = (callSid: string, keyId: string): string => `${callSid} ${keyId}`;
const boundTo = (callSid: string, keyId: string): string => `key ${keyId} of ${callSid}`;

/** A key under a {@link Sealer} of keys: `<id of that key>:<iv><tag><data>` in base64url, always of one length. */
function wrap(under: Sealer, callSid: string, keyId: string, key: Uint8Array): string {
  const { iv, tag, data } = under.seal(key, boundTo(callSid, keyId));
  return `${under.keyId}:${base64(Buffer.concat([iv, tag, data]))}`;
}

/**
 * A key for each call, kept in the database wrapped under `TANDEM_ENCRYPTION_KEY`: whoever destroys it there has
 * destroyed what was sealed with it, in every copy that comes later. Each engine that writes of a call makes a key
 * of its own, so that nothing has to be read before something is written.
 */
export class CallKeys {
  readonly #ids: Ids;
  /** The first wraps; all of them unwrap. */
  #under: readonly Sealer[];
  /** Ours, by call. */
  readonly #made = new Map<string, Sealer>();
  /** Of those the ones that no transaction has stored yet. */
  readonly #unstored = new Map<string, KeyValues>();
  /** By call and id. */
  readonly #known = new Map<string, Sealer>();

  /** `keys`: 32 bytes each, the present one first. */
  constructor(keys: readonly Uint8Array[], ids: Ids) {
    this.#ids = ids;
    this.#under = keys.map((key) => new Sealer(key, ids));
  }

  /** For a store that has no other key. */
  adopt(key: Uint8Array): void {
    this.#under = [new Sealer(key, this.#ids)];
  }

  /** Id of the key that wraps. */
  get currentId(): string | null {
    return this.#under[0]?.keyId ?? null;
  }

  /** What seals for a call, or what goes on after it; `null` without a key. */
  sealing(name: string): Sealer | null {
    const under = this.#under[0];
    if (!under) return null;
    const callSid = callOfKey(name);
    const made = this.#made.get(callSid);
    if (!made) return this.#make(under, callSid);
    this.#made.delete(callSid);
    this.#made.set(callSid, made);
    return made;
  }

  #make(under: Sealer, callSid: string): Sealer {
    const key = Uint8Array.fromHex(this.#ids.sid("") + this.#ids.sid(""));
    const sealer = new Sealer(key, this.#ids);
    const { keyId } = sealer;
    this.#unstored.set(placeOf(callSid, keyId), [callSid, keyId, wrap(under, callSid, keyId, key)]);
    this.#made.set(callSid, sealer);
    this.#know(callSid, sealer);
    const [oldest] = this.#made.keys();
    if (this.#made.size > MAX_KNOWN && oldest !== undefined) this.#made.delete(oldest);
    return sealer;
  }

  /** Those that no transaction has stored yet. */
  unstored(): readonly KeyValues[] {
    return this.#unstored.size === 0 ? [] : [...this.#unstored.values()];
  }

  stored(keys: readonly KeyValues[]): void {
    for (const [callSid, keyId] of keys) this.#unstored.delete(placeOf(callSid, keyId));
  }

  /** Takes rows of the table of keys, for {@link CallKeys.opening}. What is known, or does not unwrap, is passed over. */
  learn(rows: readonly SqlRow[]): void {
    for (const row of rows) {
      const [callSid, keyId] = [String(row["call_sid"]), String(row["key_id"])];
      if (this.#known.has(placeOf(callSid, keyId))) continue;
      const key = this.#unwrap(callSid, keyId, String(row["wrapped"]));
      if (key) this.#know(callSid, new Sealer(key, this.#ids));
    }
  }

  /** `null`: it was destroyed, not learned, or belongs to another call or key. */
  opening(name: string, keyId: string): Sealer | null {
    return this.#known.get(placeOf(callOfKey(name), keyId)) ?? null;
  }

  /** A row's key under the present one; `null`: none of ours opens it. */
  rewrapped(row: SqlRow): string | null {
    const [callSid, keyId] = [String(row["call_sid"]), String(row["key_id"])];
    const under = this.#under[0];
    const key = this.#unwrap(callSid, keyId, String(row["wrapped"]));
    return under && key ? wrap(under, callSid, keyId, key) : null;
  }

  /** One of the keys that wrap: what was sealed before calls had keys is sealed with it. */
  master(keyId: string): Sealer | null {
    return this.#under.find((under) => under.keyId === keyId) ?? null;
  }

  forget(callSids: readonly string[]): void {
    if (callSids.length === 0) return;
    for (const callSid of callSids) this.#made.delete(callSid);
    const gone = new Set(callSids);
    for (const place of this.#known.keys()) {
      if (gone.has(place.slice(0, place.lastIndexOf(" ")))) this.#known.delete(place);
    }
  }

  #know(callSid: string, sealer: Sealer): void {
    this.#known.set(placeOf(callSid, sealer.keyId), sealer);
    if (this.#known.size <= MAX_KNOWN) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }

  #unwrap(callSid: string, keyId: string, wrapped: string): Uint8Array | null {
    const [underId = "", text = ""] = wrapped.split(":");
    const under = KEY_ID.test(underId) ? this.master(underId) : null;
    if (!under) return null;
    const bytes = Buffer.from(text, "base64url");
    const sealed = {
      iv: bytes.subarray(0, IV_BYTES),
      tag: bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES),
      data: bytes.subarray(IV_BYTES + TAG_BYTES),
    };
    try {
      return under.open(sealed, boundTo(callSid, keyId));
    } catch {
      return null;
    }
  }
}

/** What finds the calls of a number without telling it: HMAC-SHA-256 in hex, under a key made from `key`. */
export function callerHash(key: Uint8Array, number: string): string {
  const own = createHmac("sha256", key).update("tandem caller index").digest();
  return createHmac("sha256", own).update(number).digest("hex");
}
