/**
 * The input audio buffer. Its clock counts every byte appended in the session, so `audio_start_ms` and
 * `audio_end_ms` are offsets into what the client wrote, not wall-clock times.
 */

/** Just over the largest single append (15 MiB). More than this: the oldest audio is dropped and counted. */
export const MAX_BUFFER_BYTES = 16 * 1024 * 1024;

export class InputBuffer {
  #chunks: Uint8Array[] = [];
  #bytesPerMs: number;
  /** Buffer clock at the first byte that is kept. */
  #startMs = 0;
  #bytes = 0;
  droppedBytes = 0;

  constructor(bytesPerMs: number) {
    this.#bytesPerMs = bytesPerMs;
  }

  get startMs(): number {
    return this.#startMs;
  }

  /** The buffer clock: milliseconds of audio appended since the session began. */
  get endMs(): number {
    return this.#startMs + this.#bytes / this.#bytesPerMs;
  }

  get lengthMs(): number {
    return this.#bytes / this.#bytesPerMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  append(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes <= MAX_BUFFER_BYTES) return;
    const before = this.#bytes;
    this.#drop(this.#bytes - MAX_BUFFER_BYTES);
    this.droppedBytes += before - this.#bytes;
  }

  /** Forgets what lies before `ms` of the buffer clock. */
  dropBefore(ms: number): void {
    const bytes = even((ms - this.#startMs) * this.#bytesPerMs);
    if (bytes > 0) this.#drop(Math.min(bytes, this.#bytes));
  }

  /** Takes what lies before `endMs` and is not older than `startMs`; the rest before `endMs` is forgotten. */
  take(startMs: number, endMs: number): Uint8Array {
    this.dropBefore(startMs);
    const length = Math.min(this.#bytes, even((endMs - this.#startMs) * this.#bytesPerMs));
    const out = new Uint8Array(Math.max(0, length));
    let filled = 0;
    for (const chunk of this.#chunks) {
      if (filled >= out.length) break;
      const part = chunk.subarray(0, out.length - filled);
      out.set(part, filled);
      filled += part.length;
    }
    this.#drop(out.length);
    return out;
  }

  /** Empties the buffer; the clock stays where it is. */
  clear(): void {
    this.#startMs = this.endMs;
    this.#chunks = [];
    this.#bytes = 0;
  }

  /** Another format: what was written in the old one is forgotten, the clock stays. */
  setRate(bytesPerMs: number): void {
    this.clear();
    this.#bytesPerMs = bytesPerMs;
  }

  #drop(count: number): void {
    let left = count;
    let whole = 0;
    for (const chunk of this.#chunks) {
      if (chunk.length > left) break;
      left -= chunk.length;
      whole++;
    }
    this.#chunks.splice(0, whole);
    if (left > 0) this.#chunks[0] = (this.#chunks[0] as Uint8Array).subarray(left);
    this.#bytes -= count;
    this.#startMs += count / this.#bytesPerMs;
  }
}

/** Whole bytes, and whole samples of PCM16. */
function even(bytes: number): number {
  return 2 * Math.floor(bytes / 2);
}
