/**
 * A file in sealed parts of 64 KiB, so that it is written and read without all of it in memory and without
 * a long turn of the event loop. Each part is bound to the file, its place, and whether it is the last one.
 */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { IV_BYTES, type Sealer, TAG_BYTES } from "../../engine/platform/seal.ts";
import type { RecordingFile } from "../../engine/ports.ts";

const MAGIC = "TANDEM-SEALED-1 ";
const KEY_ID_CHARS = 8;
const HEADER_BYTES = MAGIC.length + KEY_ID_CHARS;
const PART_BYTES = 64 * 1024;
const SEAL_BYTES = IV_BYTES + TAG_BYTES;

const placeOf = (name: string, index: number, isLast: boolean): string =>
  `${name}/${index}/${isLast ? "last" : "more"}`;

/**
 * Writes `pieces`, of `bytes` together and one byte at least. The file is there when all of it is on disk, or
 * not at all.
 *
 * @param name what the file is bound to: it opens under no other.
 * @param between waited for after each part, so that others get their turn.
 * @throws what the file system throws.
 */
export async function writeSealed(
  path: string,
  name: string,
  sealer: Sealer,
  content: { readonly bytes: number; readonly pieces: Iterable<Uint8Array> },
  between: () => Promise<void>,
): Promise<void> {
  const unfinished = `${path}.part`;
  try {
    const file = await open(unfinished, "w", 0o600);
    try {
      await file.appendFile(`${MAGIC}${sealer.keyId}`);
      const last = Math.ceil(content.bytes / PART_BYTES) - 1;
      let index = 0;
      for (const part of inParts(content.pieces)) {
        const { iv, tag, data } = sealer.seal(part, placeOf(name, index, index === last));
        await file.appendFile(Buffer.concat([iv, tag, data]));
        index++;
        await between();
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw error;
  }
}

/**
 * Opens what {@link writeSealed} wrote; its first part has been checked when this resolves. `keyOf` is asked for the
 * key by its id.
 *
 * @throws what the file system or the sealer throws, and for a file of another kind or key.
 */
export async function readSealed(
  path: string,
  name: string,
  keyOf: (keyId: string) => Promise<Sealer | null>,
): Promise<RecordingFile> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const head = Buffer.from(await readAt(file, 0, HEADER_BYTES)).toString("latin1");
    if (!head.startsWith(MAGIC)) throw new Error("this is no sealed file");
    const sealer = await keyOf(head.slice(MAGIC.length));
    if (!sealer) throw new Error("sealed with another key, or its own key was destroyed");
    const parts = Math.ceil((size - HEADER_BYTES) / (PART_BYTES + SEAL_BYTES));
    const part = async (index: number): Promise<Uint8Array> => {
      const at = HEADER_BYTES + index * (PART_BYTES + SEAL_BYTES);
      const sealed = await readAt(file, at, Math.min(PART_BYTES + SEAL_BYTES, size - at));
      const iv = sealed.subarray(0, IV_BYTES);
      const tag = sealed.subarray(IV_BYTES, SEAL_BYTES);
      return sealer.open(
        { iv, tag, data: sealed.subarray(SEAL_BYTES) },
        placeOf(name, index, index === parts - 1),
      );
    };
    const first = await part(0);
    return {
      bytes: size - HEADER_BYTES - parts * SEAL_BYTES,
      from: (at) => read(file, at, parts, (index) => (index === 0 ? first : part(index))),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Parts before the one that is wanted are not opened: who seeks in an hour of sound would wait for all of them. */
async function* read(
  file: FileHandle,
  at: number,
  parts: number,
  part: (index: number) => Uint8Array | Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    const first = Math.floor(at / PART_BYTES);
    for (let index = first; index < parts; index++) {
      const opened = await part(index);
      yield index === first ? opened.subarray(at % PART_BYTES) : opened;
    }
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, at: number, bytes: number): Promise<Uint8Array> {
  const into = new Uint8Array(bytes);
  let done = 0;
  while (done < bytes) {
    const { bytesRead } = await file.read(into, done, bytes - done, at + done);
    if (bytesRead === 0) throw new Error("the file ends too early");
    done += bytesRead;
  }
  return into;
}

/** The same bytes in parts of one size; the last may be shorter. A part is overwritten by the next. */
function* inParts(pieces: Iterable<Uint8Array>): Iterable<Uint8Array> {
  const part = new Uint8Array(PART_BYTES);
  let filled = 0;
  for (const piece of pieces) {
    for (let taken = 0; taken < piece.length;) {
      const count = Math.min(piece.length - taken, PART_BYTES - filled);
      part.set(piece.subarray(taken, taken + count), filled);
      taken += count;
      filled += count;
      if (filled < PART_BYTES) continue;
      yield part;
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}
