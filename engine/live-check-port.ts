/**
 * The port of what `bun run preflight --live` asks of the world outside: types only. What is asked changes nothing.
 */

export interface LiveFinding {
  /** `mistake`: calls would fail. */
  readonly level: "ok" | "warning" | "mistake";
  /** One sentence, without secrets and phone numbers. */
  readonly text: string;
  /** For what is not `ok`. */
  readonly fix?: string;
}

export interface LiveCheck {
  readonly part: "carrier" | "model" | "store";
  /** May reject, which counts as a mistake. `signal` ends it when it takes too long. */
  run(signal: AbortSignal): Promise<readonly LiveFinding[]>;
}
