/** All that the page knows of what is live: what the feed tells, and what its user has chosen. Pure. */
import { createStore } from "@xstate/store";
import type { About } from "../about.ts";
import type { CallView, DeltaMessage, IncidentView, SnapshotMessage } from "../protocol.ts";
import type { Who } from "../who.ts";

export type Session = Who & About;

/**
 * - `connecting`: for the first time.
 * - `live`: what is shown is what is.
 * - `lost`: what is shown was so at `sinceMs`; it is tried again.
 * - `refused`: this engine lets nobody in from here, and says why.
 */
export type Link =
  | { readonly is: "connecting" | "live" }
  | { readonly is: "lost"; readonly sinceMs: number }
  | { readonly is: "refused"; readonly why: string };

export interface Filter {
  readonly text: string;
  /** Only calls in this state; `null`: all. */
  readonly state: string | null;
}

export interface PageState {
  readonly session: Session | null;
  readonly signedOut: boolean;
  readonly link: Link;
  /** What has to be added to this machine's clock to get the engine's. */
  readonly clockOffsetMs: number;
  readonly calls: Readonly<Record<string, CallView>>;
  readonly incidents: Readonly<Record<string, IncidentView>>;
  /** Deltas that the engine has left out for us, all together. */
  readonly missed: number;
  /** Counts the calls that have ended since the page was opened: the list of those that are over is old then. */
  readonly endings: number;
  readonly filter: Filter;
}

const initial: PageState = {
  session: null,
  signedOut: false,
  link: { is: "connecting" },
  clockOffsetMs: 0,
  calls: {},
  incidents: {},
  missed: 0,
  endings: 0,
  filter: { text: "", state: null },
};

const keyOf = ({ callSid, number }: IncidentView): string => `${callSid}/${number}`;

function withSnapshot(state: PageState, { message, atMs }: { message: SnapshotMessage; atMs: number }) {
  return {
    ...state,
    link: { is: "live" } as Link,
    clockOffsetMs: message.nowMs - atMs,
    calls: Object.fromEntries(message.calls.map((call) => [call.callSid, call])),
    incidents: Object.fromEntries(message.incidents.map((incident) => [keyOf(incident), incident])),
    missed: state.missed + message.missed,
    endings: state.endings + 1,
  };
}

function withDelta(state: PageState, { message }: { message: DeltaMessage }): PageState {
  const { calls, gone, incidents, closed } = message;
  return {
    ...state,
    calls: calls.length + gone.length === 0 ? state.calls : withCalls(state.calls, calls, gone),
    incidents:
      incidents.length + closed.length === 0
        ? state.incidents
        : withIncidents(state.incidents, incidents, closed),
    endings: state.endings + (gone.length > 0 ? 1 : 0),
  };
}

function withCalls(
  before: PageState["calls"],
  changes: DeltaMessage["calls"],
  gone: readonly string[],
): PageState["calls"] {
  const calls: Record<string, CallView> = { ...before };
  for (const change of changes) {
    const known = calls[change.callSid];
    // A change of a call that is not known is one whose beginning was missed: the next snapshot has it.
    if (known) calls[change.callSid] = { ...known, ...change };
    else if (isWhole(change)) calls[change.callSid] = change;
  }
  for (const callSid of gone) delete calls[callSid];
  return calls;
}

function isWhole(change: DeltaMessage["calls"][number]): change is CallView {
  return change.now !== undefined && change.room !== undefined && change.startedAtMs !== undefined;
}

function withIncidents(
  before: PageState["incidents"],
  changed: readonly IncidentView[],
  closed: readonly string[],
): PageState["incidents"] {
  const incidents: Record<string, IncidentView> = { ...before };
  for (const incident of changed) incidents[keyOf(incident)] = incident;
  for (const key of closed) delete incidents[key];
  return incidents;
}

export function createPageStore() {
  return createStore({
    context: initial,
    on: {
      signedIn: (state, event: { session: Session }): PageState => ({
        ...state,
        session: event.session,
        signedOut: false,
      }),
      signedOut: (state): PageState => ({ ...initial, filter: state.filter, signedOut: true }),
      snapshot: withSnapshot,
      delta: withDelta,
      lost: (state, event: { atMs: number }): PageState =>
        state.link.is === "live" ? { ...state, link: { is: "lost", sinceMs: event.atMs } } : state,
      refused: (state, event: { why: string }): PageState => ({
        ...state,
        link: { is: "refused", why: event.why },
      }),
      filter: (state, event: { filter: Partial<Filter> }): PageState => ({
        ...state,
        filter: { ...state.filter, ...event.filter },
      }),
    },
  });
}

/** Whether anything was told: that nothing is live is not known before. */
export function isKnown({ link }: Pick<PageState, "link">): boolean {
  return link.is === "live" || link.is === "lost";
}

/** Newest first, as the filter says. */
export function shownCalls({ calls, filter }: Pick<PageState, "calls" | "filter">): readonly CallView[] {
  const text = filter.text.trim().toLowerCase();
  return Object.values(calls)
    .filter(({ now }) => filter.state === null || now.state === filter.state)
    .filter((call) => text === "" || wordsOf(call).includes(text))
    .sort((a, b) => b.startedAtMs - a.startedAtMs || (a.callSid < b.callSid ? 1 : -1));
}

function wordsOf({ callSid, from, now, room }: CallView): string {
  return [callSid, from, now.state, now.role, ...room.map(({ label }) => label)].join(" ").toLowerCase();
}

/** How many calls are in each state, the top ones as well as those inside, by the ids of the drawing. */
export function countsByState(calls: PageState["calls"]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { now } of Object.values(calls)) {
    for (const id of activeIds("call", now.value)) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

/** Ids of the states that a machine is in, by its value: `call.escalating`, `call.escalating.ladder`, … */
export function activeIds(machine: string, value: unknown): string[] {
  if (typeof value === "string") return [`${machine}.${value}`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const id = `${machine}.${name}`;
    return [id, ...activeIds(id, inner)];
  });
}

/** Whether the call is over, and somebody is still sought for its caller. */
export function isFollowed({ incidents }: Pick<PageState, "incidents">, callSid: string): boolean {
  return Object.values(incidents).some((incident) => incident.callSid === callSid && incident.following);
}

/** Those that need somebody first, then the newest. */
export function shownIncidents(incidents: PageState["incidents"]): readonly IncidentView[] {
  const isOpen = ({ phase }: IncidentView): number => (phase === "owned" || phase === "over" ? 1 : 0);
  return Object.values(incidents).sort((a, b) => isOpen(a) - isOpen(b) || b.openedAtMs - a.openedAtMs);
}
