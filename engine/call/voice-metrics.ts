/** What the AI's voice did in all calls since start, for `/metrics`. Recording a time allocates nothing. */
import { PROVIDER_ERROR_CODES, type ProviderErrorCode } from "../errors.ts";
import type { TurnTimes } from "../media/call-latency.ts";
import { Histogram } from "../platform/histogram.ts";
import { BUILT_IN_TOOLS, type ToolName } from "./tools.ts";

/**
 * - `done`: carried out, and the model was told so; - `not_possible`: not in that state of the call; - `refused`: the
 *   arguments or the name were wrong; - `unanswered`: the call or the session ended first.
 */
const TOOL_RESULTS = ["done", "not_possible", "refused", "unanswered"] as const;
export type ToolResult = (typeof TOOL_RESULTS)[number];

/** - `reconnecting`: the connection was lost; - `warning`: the session survived it; - `failed`: it did not. */
const TROUBLES = ["reconnecting", "warning", "failed"] as const;
type Trouble = (typeof TROUBLES)[number];

interface Count {
  readonly labels: Readonly<Record<string, string>>;
  value: number;
}

/** Of closed sets, and each there from the start: of a counter that begins at one, the first event is not seen. */
class Counts<A extends string, B extends string> {
  readonly #all = new Map<string, Count>();

  constructor(names: readonly [string, string], first: readonly A[], second: readonly B[]) {
    for (const a of first) {
      for (const b of second)
        this.#all.set(`${a}/${b}`, { labels: { [names[0]]: a, [names[1]]: b }, value: 0 });
    }
  }

  add(a: A, b: B): void {
    const count = this.#all.get(`${a}/${b}`);
    if (count) count.value++;
  }

  get values(): readonly Readonly<Count>[] {
    return [...this.#all.values()];
  }
}

const TOOLS = [...BUILT_IN_TOOLS.map(({ name }) => name), "unknown"] as const;

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
  readonly #tools = new Counts(["tool", "result"], TOOLS, TOOL_RESULTS);
  readonly #troubles = new Counts(["kind", "code"], TROUBLES, PROVIDER_ERROR_CODES);

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
    this.#tools.add(tool, result);
  }

  modelTrouble(kind: Trouble, code: ProviderErrorCode): void {
    this.#troubles.add(kind, code);
  }

  get tools(): readonly Readonly<Count>[] {
    return this.#tools.values;
  }

  get troubles(): readonly Readonly<Count>[] {
    return this.#troubles.values;
  }
}
