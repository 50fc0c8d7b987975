/** How long a caller has heard nobody, and for how long they have been waiting for the AI. */
import type { Clock } from "../ports.ts";

export interface SilenceOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Of what the AI has said: how much is still to be heard. */
  readonly pendingMs: () => number;
}

/** Times are of the monotonic clock; `null`: it is not so. */
export class Silence {
  readonly #options: SilenceOptions;
  #agentEndsAtMs: number | null = null;
  #callerEndedAtMs: number | null = null;
  #callerSpeaks = false;
  /** They have said something that is not answered yet. */
  #unansweredSinceMs: number | null = null;
  /** In the answer that is complete next. */
  #calledTool = false;
  #lineGoneAtMs: number | null = null;
  #modelGoneAtMs: number | null = null;

  constructor(options: SilenceOptions) {
    this.#options = options;
  }

  /** Since the last word of caller or AI; `null` before the first. */
  get silentMs(): number | null {
    if (this.#callerSpeaks || this.#options.pendingMs() > 0) return 0;
    const lastMs = Math.max(this.#agentEndsAtMs ?? -1, this.#callerEndedAtMs ?? -1);
    return lastMs < 0 ? null : Math.max(0, this.#nowMs - lastMs);
  }

  /** For how long the caller waits: for an answer, or for line or model to be there again; 0: they do not. */
  get waitMs(): number {
    if (this.#options.pendingMs() > 0) return 0;
    const since = [this.#unansweredSinceMs, this.#lineGoneAtMs, this.#modelGoneAtMs].map((ms) =>
      ms === null ? 0 : this.#nowMs - ms,
    );
    return Math.max(...since);
  }

  callerSpeaks(speaks: boolean): void {
    this.#callerSpeaks = speaks;
    this.#callerEndedAtMs = this.#nowMs;
    this.#unansweredSinceMs = speaks ? null : this.#nowMs;
  }

  /** The AI has said something, or all of what it was saying. */
  agentSpoke(): void {
    const pendingMs = this.#options.pendingMs();
    if (pendingMs <= 0) return;
    this.#agentEndsAtMs = this.#nowMs + pendingMs;
    this.#unansweredSinceMs = null;
  }

  /** An answer is complete. One without a word is all that a cough gets; after a tool's result another one comes. */
  answered(): void {
    if (!this.#calledTool) this.#unansweredSinceMs = null;
    this.#calledTool = false;
  }

  toolCalled(): void {
    this.#calledTool = true;
  }

  /** Who hears the AI is another from now on: what was said before needs no answer. */
  heardByOthers(): void {
    this.agentCut();
    this.#unansweredSinceMs = null;
  }

  /** What it was saying is not heard any further. */
  agentCut(): void {
    if (this.#agentEndsAtMs !== null) this.#agentEndsAtMs = Math.min(this.#agentEndsAtMs, this.#nowMs);
  }

  line(up: boolean): void {
    this.#lineGoneAtMs = up ? null : this.#nowMs;
    if (!up) this.agentCut();
    this.#unansweredSinceMs = null;
  }

  model(ready: boolean): void {
    // Whoever was speaking to the session before: nobody will say any more that they have stopped.
    if (this.#callerSpeaks) this.callerSpeaks(false);
    if (ready) this.#modelGoneAtMs = null;
    else this.#modelGoneAtMs ??= this.#nowMs;
  }

  get #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}
