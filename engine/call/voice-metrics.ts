/** What the AI's voice did in all calls since start, for `/metrics`. Recording a time allocates nothing. */
import type { ProviderErrorCode } from "../errors.ts";
import type { TurnTimes } from "../media/call-latency.ts";
import { Histogram } from "../platform/histogram.ts";
import type { ToolName } from "./tools.ts";

/**
 * - `done`: carried out, and the model was told so; - `not_possible`: not in that state of the call; - `refused`: the
 *   arguments or the name were wrong; - `unanswered`: the call or the session ended first.
 */
export const TOOL_RESULTS = ["done", "not_possible", "refused", "unanswered"] as const;
export type ToolResult = (typeof TOOL_RESULTS)[number];

/** - `reconnecting`: the connection was lost; - `warning`: the session survived it; - `failed`: it did not. */
type Trouble = "reconnecting" | "warning" | "failed";

interface Count {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

export class VoiceMetrics {
  /** {@link TurnTimes}, each of its parts. */
  readonly turnParts = {
    decide: new Histogram(),
    speak: new Histogram(),
    send: new Histogram(),
    round_trip: new Histogram(),
  };
  /** A turn and the way to the carrier and back: the wait as it is at the carrier. */
  readonly voiceToVoice = new Histogram();
  /** Stated error of what a barge-in left heard. */
  readonly heardError = new Histogram();
  /** How long nobody had spoken to the caller when a person came into the room. */
  readonly handoverGap = new Histogram();
  readonly #tools = new Map<string, Count>();
  readonly #troubles = new Map<string, Count>();

  turn({ turnMs, decideMs, speakMs, sendMs, roundTripMs }: TurnTimes): void {
    const { decide, speak, send, round_trip: roundTrip } = this.turnParts;
    if (decideMs !== null) decide.record(decideMs);
    speak.record(speakMs);
    send.record(sendMs);
    // 0 is what is not measured yet.
    if (roundTripMs > 0) roundTrip.record(roundTripMs);
    this.voiceToVoice.record(turnMs + roundTripMs);
  }

  tool(tool: ToolName | "unknown", result: ToolResult): void {
    count(this.#tools, { tool, result });
  }

  modelTrouble(kind: Trouble, code: ProviderErrorCode): void {
    count(this.#troubles, { kind, code });
  }

  get tools(): readonly Readonly<Count>[] {
    return [...this.#tools.values()];
  }

  get troubles(): readonly Readonly<Count>[] {
    return [...this.#troubles.values()];
  }
}

function count(all: Map<string, Count>, labels: Count["labels"]): void {
  const key = Object.values(labels).join("/");
  const entry = all.get(key) ?? { labels, value: 0 };
  entry.value++;
  all.set(key, entry);
}
