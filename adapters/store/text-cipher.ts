import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { errorText } from "../../engine/errors.ts";
import { keyIdOf, sealText, type ToSeal } from "../../engine/platform/seal.ts";
import type { Ids, Log } from "../../engine/ports.ts";
import type { CallKeys } from "./call-keys.ts";

/** As it is to be stored, once {@link storedText} has sealed what is not yet. */
export type StoredText = string | ToSeal;

/**
 * Seals texts that are personal as a whole. They are sealed as they are written, not before: that makes several
 * times their length in garbage, which the thread that moves the audio would have to collect.
 */
export interface TextCipher {
  /** False: nothing is kept, since it could be kept in the clear only. */
  readonly keeps: boolean;
  /** `context` says what it is of: it opens under the same only. */
  seal(callSid: string, context: string, text: string): StoredText;
  /** `null`: another key, another context, damaged, or nothing was kept. Never throws. */
  open(callSid: string, context: string, stored: string): string | null;
  /** Writes the file of its key again, when it has one and that is gone. */
  keepKey(): void;
}

interface FileKey {
  readonly key: Uint8Array;
  readonly keep: () => void;
}

/** For a store that has no key. */
export const closedTexts: TextCipher = {
  keeps: false,
  seal: () => "",
  open: () => null,
  keepKey: () => undefined,
};

/** `t2:<id of the call's key>:<iv><tag><data>` in base64url. */
const VERSION = "t2";
/** The same with the key that is for all: of before calls had keys. */
const OLD_VERSION = "t1";
/** Two tokens of 128 bits or more. */
const KEY_FILE_MIN = 40;
const IV_CHARACTERS = 16;
const TAG_CHARACTERS = 22;

export function sealedTexts(
  keys: CallKeys,
  onUnreadable: (context: string) => void,
  keepKey: () => void = () => undefined,
): TextCipher {
  const bytes = (text: string): Uint8Array => Buffer.from(text, "base64url");
  return {
    keeps: true,
    keepKey,
    seal: (callSid, context, text) => keys.sealing(callSid)?.toSeal(text, context) ?? "",
    open: (callSid, context, stored) => {
      // Emptied on purpose.
      if (stored === "") return null;
      const [version, keyId = "", sealed = ""] = stored.split(":");
      try {
        const old = version === OLD_VERSION ? keys.master(keyId) : null;
        const sealer = version === VERSION ? keys.opening(callSid, keyId) : old;
        if (!sealer) throw new Error("sealed with another key");
        const tagAt = IV_CHARACTERS;
        const dataAt = tagAt + TAG_CHARACTERS;
        const [iv, tag] = [bytes(sealed.slice(0, tagAt)), bytes(sealed.slice(tagAt, dataAt))];
        const plain = sealer.open({ iv, tag, data: bytes(sealed.slice(dataAt)) }, context);
        return new TextDecoder().decode(plain);
      } catch {
        onUnreadable(context);
        return null;
      }
    },
  };
}

/** Of {@link TextCipher.seal}. */
export function storedText(text: StoredText): string {
  if (typeof text === "string") return text;
  const text64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  const { iv, tag, data } = sealText(text);
  return `${VERSION}:${text.keyId}:${text64(iv)}${text64(tag)}${text64(data)}`;
}

/**
 * A key that is worth as much as the file beside it: a copy of the database alone tells nothing. It is made once,
 * for the owner's eyes only; `null` when it can be neither read nor made.
 */
export function fileKey(path: string, ids: Ids, log: Log): FileKey | null {
  const failed = (error: unknown): void =>
    log.error("store.no-key-file", { path, problem: errorText(error) });
  try {
    writeIfMissing(path, `${ids.token()} ${ids.token()}\n`);
    const text = readFileSync(path, "utf8");
    if (text.length < KEY_FILE_MIN) throw new Error("it is cut off; fix: remove it");
    const keep = (): void => {
      try {
        writeIfMissing(path, text);
      } catch (error) {
        failed(error);
      }
    };
    return { key: keyOfText(text), keep };
  } catch (error) {
    failed(error);
    return null;
  }
}

/** Id of the key in a file that {@link fileKey} has made; `null`: there is none. */
export function fileKeyId(path: string): string | null {
  return existsSync(path) ? keyIdOf(keyOfText(readFileSync(path, "utf8"))) : null;
}

function keyOfText(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function writeIfMissing(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
