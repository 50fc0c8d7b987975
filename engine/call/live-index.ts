/** What is observable of the running calls, for the console, the feed and the metrics. */
import { createStore } from "@xstate/store";
import type { Channel, IncidentOutcome, LadderPhase, PageResult } from "../../machines/ladder.types.ts";

export interface LiveCall {
  readonly callSid: string;
  readonly state: string;
  /** The chart's full state, as XState gives it. */
  readonly value: unknown;
  readonly startedAtMs: number;
  readonly role: "agent" | "coach";
}

/** Where an incident stands, without a number or a URL. */
export interface IncidentFacts {
  readonly number: number;
  readonly phase: LadderPhase;
  readonly walk: number;
  readonly rung: number;
  readonly outcome: IncidentOutcome | null;
  readonly owner: { readonly contact: string; readonly rung: string; readonly channel: Channel } | null;
  /** Those that have changed. */
  readonly pages: readonly {
    readonly label: string;
    readonly channel: Channel;
    readonly contact: string;
    readonly rung: string;
    readonly purpose: "page" | "ring";
    readonly result: PageResult | null;
  }[];
}

/** What the live feed tells its viewers, one JSON text each. */
export type FeedMessage = { readonly callSid: string; readonly at: string } & (
  | { readonly type: "state"; readonly state: string; readonly from: string | null; readonly value: unknown }
  | {
      readonly type: "transcript";
      readonly speaker: string;
      readonly label?: string;
      readonly text: string;
      readonly heardText?: string;
    }
  | { readonly type: "effect"; readonly name: string; readonly outcome: "started" | "done" | "failed" }
  | { readonly type: "incident"; readonly incident: IncidentFacts }
  | { readonly type: "note"; readonly name: string }
);

interface LiveContext {
  readonly calls: Readonly<Record<string, LiveCall>>;
  readonly started: number;
  /** Left by another engine, and gone on with by this one. */
  readonly restored: number;
  readonly ended: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
}

export function createLiveIndex() {
  const context: LiveContext = { calls: {}, started: 0, restored: 0, ended: {}, refused: {} };
  return createStore({
    context,
    on: {
      begun: (now: LiveContext, event: { call: LiveCall }): LiveContext => ({
        ...now,
        calls: { ...now.calls, [event.call.callSid]: event.call },
        started: now.started + 1,
      }),
      restored: (now: LiveContext, event: { call: LiveCall }): LiveContext => ({
        ...now,
        calls: { ...now.calls, [event.call.callSid]: event.call },
        restored: now.restored + 1,
      }),
      moved: (now: LiveContext, event: { call: LiveCall }): LiveContext =>
        now.calls[event.call.callSid] === undefined
          ? now
          : { ...now, calls: { ...now.calls, [event.call.callSid]: event.call } },
      over: (now: LiveContext, event: { callSid: string; reason: string }): LiveContext => {
        const { [event.callSid]: _gone, ...calls } = now.calls;
        return { ...now, calls, ended: { ...now.ended, [event.reason]: (now.ended[event.reason] ?? 0) + 1 } };
      },
      refused: (now: LiveContext, event: { reason: string }): LiveContext => ({
        ...now,
        refused: { ...now.refused, [event.reason]: (now.refused[event.reason] ?? 0) + 1 },
      }),
    },
  });
}

export type LiveIndex = ReturnType<typeof createLiveIndex>;
