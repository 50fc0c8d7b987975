/** `session.update` in the GA shape, and the check of its echo. */
import { zodRealtimeFunction } from "openai/helpers/zod";
import type {
  RealtimeAudioInputTurnDetection,
  RealtimeFunctionTool,
  RealtimeSessionCreateRequest,
} from "openai/resources/realtime/realtime";
import { ProviderError, errorText } from "../../engine/errors.ts";
import type { ModelSessionConfig, ToolDeclaration, TurnDetection } from "../../engine/ports.ts";
import type { ServerSession } from "./server-events.ts";

const PCMU = "audio/pcmu";

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

/** The whole session, for the first `session.update` of a socket. `rate` is left out: pcmu refuses it. */
export function sessionRequest(
  config: ModelSessionConfig,
  tools: RealtimeFunctionTool[],
  options: { readonly model: string; readonly transcriptionModel: string; readonly instructions: string },
): RealtimeSessionCreateRequest {
  return {
    type: "realtime",
    output_modalities: ["audio"],
    instructions: options.instructions,
    audio: {
      input: {
        format: { type: PCMU },
        transcription: { model: options.transcriptionModel },
        turn_detection: turnDetection(config.turnDetection),
      },
      output: { format: { type: PCMU }, voice: config.voice },
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
 * caller hears as static: nothing is bridged until the echo says μ-law both ways.
 */
export function formatMismatch(session: ServerSession): ProviderError | null {
  const input = session.audio?.input?.format?.type;
  const output = session.audio?.output?.format?.type;
  if (input === PCMU && output === PCMU) return null;
  const got = `input ${input ?? "missing"}, output ${output ?? "missing"}`;
  return new ProviderError("format_mismatch", `session.updated says ${got}; both must be ${PCMU}`, false);
}
