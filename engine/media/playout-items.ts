import type { HeardItem, ModelAudio } from "../ports.ts";
import { ULAW_BYTES_PER_MS } from "./g711.ts";
import type { PlayedRange } from "./playout-clock.ts";
import type { Tape } from "./tape.ts";

/** Items remembered per leg; the oldest is forgotten first. */
const MAX_ITEMS = 128;
/** Runs of one item's audio in the queue. More than one each only when a model mixes its items. */
const MAX_SEGMENTS = 4096;

/** How much of an item was heard. */
export type Heard = Pick<HeardItem, "heardMs" | "heardErrorMs" | "receivedMs">;

export interface PlayoutItem {
  readonly responseId: string;
  readonly itemId: string;
  readonly contentIndex: number;
  /** Where it is recorded, if it is. */
  readonly tape: Tape | null;
  /** What the model sent, whether it was queued or refused. */
  receivedBytes: number;
  /** Heard for certain, in segments that are over. */
  settledBytes: number;
  segments: number;
  /** No more audio will come. */
  ended: boolean;
  /** The queue was full: the rest of the item is refused too, or it would play with a hole. */
  refused: boolean;
  reported: boolean;
}

/** A run of one item's bytes on the leg's axis of positions. */
export interface PlayoutSegment {
  readonly item: PlayoutItem;
  readonly start: number;
  end: number;
}

/** Which bytes of the playout belong to which item of the model. */
export class PlayoutItems {
  readonly #items = new Map<string, PlayoutItem>();
  /** Everything that is not settled, in order of playout; those before #head are over. */
  #segments: PlayoutSegment[] = [];
  #head = 0;
  #end = 0;
  /** Some item may have become complete and over. */
  #changed = false;

  /** Position after the last byte queued. */
  get end(): number {
    return this.#end;
  }

  /** The item that `chunk` is of; a new one is recorded on `tape`. */
  open(chunk: ModelAudio, tape: Tape | null): PlayoutItem {
    const last = this.lastItem();
    if (last && last.itemId === chunk.itemId && last.contentIndex === chunk.contentIndex) return last;
    const key = itemKey(chunk.itemId, chunk.contentIndex);
    const known = this.#items.get(key);
    if (known) return known;
    const item: PlayoutItem = {
      responseId: chunk.responseId,
      itemId: chunk.itemId,
      contentIndex: chunk.contentIndex,
      tape,
      receivedBytes: 0,
      settledBytes: 0,
      segments: 0,
      ended: false,
      refused: false,
      reported: false,
    };
    this.#items.set(key, item);
    if (this.#items.size > MAX_ITEMS) {
      for (const oldest of this.#items.keys()) {
        this.#items.delete(oldest);
        break;
      }
    }
    return item;
  }

  find(itemId: string, contentIndex: number): PlayoutItem | undefined {
    return this.#items.get(itemKey(itemId, contentIndex));
  }

