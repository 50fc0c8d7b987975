/** The default conversation: its items in order, and the audio the server holds for them. */
import type { CreatedItem } from "./client-events.ts";
import { invalidRequest, itemMissing, notTruncatable, tooShort } from "./protocol-errors.ts";
import type { Item, ProtocolError } from "./wire.ts";

/** More items than this: the oldest is dropped, as the API does when the context is full. */
export const MAX_ITEMS = 1000;
/** Input audio kept for `conversation.item.retrieve`; the oldest is dropped first. */
const MAX_KEPT_AUDIO_BYTES = 4 * 1024 * 1024;

export interface Entry {
  item: Item;
  /** What the model makes of the item: text, or what it understood of speech. Empty after a truncation. */
  text: string;
  /** Audio output the server holds, in ms; `null` for an item that is no audio output. */
  heldMs: number | null;
  /** Once truncated, an item takes no more audio and no transcript. */
  truncated: boolean;
  /** User speech, in the format it was appended in. */
  inputAudio: Uint8Array | null;
  inputMs: number;
}

export function makeEntry(item: Item, text: string): Entry {
  return { item, text, heldMs: null, truncated: false, inputAudio: null, inputMs: 0 };
}

export class Conversation {
  readonly id: string;
  readonly #entries = new Map<string, Entry>();
  #order: string[] = [];
  #keptAudioBytes = 0;
  droppedItems = 0;

  constructor(id: string) {
    this.id = id;
  }

  get size(): number {
    return this.#order.length;
  }

  get lastId(): string | null {
    return this.#order.at(-1) ?? null;
  }

  get(id: string): Entry | undefined {
    return this.#entries.get(id);
  }

  /** Oldest first. */
  entries(): Entry[] {
    return this.#order.map((id) => this.#entries.get(id) as Entry);
  }

  /** Puts `entry` at the end; returns the id of the item before it. */
  append(id: string, entry: Entry): string | null {
    const previous = this.lastId;
    this.#put(id, entry, this.#order.length);
    return previous;
  }

  /** A client's `conversation.item.create`: the previous item's id, or why it was refused. */
  create(
    id: string,
    item: CreatedItem,
    previousId: string | null | undefined,
  ): { readonly previousId: string | null } | { readonly error: ProtocolError } {
    const error = this.#refusal(id, item, previousId);
    if (error) return { error };
    const entry = makeEntry(
      { ...item, id, object: "realtime.item", status: "completed" } as Item,
      itemText(item),
    );
    let at = this.#order.length;
    if (previousId === "root") at = 0;
    else if (previousId) at = this.#order.indexOf(previousId) + 1;
    const previous = at === 0 ? null : (this.#order[at - 1] ?? null);
    this.#put(id, entry, at);
    return { previousId: previous };
  }

  remove(id: string): ProtocolError | null {
    if (!this.#entries.has(id)) return itemMissing("delete", id);
    this.#forget(id);
    return null;
  }

  /** Cuts held audio output and removes the transcript, which cannot be aligned with what is left. */
  truncate(id: string, contentIndex: number, audioEndMs: number): ProtocolError | null {
    const entry = this.#entries.get(id);
    if (!entry) return itemMissing("truncate", id);
    if (entry.heldMs === null || (entry.heldMs === 0 && !entry.truncated)) return notTruncatable;
    if (contentIndex !== 0) {
      const text = `Invalid 'content_index': the item has no audio content at index ${contentIndex}.`;
      return invalidRequest("invalid_value", text, "content_index");
    }
    if (audioEndMs > entry.heldMs) return tooShort(entry.heldMs, audioEndMs);
    entry.heldMs = audioEndMs;
    entry.truncated = true;
    entry.text = "";
    entry.item = { ...entry.item, content: [{ type: "output_audio" }] } as Item;
    return null;
  }

  /** The item with its audio, for `conversation.item.retrieve`. */
  view(id: string): Item | null {
    const entry = this.#entries.get(id);
    if (!entry) return null;
    const item = structuredClone(entry.item);
    if (entry.inputAudio && item.type === "message" && item.role === "user" && item.content[0]) {
      item.content[0].audio = entry.inputAudio.toBase64();
    }
    return item;
  }

  keepAudio(entry: Entry, audio: Uint8Array): void {
    if (audio.length > MAX_KEPT_AUDIO_BYTES) return;
    entry.inputAudio = audio;
    this.#keptAudioBytes += audio.length;
    for (const older of this.entries()) {
      if (this.#keptAudioBytes <= MAX_KEPT_AUDIO_BYTES) return;
      if (older !== entry) this.#forgetAudio(older);
    }
  }

  #refusal(id: string, item: CreatedItem, previousId: string | null | undefined): ProtocolError | null {
    if (this.#entries.has(id)) {
      return invalidRequest("invalid_value", `Item with id '${id}' already exists.`, "item.id");
    }
    if (previousId && previousId !== "root" && !this.#entries.has(previousId)) {
      const text = `Error creating item: the previous item with id '${previousId}' does not exist.`;
      return invalidRequest("item_create_invalid_previous_item_id", text, "previous_item_id");
    }
    if (item.type !== "function_call_output") return null;
    const known = this.entries().some(
      (e) => e.item.type === "function_call" && e.item.call_id === item.call_id,
    );
    if (known) return null;
    const text = `Tool call ID '${item.call_id}' not found in conversation.`;
    return invalidRequest("invalid_tool_call_id", text, "item.call_id");
  }

  #put(id: string, entry: Entry, at: number): void {
    this.#entries.set(id, entry);
    this.#order.splice(at, 0, id);
    if (this.#order.length <= MAX_ITEMS) return;
    this.droppedItems++;
    this.#forget(this.#order[0] as string);
  }

  #forget(id: string): void {
    const entry = this.#entries.get(id);
    if (entry) this.#forgetAudio(entry);
    this.#entries.delete(id);
    this.#order = this.#order.filter((other) => other !== id);
  }

  #forgetAudio(entry: Entry): void {
    this.#keptAudioBytes -= entry.inputAudio?.length ?? 0;
    entry.inputAudio = null;
  }
}

/** The text of an item a client wrote. */
export function itemText(item: CreatedItem): string {
  if (item.type === "function_call_output") return item.output;
  if (item.type === "function_call") return item.arguments;
  const parts: string[] = [];
  for (const part of item.content) {
    if (part.type === "input_text" || part.type === "output_text") parts.push(part.text);
    else if (part.type === "input_audio" && part.transcript) parts.push(part.transcript);
  }
  return parts.join(" ");
}
