/** What the parent process and the load generator say to each other: one JSON object a line. */
import type { Distribution } from "./distribution.ts";
import type { AudioFormat } from "./model-line.ts";

/**
 * `echo`: the model sends the caller's audio straight back. `speech`: model and caller talk. `bounce`: there is no
 * model, the system itself sends back what it gets.
 */
export type Mode = "echo" | "speech" | "bounce";

export interface Offer {
  readonly calls: number;
  readonly target: Target;
}

/** On the generator's command line, as JSON. */
export interface GeneratorOptions {
  readonly mode: Mode;
  /** What the model speaks until a `session.update` says otherwise. */
  readonly format: AudioFormat;
  readonly seed: number;
  /** Share of the marks that the carrier plays and never returns, from 0 to 1. Default 0. */
  readonly lostMarks?: number;
}

/** The generator's first line. */
export interface GeneratorReady {
  readonly modelPort: number;
  readonly restPort: number;
}

/** A system under test: a bare Media Streams endpoint, or one that wants calls as Twilio makes them. */
export type Target =
  { readonly kind: "stream"; readonly port: number } | { readonly kind: "twilio"; readonly origin: string };

export type Command =
  /** Adds calls, one after the other. */
  | { readonly op: "start"; readonly calls: number; readonly target: Target }
  /** Lets run out what has piled up in the system, and goes on for a while. */
  | { readonly op: "settle"; readonly settleMs: number }
  /** Measures with the calls that there are, from this moment on, while others may be offered. */
  | { readonly op: "window"; readonly windowMs: number; readonly offer: Offer | null }
  /** Ends all calls, the newest first. */
  | { readonly op: "hangUp" }
  /** Keeps `calls` calls alive, each for a while, with everything that happens to calls. */
  | { readonly op: "churn"; readonly target: Target; readonly plan: ChurnPlan };

export interface ChurnPlan {
  readonly durationMs: number;
  readonly calls: number;
  readonly minCallMs: number;
  readonly maxCallMs: number;
  /** Shares from 0 to 1: of calls that the agent ends, and that lose a socket on their way. */
  readonly agentEnds: number;
  readonly socketDrops: number;
}

export interface Started {
  readonly started: number;
  /** The system said that it takes no more. */
  readonly refused: number;
  readonly failed: number;
  /** Calls that are up now. */
  readonly live: number;
  /** Why the first one failed. */
  readonly problem: string | null;
}

export interface Window {
  readonly calls: number;
  /** Ended without being asked to, or got less than nine tenths of its audio back. */
  readonly failedCalls: number;
  readonly windowMs: number;
  readonly framesOut: number;
  readonly framesIn: number;
  /** Came back as something else than was sent. */
  readonly garbled: number;
  /** Carrier → system → model → system → carrier, of each frame that came back. Echo only. */
  readonly latencyMs: Distribution;
  /** The generator's own. */
  readonly latenessMs: Distribution;
  readonly speech: SpeechWindow | null;
  readonly offered: Started | null;
}

/** What barge-ins were like: the caller begins to speak while the model is heard. */
export interface SpeechWindow {
  readonly bargeIns: number;
  /** From the model's `speech_started` to the `clear` at the carrier. */
  readonly clearMs: Distribution;
  /** Between what the model was told that was heard, and what was. */
  readonly truncationErrorMs: Distribution;
  /** Barge-ins without a `clear`, without a truncation, and audio that came after the `clear`. */
  readonly withoutClear: number;
  readonly withoutTruncation: number;
  readonly staleMs: number;
  readonly turns: number;
}

export interface Churned {
  readonly started: number;
  readonly refused: number;
  readonly failed: number;
  readonly endedByCaller: number;
  readonly endedByAgent: number;
  readonly droppedModelSockets: number;
  readonly droppedStreams: number;
  readonly bargeIns: number;
  readonly framesOut: number;
  readonly framesIn: number;
  /** Every call that was let in. */
  readonly callSids: readonly string[];
  readonly problem: string | null;
}

export type Answer =
  { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly problem: string };