  /** Queues `bytes` of `item` after everything else. `false` when there are too many segments. */
  append(item: PlayoutItem, bytes: number): boolean {
    const last = this.#segments.at(-1);
    if (this.#head < this.#segments.length && last?.item === item && last.end === this.#end) {
      last.end += bytes;
    } else {
      if (this.#segments.length - this.#head >= MAX_SEGMENTS) return false;
      this.#segments.push({ item, start: this.#end, end: this.#end + bytes });
      item.segments++;
    }
    this.#end += bytes;
    return true;
  }

  /** The segment that holds the byte at `position`, if it is queued. */
  at(position: number): PlayoutSegment | undefined {
    for (let i = this.#head; i < this.#segments.length; i++) {
      const segment = this.#segments[i] as PlayoutSegment;
      if (position < segment.end) return segment;
    }
    return undefined;
  }

  isLast(segment: PlayoutSegment): boolean {
    return this.#segments.at(-1) === segment;
  }

  /** The item of the last byte queued, unless that is settled. */
  lastItem(): PlayoutItem | undefined {
    return this.#head < this.#segments.length ? this.#segments.at(-1)?.item : undefined;
  }

  /** Marks contents as complete: all of an item, or all of a response. */
  finish(key: "itemId" | "responseId", id: string): void {
    for (const item of this.#items.values()) {
      if (item[key] !== id || item.ended) continue;
      item.ended = true;
      this.#changed = true;
    }
  }

  heard(item: PlayoutItem, { low, position, high }: PlayedRange): Heard {
    const bytes = (at: number): number => Math.min(this.#heardBytes(item, at), item.receivedBytes);
    return heardOf(item, bytes(low), bytes(position), bytes(high));
  }

  #heardBytes(item: PlayoutItem, position: number): number {
    let bytes = item.settledBytes;
    if (item.segments === 0) return bytes;
    for (let i = this.#head; i < this.#segments.length; i++) {
      const segment = this.#segments[i] as PlayoutSegment;
      if (segment.start >= position) break;
      if (segment.item === item) bytes += Math.min(position, segment.end) - segment.start;
    }
    return bytes;
  }

  /** Retires what was played up to `position`. */
  settle(position: number): void {
    while (this.#head < this.#segments.length) {
      const segment = this.#segments[this.#head] as PlayoutSegment;
      if (segment.end > position) break;
      segment.item.settledBytes += segment.end - segment.start;
      segment.item.segments--;
      this.#changed = true;
      this.#head++;
    }
    if (this.#head === this.#segments.length && this.#head > 0) {
      this.#segments = [];
      this.#head = 0;
    } else if (this.#head > 64) {
      this.#segments.splice(0, this.#head);
      this.#head = 0;
    }
  }

  /** Items that are complete and wholly over, each once. */
  takeHeard(): HeardItem[] | null {
    if (!this.#changed) return null;
    this.#changed = false;
    let heard: HeardItem[] | null = null;
    for (const item of this.#items.values()) {
      if (item.reported || !item.ended || item.segments > 0 || item.receivedBytes === 0) continue;
      item.reported = true;
      const all = Math.min(item.settledBytes, item.receivedBytes);
      (heard ??= []).push(heardItem(item, heardOf(item, all, all, all)));
    }
    return heard;
  }

  /**
   * Stops at the position played: what lies after it will never be. Returns the items concerned in order of
   * playout; the axis goes on at `resumeAt`. `stoppedAtMs` is when the byte at that position would have played.
   */
  cut(played: PlayedRange, resumeAt: number, stoppedAtMs: number): HeardItem[] {
    const { position } = played;
    const cutItems = new Set<PlayoutItem>();
    for (let i = this.#head; i < this.#segments.length; i++) {
      const segment = this.#segments[i] as PlayoutSegment;
      if (segment.end > position) cutItems.add(segment.item);
    }
    const items: HeardItem[] = [];
    for (const item of cutItems) {
      item.reported = true;
      item.tape?.cut(stoppedAtMs);
      items.push(heardItem(item, this.heard(item, played)));
    }
    for (let i = this.#head; i < this.#segments.length; i++) {
      const { item, start, end } = this.#segments[i] as PlayoutSegment;
      item.settledBytes += Math.max(0, Math.min(position, end) - start);
      item.segments = 0;
      item.ended = true;
    }
    this.#segments = [];
    this.#head = 0;
    this.#end = resumeAt;
    this.#changed = true;
    return items;
  }
}

function heardOf(item: PlayoutItem, low: number, bytes: number, high: number): Heard {
  return {
    heardMs: Math.floor(bytes / ULAW_BYTES_PER_MS),
    heardErrorMs: Math.ceil(Math.max(bytes - low, high - bytes) / ULAW_BYTES_PER_MS),
    receivedMs: Math.floor(item.receivedBytes / ULAW_BYTES_PER_MS),
  };
}

function heardItem({ responseId, itemId, contentIndex }: PlayoutItem, heard: Heard): HeardItem {
  return { responseId, itemId, contentIndex, ...heard };
}

function itemKey(itemId: string, contentIndex: number): string {
  return contentIndex === 0 ? itemId : `${itemId}#${contentIndex}`;
}
