/** A recording as a browser asks for it: whole, or from where somebody wants to hear it on (RFC 9110, 14). */
import type { RecordingFile } from "../ports.ts";
import { problem } from "./json-answers.ts";
import { streamOf } from "./stream-of.ts";

/** One range of bytes: anything else may be left out of account. */
const RANGE = /^bytes=(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))$/;

interface Part {
  readonly from: number;
  /** Behind the last. */
  readonly to: number;
}

/** Without ranges a browser plays a file and cannot seek in it. */
export async function recordingAnswer(
  file: RecordingFile,
  name: string,
  range: string | null,
): Promise<Response> {
  const part = partOf(range, file.bytes);
  if (part === "none") {
    await file.close();
    const answer = problem(416, `the recording has ${file.bytes} bytes`);
    answer.headers.set("content-range", `bytes */${file.bytes}`);
    return answer;
  }
  const { from, to } = part ?? { from: 0, to: file.bytes };
  return new Response(
    streamOf(first(to - from, file.from(from)), (piece) => piece),
    {
      status: part ? 206 : 200,
      headers: {
        "content-type": "audio/wav",
        "content-length": String(to - from),
        "content-disposition": `attachment; filename="${name}"`,
        "accept-ranges": "bytes",
        "cache-control": "no-store",
        ...(part && { "content-range": `bytes ${from}-${to - 1}/${file.bytes}` }),
      },
    },
  );
}

/** `null`: all of it; `none`: there is nothing where it was asked for. */
function partOf(range: string | null, bytes: number): Part | "none" | null {
  const [, first, last, suffix] = RANGE.exec(range ?? "") ?? [];
  if (suffix !== undefined) {
    return Number(suffix) === 0 ? "none" : { from: Math.max(0, bytes - Number(suffix)), to: bytes };
  }
  if (first === undefined) return null;
  const from = Number(first);
  if (last !== undefined && Number(last) < from) return null;
  return from < bytes ? { from, to: Math.min(bytes, Number(last ?? bytes) + 1) } : "none";
}

async function* first(
  bytes: number,
  pieces: AsyncIterableIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let left = bytes;
  // The iteration is ended however this one ends, and with it the file is closed.
  for await (const piece of pieces) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left <= 0) return;
  }
}
