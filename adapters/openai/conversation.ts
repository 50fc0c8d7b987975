/**
 * The conversation as text, across all sockets of one call: what is replayed to a new one, with the assistant's
 * speech cut to what was heard. OpenAI keeps no text of an item that was truncated, so it is kept here.
 */
import type { HeardItem, HistoryItem, ModelAudioFormat } from "../../engine/ports.ts";
import { RecentMap } from "../../engine/platform/recent-map.ts";
import { heardText } from "./heard-text.ts";

/** Entries beyond this leave from the front. */
export const MAX_ENTRIES = 400;
/** Text of one entry beyond this is cut off. */
export const MAX_ENTRY_CHARS = 16_000;
const BYTES_PER_MS = { pcmu: 8, pcm24k: 48 } as const satisfies Record<ModelAudioFormat, number>;

/** Before a coach's words: a system item, because a model would take to saying what its own items begin with. */
const WHISPERED =
  "As the coach you whispered this to the person who had joined; the caller did not hear it: ";

export interface Entry {
  readonly role: HistoryItem["role"];
  /** Said as a coach. */
  readonly whispered: boolean;
  /** Everything that was said or generated. */
  text: string;
  /** Id on the server that is current, or null when that server does not have it. */
  serverId: string | null;
  /** It was put there as text after the fact: it cannot be truncated, only replaced. */
  restored: boolean;
  /** Bytes of audio received for it, in the session's format. */
  bytes: number;
  /** Those of them that were passed on; the others came after its response had been cut off. */
  passedBytes: number;
  /** Where it was cut off; null while nobody interrupted it. */
  heardMs: number | null;
}

/** What the server must be told about an item that was cut. */
export type Cut =
  | { readonly kind: "truncate"; readonly itemId: string; readonly audioEndMs: number }
  | { readonly kind: "delete"; readonly itemId: string }
  | {
      readonly kind: "replace";
      readonly itemId: string;
      readonly entry: Entry;
      /** What stands for it from then on. */
      readonly item: HistoryItem;
    };

export class Conversation {
  readonly #entries: Entry[] = [];
  readonly #byItem = new RecentMap<string, Entry>(MAX_ENTRIES);
  readonly #bytesPerMs: number;
  readonly #onDropped: () => void;
  /** The item that audio came for last: most of it is of one item. */
  #speakingId = "";
  #speaking: Entry | null = null;
  #speaker: "agent" | "coach" = "agent";
  #lastId = 0;

  constructor(history: readonly HistoryItem[], audio: ModelAudioFormat, onDropped: () => void) {
    this.#bytesPerMs = BYTES_PER_MS[audio];
    this.#onDropped = onDropped;
    for (const { role, text } of history) this.addText(role, text);
  }

  /** An id for an item that we create; OpenAI takes 32 characters at most. */
  nextId(): string {
    return `tandem_${++this.#lastId}`;
  }

  get speaker(): "agent" | "coach" {
    return this.#speaker;
  }

  /** Whose the items are that begin from now on. */
  speakAs(speaker: "agent" | "coach"): void {
    this.#speaker = speaker;
  }

  addText(role: HistoryItem["role"], text: string): Entry {
    return this.#add({ role, text: text.slice(0, MAX_ENTRY_CHARS) });
  }

