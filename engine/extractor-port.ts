/**
 * The port of whoever reads a transcript once a call is over: types only. It is asked for JSON of a given shape,
 * and what it says is checked by whoever asks: it may be wrong, and it may be anything.
 */

/** Why there is no answer; a closed set, without a word of what was asked or answered. */
export type ExtractorProblem =
  | "timeout"
  | "unreachable"
  | "auth_failed"
  | "quota_exceeded"
  | "rate_limited"
  | "server_error"
  | "rejected"
  | "refused"
  | "incomplete"
  | "malformed";

export interface ExtractorRequest {
  readonly instructions: string;
  readonly input: string;
  /** The shape of the answer; `schema` is a JSON Schema whose objects have no other members, all required. */
  readonly format: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> };
}

export interface TokensUsed {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export type ExtractorAnswer =
  | { readonly ok: true; readonly json: unknown; readonly usage: TokensUsed | null }
  /** `status`: of HTTP, or 0 when no answer came. */
  | { readonly ok: false; readonly problem: ExtractorProblem; readonly status: number };

export interface Extractor {
  /** Named in the row. */
  readonly model: string;
  /** One attempt, bounded in time; repeating it is the caller's. Never rejects. `signal` ends it. */
  extract(request: ExtractorRequest, signal?: AbortSignal): Promise<ExtractorAnswer>;
  /** Since start, by what became of them; for metrics. */
  counters(): Readonly<Record<string, number>>;
}
