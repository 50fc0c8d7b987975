/** What the contract tests of the Realtime protocol share. */
import { expect } from "bun:test";
import type { RealtimeServerEvent } from "openai/resources/realtime/realtime";
import type { Client, Of } from "./helpers.ts";

/** No think time. */
export const FAST = { firstAudioDelayMs: 0 };

/** Deltas slow enough that a response is still active when the test acts. */
export const ACTIVE = { firstAudioDelayMs: 0, deltaIntervalMs: 400 };
export const sayExactly = (text: string) => ({
  type: "response.create" as const,
  response: { instructions: `Say exactly: "${text}"` },
});

/** Required keys of every server event, from the types: an event type we do not know does not compile. */
const REQUIRED: { [T in RealtimeServerEvent["type"]]?: readonly (keyof Of<T>)[] } = {
  error: ["error"],
  "session.created": ["session"],
  "session.updated": ["session"],
  "conversation.created": ["conversation"],
  "conversation.item.added": ["item", "previous_item_id"],
  "conversation.item.done": ["item", "previous_item_id"],
  "conversation.item.deleted": ["item_id"],
  "conversation.item.retrieved": ["item"],
  "conversation.item.truncated": ["item_id", "content_index", "audio_end_ms"],
  "conversation.item.input_audio_transcription.delta": ["item_id", "content_index", "delta"],
  "conversation.item.input_audio_transcription.completed": [
    "item_id",
    "content_index",
    "transcript",
    "usage",
  ],
  "conversation.item.input_audio_transcription.failed": ["item_id", "content_index", "error"],
  "input_audio_buffer.committed": ["item_id", "previous_item_id"],
  "input_audio_buffer.cleared": [],
  "input_audio_buffer.speech_started": ["audio_start_ms", "item_id"],
  "input_audio_buffer.speech_stopped": ["audio_end_ms", "item_id"],
  "input_audio_buffer.timeout_triggered": ["audio_start_ms", "audio_end_ms", "item_id"],
  "rate_limits.updated": ["rate_limits"],
  "response.created": ["response"],
  "response.done": ["response"],
  "response.output_item.added": ["response_id", "output_index", "item"],
  "response.output_item.done": ["response_id", "output_index", "item"],
  "response.content_part.added": ["response_id", "item_id", "output_index", "content_index", "part"],
  "response.content_part.done": ["response_id", "item_id", "output_index", "content_index", "part"],
  "response.output_text.delta": ["response_id", "item_id", "output_index", "content_index", "delta"],
  "response.output_text.done": ["response_id", "item_id", "output_index", "content_index", "text"],
  "response.output_audio.delta": ["response_id", "item_id", "output_index", "content_index", "delta"],
  "response.output_audio.done": ["response_id", "item_id", "output_index", "content_index"],
  "response.output_audio_transcript.delta": ["response_id", "item_id", "output_index", "content_index"],
  "response.output_audio_transcript.done": ["response_id", "item_id", "output_index", "transcript"],
  "response.function_call_arguments.delta": ["response_id", "item_id", "output_index", "call_id", "delta"],
  "response.function_call_arguments.done": ["response_id", "item_id", "call_id", "name", "arguments"],
};

/** Every event known, complete and with an id of its own. */
export function expectWellFormed(client: Client): void {
  const ids = new Set<string>();
  for (const event of client.events) {
    const required = REQUIRED[event.type] as readonly string[] | undefined;
    expect(required, `unknown event ${event.type}`).toBeDefined();
    for (const key of required ?? []) expect(event, event.type).toHaveProperty(key);
    const id = "event_id" in event ? event.event_id : "none";
    expect(id).toMatch(/^event_/);
    ids.add(id);
  }
  expect(ids.size).toBe(client.events.length);
}

export function audioBytes(client: Client, itemId: string): number {
  let bytes = 0;
  for (const delta of client.all("response.output_audio.delta")) {
    if (delta.item_id === itemId) bytes += Uint8Array.fromBase64(delta.delta).length;
  }
  return bytes;
}

export async function spokenItem(client: Client, text: string): Promise<string> {
  client.send(sayExactly(text));
  const added = await client.next("response.output_item.added");
  await client.next("response.done");
  return added.item.id ?? "";
}
