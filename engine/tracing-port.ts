/** The port of whoever takes the spans of calls: types only. */

/** All that a span may tell: closed sets, counts, times and ids. Nobody's words, numbers or names. */
export interface SpanFacts {
  readonly "tandem.call.sid"?: string;
  /** The deployment's name of it. */
  readonly "tandem.call.agent"?: string;
  readonly "tandem.call.end_reason"?: string;
  /** How often another engine has gone on with the call. */
  readonly "tandem.call.restarts"?: number;
  readonly "tandem.turn.decide_ms"?: number;
  readonly "tandem.turn.speak_ms"?: number;
  readonly "tandem.turn.send_ms"?: number;
  readonly "tandem.turn.round_trip_ms"?: number;
  readonly "tandem.tool.name"?: string;
  readonly "tandem.tool.result"?: string;
  readonly "tandem.effect.name"?: string;
  readonly "tandem.effect.result"?: "done" | "failed" | "dead";
  /** How often it was begun, by this engine or the one before. */
  readonly "tandem.effect.attempts"?: number;
  /** Of a failure: the carrier's code, and the status of HTTP. */
  readonly "tandem.effect.code"?: number;
  readonly "tandem.effect.status"?: number;
}

/** A span that has ended. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly parentId: string | null;
  readonly name: string;
  /** Epoch milliseconds, with a fraction. */
  readonly startMs: number;
  readonly endMs: number;
  readonly failed: boolean;
  readonly facts: SpanFacts;
}

export interface SpanExporter {
  /** Takes it at once and sends it later; never throws. A full queue refuses the newest, and counts it. */
  export(span: Span): void;
  counters(): Readonly<Record<"exported" | "overflowed" | "failed", number>>;
  /** Sends what waits, and no more after it; whoever must not wait for long bounds it. Never rejects. */
  close(): Promise<void>;
}
