/** One item of a response, sent piece by piece: speech, text or a function call. */
import type { Ids } from "../../../engine/ports.ts";
import { makeEntry, type Conversation, type Entry } from "./conversation.ts";
import { bytesPerMs, bytesPerUlawSample, fromUlaw } from "./formats.ts";
import type { ToolUse } from "./persona.ts";
import { audioOutputTokens, OUTPUT_MS_PER_TOKEN, textTokens, type InputTokens } from "./usage.ts";
import type { AudioFormat, Item, ItemStatus, Send } from "./wire.ts";

/** Sizes of a delta in μ-law samples: 60 to 400 ms, seldom a whole number of telephone frames. */
const MIN_DELTA_SAMPLES = 480;
const MAX_DELTA_SAMPLES = 3200;
const TEXT_DELTA_CHARS = 24;
const ARGUMENT_DELTA_CHARS = 16;

export interface ItemContext {
  readonly responseId: string;
  readonly outputIndex: number;
  /** `null` for an out-of-band response: its items enter no conversation. */
  readonly conversation: Conversation | null;
  readonly send: Send;
  readonly ids: Ids;
  /** Tokens the response may still spend. */
  readonly tokensLeft: number;
}

export interface OutputItem {
  readonly item: Item;
  readonly tokens: InputTokens;
  /** It is cut short by the response's token limit. */
  readonly limited: boolean;
  open(): void;
  /** Sends the next delta; `false` when there was none left. */
  step(): boolean;
  close(status: ItemStatus): void;
}

abstract class BaseItem {
  readonly context: ItemContext;
  readonly id: string;
  readonly refs: { readonly response_id: string; readonly item_id: string; readonly output_index: number };
  entry: Entry;

  constructor(context: ItemContext, makeItem: (id: string) => Item) {
    this.context = context;
    this.id = context.ids.sid("item_");
    this.refs = { response_id: context.responseId, item_id: this.id, output_index: context.outputIndex };
    this.entry = makeEntry(makeItem(this.id), "");
  }

  get item(): Item {
    return structuredClone(this.entry.item);
  }

  protected announce(): void {
    const { send, conversation, outputIndex, responseId } = this.context;
    send({
      type: "response.output_item.added",
      response_id: responseId,
      output_index: outputIndex,
      item: this.item,
    });
    if (!conversation) return;
    const previous = conversation.append(this.id, this.entry);
    send({ type: "conversation.item.added", previous_item_id: previous, item: this.item });
    this.previousId = previous;
  }

  protected finish(status: ItemStatus): void {
    const { send, conversation, outputIndex, responseId } = this.context;
    this.entry.item = { ...this.entry.item, status } as Item;
    if (conversation?.get(this.id)) {
      send({ type: "conversation.item.done", previous_item_id: this.previousId, item: this.item });
    }
    send({
      type: "response.output_item.done",
      response_id: responseId,
      output_index: outputIndex,
      item: this.item,
    });
  }

  private previousId: string | null = null;
}

const messageItem = (id: string): Item => ({
  id,
  object: "realtime.item",
  type: "message",
  role: "assistant",
  status: "in_progress",
  content: [],
});

/** A message with speech and its transcript. */
export class SpeechItem extends BaseItem implements OutputItem {
  readonly limited: boolean;
  readonly #audio: Uint8Array;
  readonly #format: AudioFormat;
  readonly #words: string[];
  #sentBytes = 0;
  #sentWords = 0;
  #transcript = "";

  constructor(context: ItemContext, text: string, ulaw: Uint8Array, format: AudioFormat) {
    super(context, messageItem);
    const allowed = Math.max(0, context.tokensLeft - textTokens(text)) * OUTPUT_MS_PER_TOKEN * 8;
    this.limited = ulaw.length > allowed;
    this.#audio = fromUlaw(format, this.limited ? ulaw.subarray(0, allowed) : ulaw);
    this.#format = format;
    this.#words = text.match(/\S+\s*/g) ?? [];
  }

