/** The session object: defaults, validation of `session.update` and partial merge. */
import type { RealtimeSessionCreateRequest } from "openai/resources/realtime/realtime";
import { z } from "zod";
import { invalidRequest, schemaError, voiceLocked } from "./protocol-errors.ts";
import type { AudioFormat, FunctionTool, ProtocolError } from "./wire.ts";

/** PCM has a rate, G.711 must not have one. */
export const formatSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("audio/pcm"), rate: z.literal(24_000).optional() }),
  z.strictObject({ type: z.literal("audio/pcmu") }),
  z.strictObject({ type: z.literal("audio/pcma") }),
]);

const turnDetectionSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("server_vad"),
    threshold: z.number().min(0).max(1).default(0.5),
    prefix_padding_ms: z.int().min(0).max(5000).default(300),
    silence_duration_ms: z.int().min(0).max(10_000).default(500),
    create_response: z.boolean().default(true),
    interrupt_response: z.boolean().default(true),
    idle_timeout_ms: z.int().min(5000).max(30_000).nullable().default(null),
  }),
  z.strictObject({
    type: z.literal("semantic_vad"),
    eagerness: z.enum(["low", "medium", "high", "auto"]).default("auto"),
    create_response: z.boolean().default(true),
    interrupt_response: z.boolean().default(true),
  }),
]);

const voiceSchema = z.union([z.string().min(1).max(64), z.strictObject({ id: z.string().min(1) })]);

/** Only functions: a remote MCP server is not to be had in a sandbox on loopback. */
export const toolSchema = z.strictObject({
  type: z.literal("function"),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, "use 1 to 64 letters, digits, '_' or '-'"),
  description: z.string().optional(),
  parameters: z.unknown().optional(),
});

export const toolChoiceSchema = z.union([
  z.enum(["auto", "none", "required"]),
  z.strictObject({ type: z.literal("function"), name: z.string() }),
]);

export const maxTokensSchema = z.union([z.literal("inf"), z.int().min(1).max(32_000)]);
export const modalitiesSchema = z.array(z.enum(["audio", "text"])).length(1, "give one modality");
export const reasoningSchema = z.strictObject({
  effort: z.enum(["minimal", "low", "medium", "high", "xhigh"]).optional(),
});

const transcriptionSchema = z.strictObject({
  model: z.string().optional(),
  language: z.string().optional(),
  languages: z.array(z.string()).optional(),
  prompt: z.string().optional(),
  keywords: z.array(z.string()).optional(),
  delay: z.enum(["minimal", "low", "medium", "high", "xhigh"]).optional(),
});

const inputSchema = z.strictObject({
  format: formatSchema.optional(),
  noise_reduction: z
    .strictObject({ type: z.enum(["near_field", "far_field"]), strength: z.number().optional() })
    .nullable()
    .optional(),
  transcription: transcriptionSchema.nullable().optional(),
  turn_detection: turnDetectionSchema.nullable().optional(),
});

export const outputSchema = z.strictObject({
  format: formatSchema.optional(),
  voice: voiceSchema.optional(),
  speed: z.number().min(0.25).max(1.5).optional(),
});

const updateSchema = z.strictObject({
  type: z.literal("realtime"),
  model: z.string().optional(),
  output_modalities: modalitiesSchema.optional(),
  instructions: z.string().optional(),
  audio: z.strictObject({ input: inputSchema.optional(), output: outputSchema.optional() }).optional(),
  tools: z.array(toolSchema).max(128).optional(),
  tool_choice: toolChoiceSchema.optional(),
  max_output_tokens: maxTokensSchema.optional(),
  parallel_tool_calls: z.boolean().optional(),
  reasoning: reasoningSchema.optional(),
  truncation: z
    .union([
      z.enum(["auto", "disabled"]),
      z.strictObject({
        type: z.literal("retention_ratio"),
        retention_ratio: z.number().min(0).max(1),
        token_limits: z.strictObject({ post_instructions: z.int().min(0).optional() }).optional(),
      }),
    ])
    .optional(),
  tracing: z
    .union([z.literal("auto"), z.looseObject({})])
    .nullable()
    .optional(),
  prompt: z.looseObject({ id: z.string() }).nullable().optional(),
  include: z.array(z.literal("item.input_audio_transcription.logprobs")).nullable().optional(),
});

/** Keys of the beta shape: the GA server ignores them, and the formats stay PCM16 at 24 kHz. */
const BETA_KEYS = [
  "modalities",
  "voice",
  "speed",
  "input_audio_format",
  "output_audio_format",
  "input_audio_transcription",
  "input_audio_noise_reduction",
  "turn_detection",
  "temperature",
  "max_response_output_tokens",
];

