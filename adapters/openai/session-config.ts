/** `session.update` in the GA shape, and the check of its echo. */
import { zodRealtimeFunction } from "openai/helpers/zod";
import type {
  RealtimeAudioFormats,
  RealtimeAudioInputTurnDetection,
  RealtimeFunctionTool,
  RealtimeSessionCreateRequest,
} from "openai/resources/realtime/realtime";
import { ProviderError, errorText } from "../../engine/errors.ts";
import type {
  ModelAudioFormat,
  ModelSessionConfig,
  ToolDeclaration,
  TurnDetection,
} from "../../engine/ports.ts";
import type { ServerSession } from "./server-events.ts";

/** As OpenAI names them. μ-law is refused with a `rate`. */
const FORMATS = {
  pcmu: { type: "audio/pcmu" },
  pcm24k: { type: "audio/pcm", rate: 24_000 },
} as const satisfies Record<ModelAudioFormat, RealtimeAudioFormats>;

/** Whether `model` takes `reasoning` and `parallel_tool_calls`: gpt-realtime-2 and later. */
function isReasoningModel(model: string): boolean {
  return model.startsWith("gpt-realtime-2") && !model.startsWith("gpt-realtime-2025");
}

function turnDetection(wanted: TurnDetection): RealtimeAudioInputTurnDetection {
  const automatic = { create_response: true, interrupt_response: true };
  if (wanted.type === "semantic_vad") {
    return { type: "semantic_vad", eagerness: wanted.eagerness ?? "auto", ...automatic };
  }
  return {
    type: "server_vad",
    ...(wanted.threshold !== undefined && { threshold: wanted.threshold }),
    ...(wanted.prefixPaddingMs !== undefined && { prefix_padding_ms: wanted.prefixPaddingMs }),
    ...(wanted.silenceMs !== undefined && { silence_duration_ms: wanted.silenceMs }),
    ...automatic,
  };
}

/** The tools as JSON schema. A schema that cannot be expressed gives a `ProviderError` that names the tool. */
export function declareTools(tools: readonly ToolDeclaration[]): RealtimeFunctionTool[] {
  return tools.map(({ name, description, parameters }) => {
    try {
      return zodRealtimeFunction({ name, description, parameters });
    } catch (error) {
      const text = `tool "${name}": its parameters cannot be written as JSON schema (${errorText(error)})`;
      throw new ProviderError("rejected_event", `${text}; use a plain z.object without transforms`, false);
    }
  });
}

/** The whole session, for the first `session.update` of a socket. */
export function sessionRequest(
  config: ModelSessionConfig,
  tools: RealtimeFunctionTool[],
  options: {
    readonly model: string;
    readonly transcriptionModel: string;
    readonly audioFormat: ModelAudioFormat;
    readonly instructions: string;
  },
): RealtimeSessionCreateRequest {
  const format = FORMATS[options.audioFormat];
  return {
    type: "realtime",
    output_modalities: ["audio"],
    instructions: options.instructions,
    audio: {
      input: {
        format,
        transcription: { model: options.transcriptionModel },
        turn_detection: turnDetection(config.turnDetection),
      },
      output: { format, voice: config.voice },
    },
    tools,
    tool_choice: "auto",
    // Dropping a fifth at once keeps the prompt cache useful; "auto" would drop a little on every turn.
    truncation: { type: "retention_ratio", retention_ratio: 0.8 },
    ...(isReasoningModel(options.model) && { reasoning: { effort: "low" }, parallel_tool_calls: true }),
  };
}

/**
 * Keys that the server does not know are ignored and the audio silently becomes PCM16 at 24 kHz, which a
 * caller hears as static: nothing is bridged until the echo says the wanted format both ways. An echo without
 * a rate is taken: there is one only.
 */
export function formatMismatch(session: ServerSession, wanted: ModelAudioFormat): ProviderError | null {
  const format = FORMATS[wanted];
  const input = session.audio?.input?.format;
  const output = session.audio?.output?.format;
  if (isEcho(input, format) && isEcho(output, format)) return null;
  const text = `session.updated says input ${nameOf(input)}, output ${nameOf(output)}`;
  return new ProviderError("format_mismatch", `${text}; both must be ${nameOf(format)}`, false);
}

type Echo =
  { readonly type?: string | undefined; readonly rate?: number | null | undefined } | null | undefined;

function isEcho(echo: Echo, wanted: RealtimeAudioFormats): boolean {
  const rate = "rate" in wanted ? wanted.rate : undefined;
  return echo?.type === wanted.type && (rate === undefined || echo?.rate == null || echo.rate === rate);
}

function nameOf(format: Echo): string {
  const rate = format?.rate == null ? "" : ` at ${format.rate} Hz`;
  return `${format?.type ?? "missing"}${rate}`;
}
