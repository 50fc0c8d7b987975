/** The model's tool calls that have no result yet, and what became of those that have. */
import type { Notice } from "../../machines/context.ts";
import type { Clock } from "../ports.ts";
import type { CallTrace } from "../tracing/tracing.ts";
import type { ToolName } from "./tools.ts";
import type { ToolResult, VoiceMetrics } from "./voice-metrics.ts";

export interface OpenToolsOptions {
  readonly clock: Pick<Clock, "now">;
  readonly metrics: Pick<VoiceMetrics, "tool">;
  readonly trace?: Pick<CallTrace, "tool"> | undefined;
}

interface Open {
  readonly tool: ToolName;
  readonly sinceMs: number;
}

/** A model has one or two; the oldest is given up first. */
const MAX_OPEN = 32;

export class OpenTools {
  readonly #options: OpenToolsOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: OpenToolsOptions) {
    this.#options = options;
  }

  begin(toolCallId: string, tool: ToolName): void {
    this.#open.set(toolCallId, { tool, sinceMs: this.#options.clock.now() });
    if (this.#open.size > MAX_OPEN) this.#end(this.#open.keys().next().value as string, "unanswered");
  }

  refuse(tool: ToolName | null): void {
    const { clock, metrics, trace } = this.#options;
    metrics.tool(tool ?? "unknown", "refused");
    trace?.tool(tool ?? "unknown", "refused", clock.now());
  }

  answer(toolCallId: string, notice: Notice): void {
    this.#end(toolCallId, notice === "not_possible_now" ? "not_possible" : "done");
  }

  /** The session is over: what it asked for cannot be answered any more. */
  drop(): void {
    for (const toolCallId of this.#open.keys()) this.#end(toolCallId, "unanswered");
  }

  #end(toolCallId: string, result: ToolResult): void {
    const open = this.#open.get(toolCallId);
    if (!open) return;
    this.#open.delete(toolCallId);
    this.#options.metrics.tool(open.tool, result);
    this.#options.trace?.tool(open.tool, result, open.sinceMs);
  }
}
