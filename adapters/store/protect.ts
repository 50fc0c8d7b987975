import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import type { Ids, Log, ProtectedFields, TranscriptEntry } from "../../engine/ports.ts";

/** Seals the fields that name or quote a person, so that no database file or backup holds them in the clear. */
export interface FieldCipher {
  /** The text to store for one call. */
  seal(callSid: string, fields: ProtectedFields): string;
  /** What was stored: in full with the right key, otherwise redacted. Never throws. */
  open(callSid: string, stored: string): ProtectedFields;
  counters(): Readonly<Record<string, number>>;
}

const VERSION = "v1";
const ALGORITHM = "aes-256-gcm";
const REDACTED = "[redacted]";
/** The digits are hidden by a fixed number of bullets, so that not even their count is kept. */
const HIDDEN_DIGITS = "•••••••";
const UNREADABLE: ProtectedFields = { from: REDACTED, to: REDACTED, transcript: [], escalationReason: null };

function redactAddress(address: string): string {
  if (address === "" || address === REDACTED || /^\+?•+\d{2}$/.test(address)) return address;
  const digits = /^(\+?)\d{4,}(\d{2})$/.exec(address);
  // Sip and client addresses and "anonymous" have no part that is safe to keep.
  return digits ? `${digits[1] ?? ""}${HIDDEN_DIGITS}${digits[2] ?? ""}` : REDACTED;
}

function redactEntry(entry: TranscriptEntry): TranscriptEntry {
  const { atMs, speaker, heardMs, generatedMs } = entry;
  return {
    atMs,
    speaker,
    text: REDACTED,
    ...(heardMs === undefined ? {} : { heardMs }),
    ...(generatedMs === undefined ? {} : { generatedMs }),
  };
}

/** Who called whom down to two digits, who spoke when, and no word of it. Redacting twice changes nothing. */
export function redact(fields: ProtectedFields): ProtectedFields {
  return {
    from: redactAddress(fields.from),
    to: redactAddress(fields.to),
    transcript: fields.transcript.map(redactEntry),
    escalationReason: fields.escalationReason === null ? null : REDACTED,
  };
}

/** Names a key without telling anything about it. */
function keyIdOf(key: Uint8Array): string {
  return createHash("sha256").update("tandem key id").update(key).digest("hex").slice(0, 8);
}

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
  const keyId = key ? keyIdOf(key) : null;
  let unreadable = 0;

  const encrypt = (secret: Uint8Array, callSid: string, fields: ProtectedFields): string => {
    // 96 random bits: a nonce must not come twice under one key.
    const iv = Buffer.from(ids.sid("").slice(0, 24), "hex");
    const cipher = createCipheriv(ALGORITHM, secret, iv).setAAD(Buffer.from(callSid));
    const data = Buffer.concat([cipher.update(JSON.stringify(fields), "utf8"), cipher.final()]);
    const parts = [iv, cipher.getAuthTag(), data].map((part) => part.toString("base64url"));
    return [VERSION, keyIdOf(secret), ...parts].join(":");
  };

  const decrypt = (secret: Uint8Array, callSid: string, sealed: string): ProtectedFields => {
    const [, , iv = "", tag = "", data = ""] = sealed.split(":");
    const decipher = createDecipheriv(ALGORITHM, secret, Buffer.from(iv, "base64url"), { authTagLength: 16 })
      .setAAD(Buffer.from(callSid))
      .setAuthTag(Buffer.from(tag, "base64url"));
    const bytes = Buffer.from(data, "base64url");
    return decode(Buffer.concat([decipher.update(bytes), decipher.final()]).toString("utf8"));
  };

  const give = (callSid: string, reason: string): ProtectedFields => {
    unreadable++;
    log.warn("store.protected-unreadable", { callSid, reason });
    return UNREADABLE;
  };

  return {
    seal: (callSid, fields) => (key ? encrypt(key, callSid, fields) : JSON.stringify(redact(fields))),
    open: (callSid, stored) => {
      try {
        if (!stored.startsWith(`${VERSION}:`)) return decode(stored);
        if (!key) return give(callSid, "sealed, and TANDEM_ENCRYPTION_KEY is not set");
        if (stored.split(":")[1] !== keyId) return give(callSid, "sealed with another TANDEM_ENCRYPTION_KEY");
        return decrypt(key, callSid, stored);
      } catch {
        return give(callSid, "damaged, or moved here from another call");
      }
    },
    counters: () => ({ unreadableProtected: unreadable }),
  };
}
