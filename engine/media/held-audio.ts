import type { Clock } from "../ports.ts";
import { ULAW_BYTES_PER_MS } from "./g711.ts";

/** Pieces held at most, whatever their length. */
const MAX_PIECES = 8_192;

/**
 * The caller's audio while no model can take it, so that the first words are not lost. Bounded in time: the
 * oldest goes first. What nothing has followed for as long is not handed over as if it were said now.
 */
export class HeldAudio {
  readonly counters = { heldBytes: 0, heldDroppedBytes: 0 };
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #maxMs: number;
  readonly #maxBytes: number;
  #lastAtMs = 0;
  #pieces: string[] = [];
  #sizes: number[] = [];
  #head = 0;
  #bytes = 0;

  constructor(clock: Pick<Clock, "monotonicMs">, maxMs: number) {
    this.#clock = clock;
    this.#maxMs = maxMs;
    this.#maxBytes = maxMs * ULAW_BYTES_PER_MS;
  }

  get ms(): number {
    return this.#bytes / ULAW_BYTES_PER_MS;
  }

  push(base64: string, bytes: number): void {
    this.#dropStale();
    this.#lastAtMs = this.#clock.monotonicMs();
    this.#pieces.push(base64);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    this.counters.heldBytes += bytes;
    while (this.#bytes > this.#maxBytes || this.#pieces.length - this.#head > MAX_PIECES) this.#dropOldest();
  }

  /** Hands everything over, oldest first. */
  flush(to: (base64: string, bytes: number) => void): void {
    this.#dropStale();
    const pieces = this.#pieces;
    const sizes = this.#sizes;
    const from = this.#head;
    this.clear();
    for (let i = from; i < pieces.length; i++) to(pieces[i] as string, sizes[i] as number);
  }

  clear(): void {
    this.#pieces = [];
    this.#sizes = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #dropStale(): void {
    if (this.#bytes === 0 || this.#clock.monotonicMs() - this.#lastAtMs <= this.#maxMs) return;
    this.counters.heldDroppedBytes += this.#bytes;
    this.clear();
  }

  #dropOldest(): void {
    const size = this.#sizes[this.#head] as number;
    this.#pieces[this.#head] = "";
    this.#head++;
    this.#bytes -= size;
    this.counters.heldDroppedBytes += size;
    if (this.#head < 1_024) return;
    this.#pieces = this.#pieces.slice(this.#head);
    this.#sizes = this.#sizes.slice(this.#head);
    this.#head = 0;
  }
}
