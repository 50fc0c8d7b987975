/** Client events: from the text of a WebSocket message to a checked event, or to the error to answer with. */
import { z } from "zod";
import { invalidEvent, invalidRequest, schemaError } from "./protocol-errors.ts";
import {
  formatSchema,
  maxTokensSchema,
  modalitiesSchema,
  reasoningSchema,
  toolChoiceSchema,
  toolSchema,
} from "./session-config.ts";
import type { ProtocolError } from "./wire.ts";

/** The API's limit of one append, as base64 text. */
export const MAX_APPEND_CHARS = Math.ceil((15 * 1024 * 1024) / 3) * 4;

const id = z.string().min(1).max(512);
const status = z.enum(["completed", "incomplete", "in_progress"]).optional();
const common = { id: id.optional(), object: z.literal("realtime.item").optional(), status };

const userContent = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("input_text"), text: z.string() }),
  z.strictObject({
    type: z.literal("input_audio"),
    audio: z.base64().optional(),
    transcript: z.string().nullable().optional(),
  }),
  z.strictObject({
    type: z.literal("input_image"),
    image_url: z.string(),
    detail: z.enum(["auto", "low", "high"]).optional(),
  }),
]);
const systemContent = z.strictObject({ type: z.literal("input_text"), text: z.string() });
/** Assistant audio cannot be created by a client. */
const assistantContent = z.strictObject({ type: z.literal("output_text"), text: z.string() });

const messageSchema = z.discriminatedUnion("role", [
  z.strictObject({
    ...common,
    type: z.literal("message"),
    role: z.literal("user"),
    content: z.array(userContent),
  }),
  z.strictObject({
    ...common,
    type: z.literal("message"),
    role: z.literal("system"),
    content: z.array(systemContent),
  }),
  z.strictObject({
    ...common,
    type: z.literal("message"),
    role: z.literal("assistant"),
    content: z.array(assistantContent),
  }),
]);

const itemOptions = [
  messageSchema,
  z.strictObject({
    ...common,
    type: z.literal("function_call"),
    call_id: id.optional(),
    name: z.string(),
    arguments: z.string(),
  }),
  z.strictObject({ ...common, type: z.literal("function_call_output"), call_id: id, output: z.string() }),
] as const;

const itemSchema = z.discriminatedUnion("type", itemOptions);
const inputItemSchema = z.discriminatedUnion("type", [
  ...itemOptions,
  z.strictObject({ type: z.literal("item_reference"), id }),
]);

const responseSchema = z.strictObject({
  audio: z
    .strictObject({
      output: z.strictObject({ format: formatSchema.optional(), voice: z.unknown().optional() }).optional(),
    })
    .optional(),
  conversation: z.enum(["auto", "none"]).optional(),
  input: z.array(inputItemSchema).max(1000).optional(),
  instructions: z.string().optional(),
  max_output_tokens: maxTokensSchema.optional(),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullable().optional(),
  output_modalities: modalitiesSchema.optional(),
  parallel_tool_calls: z.boolean().optional(),
  prompt: z.looseObject({ id: z.string() }).nullable().optional(),
  reasoning: reasoningSchema.optional(),
  tool_choice: toolChoiceSchema.optional(),
  tools: z.array(toolSchema).max(128).optional(),
});

const event_id = z.string().max(512).optional();
const eventSchema = z.discriminatedUnion("type", [
  // The session is checked by itself: a partial merge needs the state of the session.
  z.strictObject({ type: z.literal("session.update"), event_id, session: z.looseObject({}) }),
  z.strictObject({ type: z.literal("input_audio_buffer.append"), event_id, audio: z.string() }),
  z.strictObject({ type: z.literal("input_audio_buffer.commit"), event_id }),
  z.strictObject({ type: z.literal("input_audio_buffer.clear"), event_id }),
  z.strictObject({ type: z.literal("output_audio_buffer.clear"), event_id }),
  z.strictObject({
    type: z.literal("conversation.item.create"),
    event_id,
    previous_item_id: id.nullable().optional(),
    item: itemSchema,
  }),
  z.strictObject({ type: z.literal("conversation.item.retrieve"), event_id, item_id: id }),
  z.strictObject({ type: z.literal("conversation.item.delete"), event_id, item_id: id }),
  z.strictObject({
    type: z.literal("conversation.item.truncate"),
    event_id,
    item_id: id,
    content_index: z.int().min(0),
    audio_end_ms: z.int().min(0),
  }),
  z.strictObject({ type: z.literal("response.create"), event_id, response: responseSchema.nullish() }),
  z.strictObject({ type: z.literal("response.cancel"), event_id, response_id: id.nullish() }),
]);

const TYPES: ReadonlySet<string> = new Set(eventSchema.options.map((o) => o.shape.type.value));

export type ClientEvent = z.output<typeof eventSchema>;
export type CreatedItem = z.output<typeof itemSchema>;
export type ResponseParams = z.output<typeof responseSchema>;

export type ParsedEvent =
  { readonly event: ClientEvent } | { readonly error: ProtocolError; readonly eventId: string | null };

/** Checks one message. `error` answers are for the client; `eventId` is the id to echo with them. */
export function parseClientEvent(message: string | Uint8Array): ParsedEvent {
  if (typeof message !== "string") {
    const error = invalidEvent("Binary messages are not supported: send each event as JSON text.");
    return { error, eventId: null };
  }
  let body: unknown;
  try {
    body = JSON.parse(message);
  } catch {
    return { error: invalidEvent("The message could not be parsed as JSON."), eventId: null };
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { error: invalidEvent("The message must be a JSON object."), eventId: null };
  }
  const record = body as Record<string, unknown>;
  const type = record["type"];
  const given = record["event_id"];
  const eventId = typeof given === "string" ? given : null;
  if (typeof type !== "string") return { error: missing("type"), eventId };
  if (!TYPES.has(type)) {
    const supported = [...TYPES].map((t) => `'${t}'`).join(", ");
    const message_ = `Invalid value: '${type.slice(0, 64)}'. Supported values are: ${supported}.`;
    return { error: invalidEvent(message_, "type"), eventId };
  }
  const parsed = eventSchema.safeParse(record);
  return parsed.success ? { event: parsed.data } : { error: schemaError(parsed.error, record), eventId };
}

/** The bytes of an append, or why it is refused. */
export function decodeAppend(audio: string): Uint8Array | ProtocolError {
  if (audio.length > MAX_APPEND_CHARS) {
    const text = "Invalid 'audio'. At most 15 MiB of audio can be appended with one event.";
    return invalidRequest("invalid_value", text, "audio");
  }
  try {
    return Uint8Array.fromBase64(audio);
  } catch {
    const text = "Invalid 'audio'. Expected base64-encoded audio bytes but got an invalid value.";
    return invalidRequest("invalid_value", text, "audio");
  }
}

function missing(param: string): ProtocolError {
  return invalidRequest("missing_required_parameter", `Missing required parameter: '${param}'.`, param);
}
