/** Least recently used clips, bounded by the bytes of their audio. */
export class AudioCache {
  readonly #maxBytes: number;
  readonly #clips = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(text: string): Uint8Array | undefined {
    const clip = this.#clips.get(text);
    if (clip) {
      this.#clips.delete(text);
      this.#clips.set(text, clip);
    }
    return clip;
  }

  /** Evicts the clips used longest ago; one larger than the whole cache is not kept. */
  set(text: string, clip: Uint8Array): void {
    this.#drop(text);
    if (clip.length > this.#maxBytes) return;
    for (const oldest of this.#clips.keys()) {
      if (this.#bytes + clip.length <= this.#maxBytes) break;
      this.#drop(oldest);
    }
    this.#clips.set(text, clip);
    this.#bytes += clip.length;
  }

  #drop(text: string): void {
    const clip = this.#clips.get(text);
    if (!clip) return;
    this.#clips.delete(text);
    this.#bytes -= clip.length;
  }
}
