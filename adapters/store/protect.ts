import { REDACTED, redact } from "../../engine/platform/redact.ts";
import { Sealer } from "../../engine/platform/seal.ts";
import type { Ids, Log, ProtectedFields } from "../../engine/ports.ts";
import { closedTexts, fileKey, sealedTexts, type TextCipher } from "./text-cipher.ts";

/** Seals the fields that name or quote a person, so that no database file or backup holds them in the clear. */
export interface FieldCipher {
  /** The text to store for one call. */
  seal(callSid: string, fields: ProtectedFields): string;
  /** What was stored: in full with the right key, otherwise redacted. Never throws. */
  open(callSid: string, stored: string): ProtectedFields;
  /**
   * Seals whole texts, with a key from `keyFile` when there is no other: it is made when it is not there.
   * With neither nothing is kept.
   */
  texts(keyFile: string | null): TextCipher;
  counters(): Readonly<Record<string, number>>;
}

const VERSION = "v1";
const UNREADABLE: ProtectedFields = { from: REDACTED, to: REDACTED, transcript: [], escalationReason: null };

function decode(stored: string): ProtectedFields {
  const { from, to, transcript, escalationReason } = JSON.parse(stored) as ProtectedFields;
  return { from, to, transcript, escalationReason };
}

/**
 * AES-256-GCM with `key` (32 bytes), or redaction when it is `null`. Sealed text is
 * `v1:<key id>:<iv>:<tag>:<data>`, the last three in base64url, bound to its call as additional data.
 */
export function createFieldCipher(options: {
  readonly key: Uint8Array | null;
  readonly ids: Ids;
  readonly log: Log;
}): FieldCipher {
  const { key, ids, log } = options;
  const sealer = key ? new Sealer(key, ids) : null;
  let unreadable = 0;

  const encrypt = (by: Sealer, callSid: string, fields: ProtectedFields): string => {
    const { iv, tag, data } = by.seal(Buffer.from(JSON.stringify(fields), "utf8"), callSid);
    const parts = [iv, tag, data].map((part) => Buffer.from(part).toString("base64url"));
    return [VERSION, by.keyId, ...parts].join(":");
  };

  const decrypt = (by: Sealer, callSid: string, sealed: string): ProtectedFields => {
    const [, , iv = "", tag = "", data = ""] = sealed.split(":");
    const bytes = (text: string): Uint8Array => Buffer.from(text, "base64url");
    const plain = by.open({ iv: bytes(iv), tag: bytes(tag), data: bytes(data) }, callSid);
    return decode(new TextDecoder().decode(plain));
  };

  const give = (callSid: string, reason: string): ProtectedFields => {
    unreadable++;
    log.warn("store.protected-unreadable", { callSid, reason });
    return UNREADABLE;
  };

  return {
    seal: (callSid, fields) => (sealer ? encrypt(sealer, callSid, fields) : JSON.stringify(redact(fields))),
    open: (callSid, stored) => {
      try {
        if (!stored.startsWith(`${VERSION}:`)) return decode(stored);
        if (!sealer) return give(callSid, "sealed, and TANDEM_ENCRYPTION_KEY is not set");
        if (stored.split(":")[1] !== sealer.keyId)
          return give(callSid, "sealed with another TANDEM_ENCRYPTION_KEY");
        return decrypt(sealer, callSid, stored);
      } catch {
        return give(callSid, "damaged, or moved here from another call");
      }
    },
    texts: (keyFile) => {
      const onUnreadable = (context: string): void => {
        unreadable++;
        log.warn("store.text-unreadable", { context });
      };
      const bytes = key ?? (keyFile === null ? null : fileKey(keyFile, ids, log));
      return bytes ? sealedTexts(new Sealer(bytes, ids), onUnreadable) : closedTexts;
    },
    counters: () => ({ unreadableProtected: unreadable }),
  };
}
