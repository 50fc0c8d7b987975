/**
 * The server events that Tandem acts on, checked with zod where they enter. Objects are loose: OpenAI adds
 * fields. Names as in `RealtimeServerEvent` of the `openai` package, version 7.57.0.
 */
import type { RealtimeServerEvent } from "openai/resources/realtime/realtime";
import { z } from "zod";
import { errorText } from "../../engine/errors.ts";
import type { ModelUsage } from "../../engine/ports.ts";

const id = z.string().min(1).max(256);
const index = z.number().int().nonnegative();
const count = z.number().nonnegative().catch(0).optional();

const fault = z.looseObject({
  type: z.string().nullish(),
  code: z.string().nullish(),
  message: z.string().nullish(),
  param: z.string().nullish(),
  event_id: z.string().nullish(),
});

const format = z.looseObject({ type: z.string().optional(), rate: z.number().nullish() }).nullish();
const session = z.looseObject({
  id: z.string().optional(),
  expires_at: z.number().nullish(),
  instructions: z.string().nullish().catch(undefined),
  audio: z
    .looseObject({
      input: z.looseObject({ format }).nullish(),
      output: z.looseObject({ format }).nullish(),
    })
    .nullish(),
});

/** Token counts of a response; a count that is missing or malformed is 0. */
const usage = z.looseObject({
  input_tokens: count,
  output_tokens: count,
  input_token_details: z
    .looseObject({
      cached_tokens: count,
      audio_tokens: count,
      cached_tokens_details: z.looseObject({ audio_tokens: count }).nullish().catch(undefined),
    })
    .nullish()
    .catch(undefined),
  output_token_details: z.looseObject({ audio_tokens: count }).nullish().catch(undefined),
});

const response = z.looseObject({
  id,
  // A response that ends with a status unknown to us has ended all the same.
  status: z.enum(["completed", "cancelled", "incomplete", "failed", "in_progress"]).nullish().catch("failed"),
  status_details: z
    .looseObject({ error: fault.nullish(), reason: z.string().nullish() })
    .nullish()
    .catch(undefined),
  metadata: z.record(z.string(), z.unknown()).nullish().catch(undefined),
  usage: usage.nullish().catch(undefined),
});

const item = z.looseObject({
  id: z.string().optional(),
  type: z.string(),
  status: z.string().nullish(),
  call_id: z.string().optional(),
  name: z.string().optional(),
  arguments: z.string().optional(),
  content: z
    .array(z.looseObject({ type: z.string(), text: z.string().nullish() }))
    .nullish()
    .catch(undefined),
});

const part = { response_id: id, item_id: id, content_index: index };
const spoken = { item_id: id };

const event = <T extends RealtimeServerEvent["type"], S extends z.ZodRawShape>(type: T, shape: S) =>
  z.looseObject({ type: z.literal(type), ...shape });

const serverEvent = z.discriminatedUnion("type", [
  event("error", { error: fault }),
  event("session.created", { session }),
  event("session.updated", { session }),
  event("input_audio_buffer.speech_started", { item_id: id.optional().catch(undefined) }),
  event("input_audio_buffer.speech_stopped", { item_id: id.optional().catch(undefined) }),
  event("input_audio_buffer.committed", spoken),
  event("conversation.item.input_audio_transcription.completed", { ...spoken, transcript: z.string() }),
  event("conversation.item.input_audio_transcription.failed", spoken),
  event("response.created", { response }),
  event("response.done", { response }),
  event("response.output_item.added", { response_id: id, item }),
  event("response.output_item.done", { response_id: id, item }),
  event("response.output_audio.delta", { ...part, delta: z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/) }),
  event("response.output_audio.done", part),
  event("response.output_audio_transcript.delta", { ...part, delta: z.string() }),
  event("response.output_audio_transcript.done", { ...part, transcript: z.string() }),
]);

export type ServerEvent = z.infer<typeof serverEvent>;
export type ServerItem = z.infer<typeof item>;
export type ServerSession = z.infer<typeof session>;

/** What a response took, as the engine counts it. */
export function usageOf(counts: z.infer<typeof usage>): ModelUsage {
  return {
    inputTokens: counts.input_tokens ?? 0,
    outputTokens: counts.output_tokens ?? 0,
    cachedTokens: counts.input_token_details?.cached_tokens ?? 0,
    cachedAudioTokens: counts.input_token_details?.cached_tokens_details?.audio_tokens ?? 0,
    inputAudioTokens: counts.input_token_details?.audio_tokens ?? 0,
    outputAudioTokens: counts.output_token_details?.audio_tokens ?? 0,
  };
}

const ACTED_ON: ReadonlySet<string> = new Set(serverEvent.options.map((o) => o.shape.type.value));

export type Parsed =
  | { readonly kind: "event"; readonly event: ServerEvent }
  /** A well-formed event that needs no action. */
  | { readonly kind: "ignored"; readonly type: string }
  | { readonly kind: "malformed"; readonly problem: string };

/** Parses one text frame of the provider. Never throws. */
export function parseServerEvent(text: string): Parsed {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    return { kind: "malformed", problem: `a frame is not JSON: ${errorText(error)}` };
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    return { kind: "malformed", problem: "a frame is not a JSON object" };
  }
  const type = (raw as { readonly type?: unknown }).type;
  if (typeof type !== "string") return { kind: "malformed", problem: "an event has no type" };
  if (!ACTED_ON.has(type)) return { kind: "ignored", type };
  const checked = serverEvent.safeParse(raw);
  if (checked.success) return { kind: "event", event: checked.data };
  const issue = checked.error.issues[0];
  const where = issue && issue.path.length > 0 ? issue.path.join(".") : "event";
  return { kind: "malformed", problem: `${type}: ${where}: ${issue?.message ?? "invalid"}` };
}
