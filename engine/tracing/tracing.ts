/**
 * Spans of calls. The trace of a call is found by its sid: the 32 digits behind `CA` are the trace's id, so that every
 * engine that goes on with the call, and what follows it, adds to the same trace without being told of it.
 */
import type { ToolResult } from "../call/voice-metrics.ts";
import type { ToolName } from "../call/tools.ts";
import type { TurnTimes } from "../media/call-latency.ts";
import type { Clock, Ids } from "../ports.ts";
import type { SpanExporter, SpanFacts } from "../tracing-port.ts";
import { type ChildSpan, EffectSpans } from "./effect-spans.ts";

export interface TracingOptions {
  readonly clock: Pick<Clock, "now">;
  readonly ids: Pick<Ids, "sid">;
  readonly exporter: SpanExporter;
}

const SPAN_DIGITS = 16;

export class Tracing {
  readonly #options: TracingOptions;

  constructor(options: TracingOptions) {
    this.#options = options;
  }

  call(callSid: string): CallTrace {
    return new CallTrace(this.#options, callSid);
  }
}

/** The spans of one call. What it is told on the path of the audio costs an object, and nothing is sent from there. */
export class CallTrace {
  readonly #options: TracingOptions;
  readonly #callSid: string;
  readonly #traceId: string;
  readonly effects: EffectSpans;

  constructor(options: TracingOptions, callSid: string) {
    this.#options = options;
    this.#callSid = callSid;
    this.#traceId = /^CA[0-9a-f]{32}$/.test(callSid) ? callSid.slice(2) : options.ids.sid("");
    this.effects = new EffectSpans(options.clock, (span) => this.#child(span));
  }

  /** The first frame of an answer is out. */
  turn({ turnMs, decideMs, speakMs, sendMs, roundTripMs }: TurnTimes): void {
    const endMs = this.#options.clock.now();
    this.#child({
      name: "turn",
      startMs: endMs - turnMs,
      endMs,
      failed: false,
      facts: {
        ...(decideMs !== null && { "tandem.turn.decide_ms": decideMs }),
        "tandem.turn.speak_ms": speakMs,
        "tandem.turn.send_ms": sendMs,
        ...(roundTripMs > 0 && { "tandem.turn.round_trip_ms": roundTripMs }),
      },
    });
  }

  tool(tool: ToolName | "unknown", result: ToolResult, sinceMs: number): void {
    const endMs = this.#options.clock.now();
    const facts: SpanFacts = { "tandem.tool.name": tool, "tandem.tool.result": result };
    this.#child({ name: `tool ${tool}`, startMs: sinceMs, endMs, failed: result !== "done", facts });
  }

  /** The call is over. Its span has the whole of it, whichever engines had it. */
  end(startMs: number, facts: SpanFacts): void {
    const endMs = this.#options.clock.now();
    this.#options.exporter.export({
      traceId: this.#traceId,
      spanId: this.#rootId,
      parentId: null,
      name: "call",
      startMs,
      endMs,
      failed: false,
      facts: { ...facts, "tandem.call.sid": this.#callSid },
    });
  }

  get #rootId(): string {
    return this.#traceId.slice(0, SPAN_DIGITS);
  }

  #child(span: ChildSpan): void {
    const { ids, exporter } = this.#options;
    const spanId = ids.sid("").slice(0, SPAN_DIGITS);
    exporter.export({ ...span, traceId: this.#traceId, spanId, parentId: this.#rootId });
  }
}
