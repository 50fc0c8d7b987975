const FIRST_CAPACITY = 16 * 1024;
/** An empty ring that grew beyond this gives its memory back. */
const KEEP_CAPACITY = 256 * 1024;

/** A first-in first-out queue of bytes that grows up to a bound and never allocates per frame. */
export class ByteRing {
  readonly maxBytes: number;
  #bytes: Buffer = Buffer.alloc(0);
  #head = 0;
  #length = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Appends all of `bytes`, or nothing and returns `false` when they do not fit. */
  push(bytes: Uint8Array): boolean {
    const total = this.#length + bytes.length;
    if (total > this.maxBytes) return false;
    if (total > this.#bytes.length) this.#grow(total);
    const capacity = this.#bytes.length;
    const tail = (this.#head + this.#length) % capacity;
    const first = Math.min(bytes.length, capacity - tail);
    if (first === bytes.length) {
      this.#bytes.set(bytes, tail);
    } else {
      this.#bytes.set(bytes.subarray(0, first), tail);
      this.#bytes.set(bytes.subarray(first), 0);
    }
    this.#length = total;
    return true;
  }

  /** Copies the first `count` bytes to the start of `target`; they stay queued. */
  peek(target: Uint8Array, count: number): void {
    const bytes = this.#bytes;
    const end = this.#head + count;
    // A Buffer copies a part of itself without a view of it.
    bytes.copy(target, 0, this.#head, Math.min(end, bytes.length));
    if (end > bytes.length) bytes.copy(target, bytes.length - this.#head, 0, end - bytes.length);
  }

  skip(count: number): void {
    this.#length -= count;
    if (this.#length === 0) this.clear();
    else this.#head = (this.#head + count) % this.#bytes.length;
  }

  clear(): void {
    this.#head = 0;
    this.#length = 0;
    if (this.#bytes.length > KEEP_CAPACITY) this.#bytes = Buffer.alloc(FIRST_CAPACITY);
  }

  #grow(needed: number): void {
    let capacity = Math.max(FIRST_CAPACITY, this.#bytes.length);
    while (capacity < needed) capacity *= 2;
    const grown = Buffer.alloc(Math.min(capacity, Math.max(this.maxBytes, FIRST_CAPACITY)));
    this.peek(grown, this.#length);
    this.#bytes = grown;
    this.#head = 0;
  }
}
