import { REDACTED, redact } from "../../engine/platform/redact.ts";
import { masterKeys, type Sealer } from "../../engine/platform/seal.ts";
import type { Ids, Log, ProtectedFields } from "../../engine/ports.ts";
import { CallKeys, callerHash } from "./call-keys.ts";
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
  /** Each call's own key. */
  readonly keys: CallKeys;
  /** Finds the calls of this caller without telling who it is; `null`: there is no key. */
  caller(from: string): string | null;
  /** All that {@link FieldCipher.caller} may have given under the keys that there are. */
  callerHashes(from: string): readonly string[];
  /** `null`: it is sealed and does not open. Counts and logs nothing. */
  tryOpen(callSid: string, stored: string): ProtectedFields | null;
  isSealed(stored: string): boolean;
  /** Sealed before calls had keys. */
  isOld(stored: string): boolean;
  counters(): Readonly<Record<string, number>>;
}

/** Sealed with the key of the call. */
const VERSION = "v2";
/** Sealed with `TANDEM_ENCRYPTION_KEY` itself: of before calls had keys. */
const OLD_VERSION = "v1";
const NO_KEY = "sealed, and TANDEM_ENCRYPTION_KEY is not set";
const NOT_OPENED = "sealed with another TANDEM_ENCRYPTION_KEY, or its own key was destroyed";
const UNREADABLE: ProtectedFields = {
  from: REDACTED,
  to: REDACTED,
  transcript: [],
  escalationReason: null,
  slots: null,
};

const ERASED = "[erased]";
/** What a row holds whose call was erased. */
export const ERASED_FIELDS: ProtectedFields = { ...UNREADABLE, from: ERASED, to: ERASED };

function decode(stored: string): ProtectedFields {
  // Rows of earlier versions have no slots.
  type Stored = Omit<ProtectedFields, "slots"> & Partial<Pick<ProtectedFields, "slots">>;
  const { from, to, transcript, escalationReason, slots = null } = JSON.parse(stored) as Stored;
  return { from, to, transcript, escalationReason, slots };
}

/**
 * AES-256-GCM with a key for each call, wrapped under `key` (32 bytes), or redaction when that is `null`. Sealed
 * text is `v2:<key id>:<iv>:<tag>:<data>`, the last three in base64url, bound to its call as additional data.
 * `previousKey` still opens what it has wrapped or sealed.
 */
export function createFieldCipher(options: {
  readonly key: Uint8Array | null;
  readonly previousKey?: Uint8Array | null;
  readonly ids: Ids;
  readonly log: Log;
}): FieldCipher {
  const { key, previousKey = null, ids, log } = options;
  const masters = masterKeys(key, previousKey);
  const keys = new CallKeys(masters, ids);
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

  const isOld = (stored: string): boolean => stored.startsWith(`${OLD_VERSION}:`);

  const openSealed = (callSid: string, stored: string): ProtectedFields | null => {
    const [version, keyId = ""] = stored.split(":", 2);
    if (version !== VERSION && version !== OLD_VERSION) return decode(stored);
    if (key === null) return null;
    const sealer = version === VERSION ? keys.opening(callSid, keyId) : keys.master(keyId);
    return sealer && decrypt(sealer, callSid, stored);
  };

  const give = (callSid: string, reason: string): ProtectedFields => {
    unreadable++;
    log.warn("store.protected-unreadable", { callSid, reason });
    return UNREADABLE;
  };

  return {
    keys,
    caller: (from) => (key === null || from === "" ? null : callerHash(key, from)),
    callerHashes: (from) => masters.map((each) => callerHash(each, from)),
    isSealed: (stored) => isOld(stored) || stored.startsWith(`${VERSION}:`),
    isOld,
    tryOpen: (callSid, stored) => {
      try {
        return openSealed(callSid, stored);
      } catch {
        return null;
      }
    },
    seal: (callSid, fields) => {
      const sealer = key === null ? null : keys.sealing(callSid);
      return sealer ? encrypt(sealer, callSid, fields) : JSON.stringify(redact(fields));
    },
    open: (callSid, stored) => {
      try {
        return openSealed(callSid, stored) ?? give(callSid, key === null ? NO_KEY : NOT_OPENED);
      } catch {
        return give(callSid, "damaged, or moved here from another call");
      }
    },
    texts: (keyFile) => {
      const onUnreadable = (context: string): void => {
        unreadable++;
        log.warn("store.text-unreadable", { context });
      };
      if (key !== null) return sealedTexts(keys, onUnreadable);
      const own = keyFile === null ? null : fileKey(keyFile, ids, log);
      if (own === null) return closedTexts;
      keys.adopt(own.key);
      return sealedTexts(keys, onUnreadable, own.keep);
    },
    counters: () => ({ unreadableProtected: unreadable }),
  };
}