  get tokens(): InputTokens {
    const ms = this.#sentBytes / bytesPerMs(this.#format);
    return { text: textTokens(this.#transcript), audio: audioOutputTokens(ms) };
  }

  open(): void {
    this.announce();
    const part = { type: "audio" as const, transcript: "" };
    this.context.send({ type: "response.content_part.added", ...this.refs, content_index: 0, part });
    this.entry.heldMs = 0;
  }

  step(): boolean {
    if (this.#sentBytes >= this.#audio.length) return false;
    const range = this.#sentBytes === 0 ? MIN_DELTA_SAMPLES : MAX_DELTA_SAMPLES - MIN_DELTA_SAMPLES;
    const samples = MIN_DELTA_SAMPLES + Math.floor(this.context.ids.random() * range);
    const end = this.#sentBytes + samples * bytesPerUlawSample(this.#format);
    const bytes = this.#audio.subarray(this.#sentBytes, end);
    this.#sendWords((this.#sentBytes + bytes.length) / this.#audio.length);
    this.#sentBytes += bytes.length;
    if (!this.entry.truncated) this.entry.heldMs = this.#sentBytes / bytesPerMs(this.#format);
    const delta = bytes.toBase64();
    this.context.send({ type: "response.output_audio.delta", ...this.refs, content_index: 0, delta });
    return true;
  }

  close(status: ItemStatus): void {
    const { send } = this.context;
    const transcript = this.#transcript;
    send({ type: "response.output_audio.done", ...this.refs, content_index: 0 });
    send({ type: "response.output_audio_transcript.done", ...this.refs, content_index: 0, transcript });
    const part = { type: "audio" as const, transcript };
    send({ type: "response.content_part.done", ...this.refs, content_index: 0, part });
    this.finish(status);
  }

  /** The transcript runs with the audio: `share` of the audio has that share of the words. */
  #sendWords(share: number): void {
    const until = Math.ceil(share * this.#words.length);
    if (until <= this.#sentWords) return;
    const delta = this.#words.slice(this.#sentWords, until).join("");
    this.#sentWords = until;
    this.#transcript += delta;
    const { send } = this.context;
    send({ type: "response.output_audio_transcript.delta", ...this.refs, content_index: 0, delta });
    if (this.entry.truncated) return;
    this.entry.text = this.#transcript;
    const content = [{ type: "output_audio" as const, transcript: this.#transcript }];
    this.entry.item = { ...this.entry.item, content } as Item;
  }
}

/** A message of text only. */
export class TextItem extends BaseItem implements OutputItem {
  readonly limited: boolean;
  readonly #text: string;
  #sent = 0;

  constructor(context: ItemContext, text: string) {
    super(context, messageItem);
    this.limited = textTokens(text) > context.tokensLeft;
    this.#text = this.limited ? text.slice(0, context.tokensLeft * 4) : text;
  }

  get tokens(): InputTokens {
    return { text: textTokens(this.#text.slice(0, this.#sent)), audio: 0 };
  }

  open(): void {
    this.announce();
    const part = { type: "text" as const, text: "" };
    this.context.send({ type: "response.content_part.added", ...this.refs, content_index: 0, part });
  }

  step(): boolean {
    if (this.#sent >= this.#text.length) return false;
    const delta = this.#text.slice(this.#sent, this.#sent + TEXT_DELTA_CHARS);
    this.#sent += delta.length;
    this.entry.text = this.#text.slice(0, this.#sent);
    const content = [{ type: "output_text" as const, text: this.entry.text }];
    this.entry.item = { ...this.entry.item, content } as Item;
    this.context.send({ type: "response.output_text.delta", ...this.refs, content_index: 0, delta });
    return true;
  }

  close(status: ItemStatus): void {
    const text = this.entry.text;
    this.context.send({ type: "response.output_text.done", ...this.refs, content_index: 0, text });
    const part = { type: "text" as const, text };
    this.context.send({ type: "response.content_part.done", ...this.refs, content_index: 0, part });
    this.finish(status);
  }
}

/** A function call; its arguments are sent in pieces, and `done` comes even when it was cut off. */
export class CallItem extends BaseItem implements OutputItem {
  readonly limited = false;
  readonly #name: string;
  readonly #callId: string;
  readonly #arguments: string;
  #sent = 0;

  constructor(context: ItemContext, use: ToolUse) {
    const callId = context.ids.sid("call_");
    super(context, (id) => ({
      id,
      object: "realtime.item",
      type: "function_call",
      status: "in_progress",
      call_id: callId,
      name: use.name,
      arguments: "",
    }));
    this.#name = use.name;
    this.#callId = callId;
    this.#arguments = JSON.stringify(use.arguments);
  }

  get tokens(): InputTokens {
    return { text: textTokens(this.#name + this.#arguments.slice(0, this.#sent)), audio: 0 };
  }

  open(): void {
    this.announce();
  }

  step(): boolean {
    if (this.#sent >= this.#arguments.length) return false;
    const delta = this.#arguments.slice(this.#sent, this.#sent + ARGUMENT_DELTA_CHARS);
    this.#sent += delta.length;
    this.entry.text = this.#arguments.slice(0, this.#sent);
    const ref = { ...this.refs, call_id: this.#callId };
    this.context.send({ type: "response.function_call_arguments.delta", ...ref, delta });
    return true;
  }

  close(status: ItemStatus): void {
    const ref = { ...this.refs, call_id: this.#callId, name: this.#name, arguments: this.entry.text };
    this.entry.item = { ...this.entry.item, arguments: this.entry.text } as Item;
    this.context.send({ type: "response.function_call_arguments.done", ...ref });
    this.finish(status);
  }
}
