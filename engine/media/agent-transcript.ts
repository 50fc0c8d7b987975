import type { Clock, HeardItem, TranscriptEntry } from "../ports.ts";
import type { Heard } from "./playout-items.ts";

/** Items whose text is being gathered; beyond it the oldest is written out as it is. */
const MAX_OPEN_ITEMS = 64;
/** Items remembered after they were written, so that late text does not open them again. */
const MAX_WRITTEN_ITEMS = 256;
/** Characters kept per item, about an hour of speech. */
const MAX_TEXT_CHARS = 64 * 1024;

interface OpenItem {
  readonly responseId: string;
  readonly speaker: "agent" | "coach";
  readonly atMs: number;
  text: string;
  heard: Heard | null;
  responseOver: boolean;
}

/**
 * The text of what the model says, per item: gathered from its pieces and written out once, when the item
 * was heard to its end and its response is over, or when it was cut.
 */
export class AgentTranscript {
  readonly counters = { transcriptForced: 0, transcriptLateChars: 0 };
  readonly #write: (entry: TranscriptEntry) => void;
  readonly #open = new Map<string, OpenItem>();
  readonly #written = new Set<string>();
  /** The item that began last: most pieces of speech are of it. */
  #begun = "";

  constructor(write: (entry: TranscriptEntry) => void) {
    this.#write = write;
  }

  /** An item said its first word, by audio or by text. */
  begin(itemId: string, responseId: string, speaker: "agent" | "coach", clock: Clock): void {
    if (itemId === this.#begun) return;
    this.#begun = itemId;
    if (this.#open.has(itemId) || this.#written.has(itemId)) return;
    const atMs = clock.now();
    this.#open.set(itemId, { responseId, speaker, atMs, text: "", heard: null, responseOver: false });
    if (this.#open.size <= MAX_OPEN_ITEMS) return;
    for (const oldest of this.#open.keys()) {
      this.counters.transcriptForced++;
      this.#finish(oldest);
      break;
    }
  }

  addText(itemId: string, delta: string): void {
    const item = this.#open.get(itemId);
    if (!item || item.text.length + delta.length > MAX_TEXT_CHARS) {
      this.counters.transcriptLateChars += delta.length;
      return;
    }
    item.text += delta;
  }

  /** The item was played to its end. */
  heard(heard: HeardItem): void {
    const item = this.#open.get(heard.itemId);
    if (!item) return;
    item.heard = heard;
    if (item.responseOver) this.#finish(heard.itemId);
  }

  /** The items were cut: what was heard is final. */
  cut(items: readonly HeardItem[]): void {
    for (const heard of items) {
      const item = this.#open.get(heard.itemId);
      if (!item) continue;
      item.heard = heard;
      this.#finish(heard.itemId);
    }
  }

  /** Keeps how much of the open items was heard, before the leg that knows it goes. */
  snapshot(heardOf: (itemId: string) => Heard | null): void {
    for (const [itemId, item] of this.#open) item.heard = heardOf(itemId) ?? item.heard;
    for (const [itemId, item] of this.#open) if (item.responseOver && item.heard) this.#finish(itemId);
  }

  heardOf(itemId: string): Heard | null {
    return this.#open.get(itemId)?.heard ?? null;
  }

  /** All text of the response has come. Items without any audio are over with it. */
  responseOver(responseId: string, isPending: (itemId: string) => boolean): void {
    for (const [itemId, item] of this.#open) {
      if (item.responseId !== responseId) continue;
      item.responseOver = true;
      if (item.heard || !isPending(itemId)) this.#finish(itemId);
    }
  }

  /** Writes what is still open. */
  close(): void {
    for (const itemId of this.#open.keys()) this.#finish(itemId);
  }

  #finish(itemId: string): void {
    const item = this.#open.get(itemId);
    this.#open.delete(itemId);
    this.#written.add(itemId);
    if (this.#written.size > MAX_WRITTEN_ITEMS) {
      for (const oldest of this.#written) {
        this.#written.delete(oldest);
        break;
      }
    }
    if (!item || item.text.trim() === "") return;
    const heardMs = item.heard?.heardMs ?? 0;
    const generatedMs = item.heard?.receivedMs ?? 0;
    this.#write({
      atMs: item.atMs,
      speaker: item.speaker,
      text: item.text,
      heardText: heardPart(item.text, heardMs, generatedMs),
      heardMs,
      generatedMs,
    });
  }
}

/**
 * The beginning of `text` that takes the share of it that was heard, cut back to whole words: speech runs
 * evenly enough over its text for that, and no provider aligns the two.
 */
export function heardPart(text: string, heardMs: number, generatedMs: number): string {
  if (heardMs <= 0 || generatedMs <= 0) return "";
  if (heardMs >= generatedMs) return text;
  const end = Math.floor((text.length * heardMs) / generatedMs);
  if (end >= text.length) return text;
  if (/\s/.test(text.charAt(end))) return text.slice(0, end).trimEnd();
  const boundary = text.slice(0, end).search(/\s\S*$/);
  return boundary < 0 ? "" : text.slice(0, boundary).trimEnd();
}
