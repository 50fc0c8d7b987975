const FIRST_CAPACITY_BYTES = 16_384;

/** A first-in first-out queue of bytes in one ring that grows by doubling up to `maxBytes`. */
export class ByteQueue {
  readonly #maxBytes: number;
  #ring: Uint8Array;
  #head = 0;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#ring = new Uint8Array(Math.min(FIRST_CAPACITY_BYTES, maxBytes));
  }

  get length(): number {
    return this.#length;
  }

  /** Takes as much of `bytes` as fits and returns how much that was. */
  push(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.#maxBytes - this.#length);
    this.#reserve(this.#length + taken);
    const tail = (this.#head + this.#length) % this.#ring.length;
    const first = Math.min(taken, this.#ring.length - tail);
    this.#ring.set(bytes.subarray(0, first), tail);
    this.#ring.set(bytes.subarray(first, taken), 0);
    this.#length += taken;
    return taken;
  }

  /** Moves up to `out.length` bytes into `out` and returns how many. */
  shift(out: Uint8Array): number {
    const taken = Math.min(out.length, this.#length);
    const ring = this.#ring;
    for (let i = 0, at = this.#head; i < taken; i++) {
      out[i] = ring[at] as number;
      if (++at === ring.length) at = 0;
    }
    this.#head = (this.#head + taken) % ring.length;
    this.#length -= taken;
    return taken;
  }

  /** Forgets everything, and the memory that a long backlog took. */
  clear(): void {
    this.#ring = new Uint8Array(Math.min(FIRST_CAPACITY_BYTES, this.#maxBytes));
    this.#head = 0;
    this.#length = 0;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#ring.length) return;
    let capacity = this.#ring.length;
    while (capacity < bytes) capacity = Math.min(capacity * 2, this.#maxBytes);
    const ring = new Uint8Array(capacity);
    const length = this.shift(ring);
    this.#ring = ring;
    this.#head = 0;
    this.#length = length;
  }
}
