/** What happens in one world, as data: made from a seed, kept as JSON, made smaller by leaving parts out. */
import type { Channel } from "../../machines/ladder.types.ts";
import type { CallerLine, HumanLine } from "./voices.ts";

/** What a caller and the operator of their call do; `atMs` is virtual time since that caller dialled. */
export type Act = { readonly atMs: number } & (
  | { readonly do: "say"; readonly line: CallerLine; readonly ms: number }
  | { readonly do: "hangUp" }
  | { readonly do: "command"; readonly command: Readonly<Record<string, unknown>> }
);

export interface CallerPlan {
  /** When they dial. */
  readonly atMs: number;
  readonly acts: readonly Act[];
  /** When they hang up, if they are still there; since they dialled. */
  readonly endMs: number;
}

/** What a person does in a call that reached them; `afterMs` counts from the answer, or the step before. */
export type Step = { readonly afterMs: number } & (
  | { readonly do: "press"; readonly key: string }
  | { readonly do: "say"; readonly line: HumanLine; readonly ms: number }
  | { readonly do: "hangUp" }
);

/** How one ringing of a phone goes. */
export interface Reaction {
  readonly outcome: "answer" | "ignore" | "decline" | "busy" | "voicemail";
  readonly afterMs: number;
  readonly steps: readonly Step[];
}

/**
 * What is done about one text or push; `afterMs` counts from its arrival, or the step before. A reply may name
 * the incident by its code; a link is looked at (by a preview, say), accepted or declined.
 */
export type Reply = { readonly afterMs: number } & (
  | { readonly do: "reply"; readonly body: string; readonly named: boolean }
  | { readonly do: "look" | "accept" | "decline" }
);

/** By how often it has happened: the first, the second … Further ones are ignored. */
export interface Person {
  readonly rings: readonly Reaction[];
  readonly texts: readonly (readonly Reply[])[];
  readonly pushes: readonly (readonly Reply[])[];
}

export interface ContactPlan {
  /** Index of the person. One person may stand on several rungs. */
  readonly person: number;
  readonly channels: readonly Channel[];
}

export interface Ladder {
  readonly rungs: readonly (readonly ContactPlan[])[];
  readonly ackTimeoutMs: number;
  readonly repeat: number;
  readonly againAfterMs: number;
  readonly afterHandover: "coach" | "remove";
}

export type Fault = { readonly atMs: number; readonly forMs: number } & (
  | {
      readonly kind: "callbacks";
      readonly dropRate: number;
      readonly duplicateRate: number;
      readonly delayMs: readonly [number, number];
    }
  | {
      readonly kind: "rest";
      readonly status: number;
      readonly phase: "before" | "after";
      readonly times: number;
      readonly match: string;
    }
  | {
      readonly kind: "restTimeout";
      readonly phase: "before" | "after";
      readonly times: number;
      readonly match: string;
    }
  | { readonly kind: "mediaDrop" }
  | { readonly kind: "mediaStall"; readonly stallMs: number }
  | { readonly kind: "modelDrop" }
  | { readonly kind: "modelRefuse"; readonly times: number }
  | { readonly kind: "modelSlow"; readonly firstAudioDelayMs: number }
  | { readonly kind: "marksLost"; readonly rate: number }
  | { readonly kind: "texts"; readonly status: "undelivered" | "failed"; readonly times: number }
  | { readonly kind: "pushes"; readonly status: number; readonly times: number }
  | { readonly kind: "webhookLost"; readonly match: string; readonly phase: "before" | "after" }
);

/** What an engine does by which its end is timed: see {@link Crash}. */
export const MOMENTS = ["written", "committed", "sent", "answered", "asked"] as const;

/**
 * An engine ends, and another begins on the same store. With `on` it ends when it does so for the `nth` time since
 * it began, and then `afterMs` later; at `byMs` at the latest, since it began.
 */
export interface Crash {
  readonly how: "kill" | "term";
  readonly byMs: number;
  readonly on: {
    /**
     * - `written`: what it writes is not committed yet;
     * - `committed`: it is, and the engine does not know yet;
     * - `sent`: a request of its own is on its way;
     * - `answered`: the answer has come, and is not looked at yet;
     * - `asked`: somebody asks the engine.
     */
    readonly moment: (typeof MOMENTS)[number];
    /** Part of an entry's state and name, or of an address. */
    readonly match: string;
    readonly nth: number;
    readonly afterMs: number;
  } | null;
  /** How long nobody is there. */
  readonly downMs: number;
  /** After SIGTERM: how long calls may go on, and when it is sent again. */
  readonly drainMs: number;
  readonly againMs: number | null;
}

export interface Plan {
  /** Of what is left to chance while it runs: latencies, ids, jitter. */
  readonly seed: number;
  readonly ladder: Ladder;
  readonly recording: "none" | "leg" | "conference";
  readonly callsPerSecond: number;
  /** One way, the least and the most. */
  readonly latencyMs: readonly [number, number];
  /** One or two. */
  readonly callers: readonly CallerPlan[];
  readonly people: readonly Person[];
  readonly faults: readonly Fault[];
  /** In this order. Without: the first engine of a world is its last. */
  readonly crashes?: readonly Crash[];
}

export const PEOPLE = 4;
export const CALLERS = ["+15550142", "+15550143"] as const;
export const PUSH_PORT = 9100;

/** By phone and by text. */
export const numberOf = (person: number): string => `+1555010${person}`;
export const nameOf = (person: number): string => `person ${person}`;
export const pushUrlOf = (person: number): string => `http://127.0.0.1:${PUSH_PORT}/push/${person}`;
export const personWith = (number: string): number => Number(number.slice("+1555010".length));
