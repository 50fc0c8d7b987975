/** The model's tool calls that have no result yet, and what became of those that have. */
import type { Notice } from "../../machines/context.ts";
import type { ToolName } from "./tools.ts";
import type { VoiceMetrics } from "./voice-metrics.ts";

/** A model has one or two; the oldest is given up first. */
const MAX_OPEN = 32;

export class OpenTools {
  readonly #metrics: Pick<VoiceMetrics, "tool">;
  readonly #open = new Map<string, ToolName>();

  constructor(metrics: Pick<VoiceMetrics, "tool">) {
    this.#metrics = metrics;
  }

  begin(toolCallId: string, tool: ToolName): void {
    this.#open.set(toolCallId, tool);
    if (this.#open.size <= MAX_OPEN) return;
    for (const [oldest, name] of this.#open) {
      this.#open.delete(oldest);
      this.#metrics.tool(name, "unanswered");
      break;
    }
  }

  refuse(tool: ToolName | null): void {
    this.#metrics.tool(tool ?? "unknown", "refused");
  }

  answer(toolCallId: string, notice: Notice): void {
    const tool = this.#open.get(toolCallId);
    if (tool === undefined) return;
    this.#open.delete(toolCallId);
    this.#metrics.tool(tool, notice === "not_possible_now" ? "not_possible" : "done");
  }

  /** The session is over: what it asked for cannot be answered any more. */
  drop(): void {
    for (const tool of this.#open.values()) this.#metrics.tool(tool, "unanswered");
    this.#open.clear();
  }
}
