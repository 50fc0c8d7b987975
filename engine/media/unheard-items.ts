import type { HeardItem, ModelAudio } from "../ports.ts";
import { base64Bytes } from "./base64.ts";
import { ULAW_BYTES_PER_MS } from "./g711.ts";
import type { Heard } from "./playout-items.ts";

/** Items noted at a time; beyond it the oldest is forgotten and the model keeps believing that it was heard. */
const MAX_ITEMS = 64;

interface Dropped {
  readonly chunk: ModelAudio;
  bytes: number;
}

/**
 * Items whose audio was dropped before it reached the playout: behind the closed gate, too late after a cut,
 * or with nobody connected. The model must be told, or it believes that it said them.
 */
export class UnheardItems {
  readonly counters = { unheardForgotten: 0 };
  readonly #items = new Map<string, Dropped>();
  /** Items the model was told about already; a second report would only confuse it. */
  readonly #reported = new Set<string>();

  get size(): number {
    return this.#items.size;
  }

  note(chunk: ModelAudio): void {
    if (this.#reported.has(chunk.itemId)) return;
    const known = this.#items.get(chunk.itemId);
    if (known) {
      known.bytes += base64Bytes(chunk.base64);
      return;
    }
    this.#items.set(chunk.itemId, {
      chunk: { ...chunk, base64: "" },
      bytes: base64Bytes(chunk.base64),
    });
    if (this.#items.size > MAX_ITEMS) {
      this.counters.unheardForgotten++;
      forgetOldest(this.#items);
    }
  }

  /** Responses of the items that are noted now. */
  *responseIds(): Generator<string> {
    for (const { chunk } of this.#items.values()) yield chunk.responseId;
  }

  /** The model was told of these. */
  reported(items: readonly HeardItem[]): void {
    for (const item of items) {
      this.#items.delete(item.itemId);
      this.#reported.add(item.itemId);
      if (this.#reported.size > MAX_ITEMS * 4) forgetOldest(this.#reported);
    }
  }

  /**
   * Takes the items of `responseId`, or all with `null`. `played` tells how much of an item had been played
   * before its rest was dropped.
   */
  take(responseId: string | null, played: (itemId: string) => Heard | null): HeardItem[] {
    const items: HeardItem[] = [];
    for (const { chunk, bytes } of this.#items.values()) {
      if (responseId !== null && chunk.responseId !== responseId) continue;
      const before = played(chunk.itemId);
      items.push({
        responseId: chunk.responseId,
        itemId: chunk.itemId,
        contentIndex: chunk.contentIndex,
        heardMs: before?.heardMs ?? 0,
        heardErrorMs: before?.heardErrorMs ?? 0,
        receivedMs: (before?.receivedMs ?? 0) + Math.floor(bytes / ULAW_BYTES_PER_MS),
      });
    }
    this.reported(items);
    return items;
  }
}

function forgetOldest(all: Map<string, unknown> | Set<string>): void {
  for (const oldest of all.keys()) {
    all.delete(oldest);
    break;
  }
}