export type TurnDetection = z.output<typeof turnDetectionSchema>;
export type Format =
  | { readonly type: "audio/pcm"; readonly rate: 24_000 }
  | { readonly type: "audio/pcmu" }
  | { readonly type: "audio/pcma" };

export interface SessionConfig {
  readonly model: string;
  readonly output_modalities: readonly ("audio" | "text")[];
  readonly instructions: string;
  readonly audio: {
    readonly input: {
      readonly format: Format;
      readonly noise_reduction: { type: "near_field" | "far_field" } | null;
      readonly transcription: z.output<typeof transcriptionSchema> | null;
      readonly turn_detection: TurnDetection | null;
    };
    readonly output: {
      readonly format: Format;
      readonly voice: string | { readonly id: string };
      readonly speed: number;
    };
  };
  readonly tools: readonly FunctionTool[];
  readonly tool_choice: z.output<typeof toolChoiceSchema>;
  readonly max_output_tokens: number | "inf";
  readonly parallel_tool_calls: boolean;
  readonly truncation: NonNullable<z.output<typeof updateSchema>["truncation"]>;
  readonly reasoning: z.output<typeof reasoningSchema> | null;
  readonly tracing: z.output<typeof updateSchema>["tracing"] | null;
  readonly prompt: { readonly id: string } | null;
  readonly include: readonly "item.input_audio_transcription.logprobs"[] | null;
}

export function formatObject(type: AudioFormat): Format {
  return type === "audio/pcm" ? { type, rate: 24_000 } : { type };
}

export function defaultConfig(model: string): SessionConfig {
  return {
    model,
    output_modalities: ["audio"],
    instructions: "You are a helpful assistant. Answer briefly and kindly.",
    audio: {
      input: {
        format: formatObject("audio/pcm"),
        noise_reduction: null,
        transcription: null,
        turn_detection: turnDetectionSchema.parse({ type: "server_vad" }),
      },
      output: { format: formatObject("audio/pcm"), voice: "alloy", speed: 1 },
    },
    tools: [],
    tool_choice: "auto",
    max_output_tokens: "inf",
    parallel_tool_calls: true,
    truncation: "auto",
    reasoning: null,
    tracing: null,
    prompt: null,
    include: null,
  };
}

/** Partial merge of a `session.update` into `config`, or the error that leaves `config` as it is. */
export function updateConfig(
  config: SessionConfig,
  session: unknown,
  spoken: boolean,
): { readonly config: SessionConfig } | { readonly error: ProtocolError } {
  if (isObject(session) && session["type"] === "transcription") {
    const message = "Passing a transcription session update event to a realtime session is not allowed.";
    return { error: invalidRequest("invalid_parameter", message, "session.type") };
  }
  const known = isObject(session)
    ? Object.fromEntries(Object.entries(session).filter(([key]) => !BETA_KEYS.includes(key)))
    : session;
  const parsed = updateSchema.safeParse(known);
  if (!parsed.success) return { error: schemaError(parsed.error, known, ["session"]) };
  const { type: _type, audio, ...rest } = parsed.data;
  if (rest.model !== undefined && rest.model !== config.model) {
    const message = `The model cannot be changed after the session was created with '${config.model}'.`;
    return { error: invalidRequest("invalid_value", message, "session.model") };
  }
  const input = { ...config.audio.input, ...defined(audio?.input ?? {}) };
  const output = { ...config.audio.output, ...defined(audio?.output ?? {}) };
  const voiceChanged = JSON.stringify(output.voice) !== JSON.stringify(config.audio.output.voice);
  if (spoken && voiceChanged) return { error: voiceLocked };
  const merged = { ...config, ...defined(rest) } as SessionConfig;
  return {
    config: {
      ...merged,
      audio: {
        input: { ...input, format: formatObject((input.format ?? config.audio.input.format).type) },
        output: { ...output, format: formatObject((output.format ?? config.audio.output.format).type) },
      } as SessionConfig["audio"],
    },
  };
}

/** The session object of `session.created` and `session.updated`. */
export function sessionObject(
  config: SessionConfig,
  id: string,
  expiresAtS: number,
): RealtimeSessionCreateRequest {
  const body = { type: "realtime", object: "realtime.session", id, expires_at: expiresAtS, ...config };
  // The API sends null where the package's types only know "absent" (noise_reduction, transcription).
  return body as unknown as RealtimeSessionCreateRequest;
}

function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as Partial<T>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
