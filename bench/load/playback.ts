/** What the carrier does with the audio it gets: plays it in real time, returns marks when they are played. */
const BYTES_PER_MS = 8;
/** More marks than can wait in ten minutes of audio. */
const MAX_MARKS = 4096;

export class Playback {
  /** When what is buffered will have been played. */
  #endMs = 0;
  #names: string[] = [];
  #dueMs: number[] = [];

  media(bytes: number, nowMs: number): void {
    this.#endMs = Math.max(this.#endMs, nowMs) + bytes / BYTES_PER_MS;
  }

  mark(name: string, nowMs: number): void {
    if (this.#names.length >= MAX_MARKS) return;
    this.#names.push(name);
    this.#dueMs.push(Math.max(this.#endMs, nowMs));
  }

  /** Empties the buffer; every mark comes back at once. */
  clear(nowMs: number): void {
    this.#endMs = Math.min(this.#endMs, nowMs);
    this.#dueMs.fill(nowMs);
  }

  /** The next mark that is played by now, or null. */
  takeMark(nowMs: number): string | null {
    if (this.#dueMs.length === 0 || (this.#dueMs[0] as number) > nowMs) return null;
    this.#dueMs.shift();
    return this.#names.shift() ?? null;
  }

  /** Milliseconds that are buffered and not played yet. */
  waitingMs(nowMs: number): number {
    return Math.max(0, this.#endMs - nowMs);
  }
}
