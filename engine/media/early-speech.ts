import type { HeardItem, ModelAudio } from "../ports.ts";
import { base64Bytes } from "./base64.ts";
import { ULAW_BYTES_PER_MS } from "./g711.ts";
import type { MediaLeg } from "./leg.ts";

/** More than any greeting; what comes beyond is refused and counted. */
const MAX_MS = 60_000;
const MAX_CHUNKS = 4_096;

/**
 * The model's speech while the first media leg is still on its way, so that a greeting made while the phone
 * rings is there when the caller is.
 */
export class EarlySpeech {
  readonly counters = { earlyBytes: 0, earlyRefusedBytes: 0 };
  #chunks: ModelAudio[] = [];
  readonly #ended = new Set<string>();
  #bytes = 0;

  get ms(): number {
    return this.#bytes / ULAW_BYTES_PER_MS;
  }

  /** `false` when it is refused. */
  add(chunk: ModelAudio): boolean {
    const bytes = base64Bytes(chunk.base64);
    if (this.#bytes + bytes > MAX_MS * ULAW_BYTES_PER_MS || this.#chunks.length >= MAX_CHUNKS) {
      this.counters.earlyRefusedBytes += bytes;
      return false;
    }
    this.#bytes += bytes;
    this.counters.earlyBytes += bytes;
    this.#chunks.push(chunk);
    return true;
  }

  has(itemId: string): boolean {
    return this.#chunks.some((chunk) => chunk.itemId === itemId);
  }

  end(itemId: string): void {
    if (this.has(itemId)) this.#ended.add(itemId);
  }

  endResponse(responseId: string): void {
    for (const chunk of this.#chunks) if (chunk.responseId === responseId) this.#ended.add(chunk.itemId);
  }

  playOn(leg: MediaLeg): void {
    const chunks = this.#chunks;
    const ended = [...this.#ended];
    this.clear();
    for (const chunk of chunks) leg.play(chunk);
    for (const itemId of ended) leg.endItem(itemId);
  }

  /** Drops everything; the answer names the items, none of them heard. */
  cut(): HeardItem[] {
    const items = new Map<string, { readonly chunk: ModelAudio; bytes: number }>();
    for (const chunk of this.#chunks) {
      const item = items.get(chunk.itemId) ?? { chunk, bytes: 0 };
      item.bytes += base64Bytes(chunk.base64);
      items.set(chunk.itemId, item);
    }
    this.clear();
    return [...items.values()].map(({ chunk, bytes }) => ({
      responseId: chunk.responseId,
      itemId: chunk.itemId,
      contentIndex: chunk.contentIndex,
      heardMs: 0,
      heardErrorMs: 0,
      receivedMs: Math.floor(bytes / ULAW_BYTES_PER_MS),
    }));
  }

  clear(): void {
    this.#chunks = [];
    this.#ended.clear();
    this.#bytes = 0;
  }
}