  /** The caller's turn was committed: its place is here, its text comes later or never. */
  userCommitted(itemId: string): void {
    if (!this.#byItem.has(itemId)) this.#byItem.set(itemId, this.#add({ role: "user", serverId: itemId }));
  }

  userText(itemId: string, text: string): void {
    this.userCommitted(itemId);
    const entry = this.#byItem.get(itemId);
    if (entry) entry.text = text.slice(0, MAX_ENTRY_CHARS);
  }

  /** The model began an item of speech, or goes on with it. */
  agentItem(itemId: string): Entry {
    const known = this.#byItem.get(itemId);
    if (known) return known;
    const entry = this.#add({ role: "assistant", serverId: itemId, whispered: this.#speaker === "coach" });
    this.#byItem.set(itemId, entry);
    return entry;
  }

  /** Hot path. */
  agentAudio(itemId: string, bytes: number, passedOn: boolean): void {
    let entry = this.#speaking;
    if (!entry || itemId !== this.#speakingId) {
      entry = this.agentItem(itemId);
      this.#speakingId = itemId;
      this.#speaking = entry;
    }
    entry.bytes += bytes;
    if (passedOn) entry.passedBytes += bytes;
  }

  agentDelta(itemId: string, delta: string): void {
    const entry = this.agentItem(itemId);
    if (entry.text.length < MAX_ENTRY_CHARS)
      entry.text += delta.slice(0, MAX_ENTRY_CHARS - entry.text.length);
  }

  /** The whole transcript of an item; also of one that was cut, whose heard part is a share of the whole. */
  agentText(itemId: string, text: string): void {
    this.agentItem(itemId).text = text.slice(0, MAX_ENTRY_CHARS);
  }

  isCut(itemId: string): boolean {
    return this.#byItem.get(itemId)?.heardMs != null;
  }

  /** Nothing of this item was passed on to anybody. */
  isUnheard(itemId: string): boolean {
    return (this.#byItem.get(itemId)?.passedBytes ?? 0) === 0;
  }

  /**
   * Notes where an item was cut off, never beyond the audio that was received, and says what to tell the
   * server: nothing (null) for an item that it never had, or that was cut before.
   */
  cut(item: Pick<HeardItem, "itemId" | "heardMs" | "receivedMs">): Cut | null {
    const entry = this.#byItem.get(item.itemId);
    if (!entry || entry.heardMs !== null) return null;
    const ownMs = entry.bytes / this.#bytesPerMs;
    const heard = Math.floor(Math.min(item.heardMs, item.receivedMs, ownMs));
    entry.heardMs = heard > 0 ? heard : 0;
    const itemId = entry.serverId;
    if (itemId === null) return null;
    if (entry.restored) {
      entry.serverId = null;
      const item = this.#itemOf(entry);
      return item ? { kind: "replace", itemId, entry, item } : { kind: "delete", itemId };
    }
    if (entry.heardMs > 0) return { kind: "truncate", itemId, audioEndMs: entry.heardMs };
    entry.serverId = null;
    return { kind: "delete", itemId };
  }

  /** Cuts an item where what was passed on of it ends, all of which was heard; null when that is all there is. */
  cutLate(itemId: string): Cut | null {
    const entry = this.#byItem.get(itemId);
    if (!entry || entry.passedBytes >= entry.bytes) return null;
    const passedMs = entry.passedBytes / this.#bytesPerMs;
    return this.cut({ itemId, heardMs: passedMs, receivedMs: passedMs });
  }

  /** An item that nobody will hear a word of: it was generated after its response had been cut off. */
  forget(itemId: string): void {
    const entry = this.agentItem(itemId);
    entry.heardMs = 0;
    entry.serverId = null;
  }

  history(): readonly HistoryItem[] {
    return this.#entries.map((entry) => this.#itemOf(entry)).filter((item) => item !== null);
  }

  /** Gives every entry with text a fresh id on a new server, oldest first. */
  replay(create: (id: string, role: HistoryItem["role"], text: string) => void): void {
    for (const entry of this.#entries) {
      entry.serverId = null;
      entry.restored = true;
      const item = this.#itemOf(entry);
      if (!item) continue;
      entry.serverId = this.nextId();
      create(entry.serverId, item.role, item.text);
    }
  }

  /** An entry as text alone tells it; `null` when nothing of it counts. */
  #itemOf(entry: Entry): HistoryItem | null {
    const text = this.#textOf(entry);
    if (text === "") return null;
    return entry.whispered ? { role: "system", text: WHISPERED + text } : { role: entry.role, text };
  }

  /** The text of an entry that counts: what was heard or, if nobody cut it off, will be. */
  #textOf(entry: Entry): string {
    if (entry.bytes === 0) return entry.heardMs === null ? entry.text.trim() : "";
    const heardBytes = entry.heardMs === null ? entry.passedBytes : entry.heardMs * this.#bytesPerMs;
    return heardText(entry.text, heardBytes / entry.bytes).trim();
  }

  #add(init: Pick<Entry, "role"> & Partial<Entry>): Entry {
    const entry: Entry = {
      whispered: false,
      text: "",
      serverId: null,
      restored: false,
      bytes: 0,
      passedBytes: 0,
      heardMs: null,
      ...init,
    };
    if (this.#entries.length >= MAX_ENTRIES) {
      this.#entries.shift();
      this.#onDropped();
    }
    this.#entries.push(entry);
    return entry;
  }
}
