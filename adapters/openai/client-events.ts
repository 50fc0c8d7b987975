/**
 * Client events and what each was for. Every event carries an `event_id` of the form `purpose_n`; an `error`
 * event names it, so that a refusal is attributed to what caused it.
 */
import type { RealtimeClientEvent } from "openai/resources/realtime/realtime";
import { RecentMap } from "../../engine/platform/recent-map.ts";

/** What a client event was for. `target` is the item, response or call that it is about. */
export type PurposeKind =
  | "configure"
  | "instructions"
  | "append"
  | "history"
  | "text"
  | "tool"
  | "respond"
  | "cancel"
  | "truncate"
  | "delete";

export interface Purpose {
  readonly kind: PurposeKind;
  readonly target: string;
}

/** How many events other than audio are remembered; an answer to an older one is treated as unattributed. */
const REMEMBERED = 512;
const APPEND_PREFIX = "append_";
/** Ends a JSON string early, or may not stand in one (RFC 8259, section 7). Base64 has none of it. */
// oxlint-disable-next-line no-control-regex
const BREAKS_JSON = /["\\\u0000-\u001f]/g;
const APPEND_PURPOSE: Purpose = { kind: "append", target: "" };

export class EventIds {
  #last = 0;
  readonly #purposes = new RecentMap<string, Purpose>(REMEMBERED);

  next(kind: PurposeKind, target: string): string {
    const id = `${kind}_${++this.#last}`;
    this.#purposes.set(id, { kind, target });
    return id;
  }

  /**
   * The text of one append, put together around the audio; `null` when that may not stand in JSON as it is.
   * The id says what it is for by itself, so that audio evicts nothing.
   */
  appendText(base64: string): string | null {
    const id = APPEND_PREFIX + ++this.#last;
    const text = `{"type":"input_audio_buffer.append","event_id":"${id}","audio":"${base64}"}`;
    // Looked for in the whole text, which is put together for the socket anyway: a look into the audio alone
    // would copy that too. The first to be found must be the quote that ends it.
    BREAKS_JSON.lastIndex = text.length - base64.length - 2;
    return BREAKS_JSON.test(text) && BREAKS_JSON.lastIndex === text.length - 1 ? text : null;
  }

  lookUp(eventId: string | null | undefined): Purpose | undefined {
    if (!eventId) return undefined;
    return eventId.startsWith(APPEND_PREFIX) ? APPEND_PURPOSE : this.#purposes.get(eventId);
  }
}

export type ClientEvent = Exclude<RealtimeClientEvent, { type: "input_audio_buffer.append" }>;
type Role = "user" | "assistant" | "system";

/** `conversation.item.create` of a text message with an id of our own. */
export function textItem(id: string, role: Role, text: string, afterId?: string): ClientEvent {
  const base = { type: "conversation.item.create" as const, ...(afterId && { previous_item_id: afterId }) };
  if (role === "assistant") {
    return { ...base, item: { id, type: "message", role, content: [{ type: "output_text", text }] } };
  }
  return { ...base, item: { id, type: "message", role, content: [{ type: "input_text", text }] } };
}
