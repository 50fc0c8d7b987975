/** The shortest paths of `xstate/graph` to the edges of a phone's page, of what can really happen to one. */
import { assign, initialTransition, transition } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { type PageContext, type PageEvent, pageState } from "../../../machines/page.facts.ts";
import { pageMachine } from "../../../machines/page.machine.ts";
import type { PageInput } from "../../../machines/ladder.types.ts";
import { edgesIn, marked } from "../call-coverage.ts";
import { CALL_SID, START_MS } from "../ladder.rig.ts";
import { NURSE } from "./setting.ts";

export const LABEL = "human-1";
export const RING_MS = 5000;

const INPUT: PageInput = {
  callSid: CALL_SID,
  incident: 1,
  record: {
    label: LABEL,
    channel: "voice",
    purpose: "page",
    rung: 0,
    contact: 0,
    rungName: "rung 0",
    contactName: "nurse",
    walk: 1,
    startedAtMs: START_MS,
    endedAtMs: null,
    result: null,
  },
  to: NURSE.voice,
  atMs: START_MS,
  ringTimeoutMs: RING_MS,
  briefingTimeoutMs: 90_000,
  joinTimeoutMs: 10_000,
};

/**
 * What can really happen to a phone's page next: nobody presses a key before they pick up, and a request is
 * answered, or taken back, within a few seconds.
 */
function possible(context: PageContext): PageEvent[] {
  return context.request === "asked" && context.result !== null
    ? answers(context)
    : [...answers(context), ...news(context), ...others(context), ...endings(context)];
}

const TROUBLE = { code: 0, status: 400, message: "no" } as const;

/** To the request for the call. One that had no time for it has not been sent, and is taken back. */
function answers({ nowMs: at, request, status, result }: PageContext): PageEvent[] {
  const asked = { at, id: `${CALL_SID}/${LABEL}/1/page.call`, name: "page.call", label: LABEL };
  if (request !== "asked") return [];
  const failed: PageEvent = { type: "effect.failed", ...asked, ...TROUBLE };
  if (result === "failed") return [failed];
  const done: PageEvent = { type: "effect.done", ...asked, callSid: "CA-x" };
  return status === "asked" && result === null
    ? [done, { ...done, callSid: null }, failed]
    : status === "asked"
      ? [done, failed]
      : [done];
}

/** What is heard of the phone, and of its person; of one that rang out, or is being hung up, nothing more. */
function news({ nowMs: at, status, result, hangUps }: PageContext): PageEvent[] {
  const leg = { type: "leg.status", at, label: LABEL, callSid: "CA-x" } as const;
  const human = { type: "human.answered", at, label: LABEL } as const;
  if (status === "gone" || result === "no-answer" || result === "failed" || hangUps > 0) return [];
  if (status !== "answered") {
    const up: PageEvent[] = [
      { ...leg, status: "in-progress" },
      { ...leg, status: "busy" },
    ];
    return status === "ringing" ? up : [{ ...leg, status: "ringing" }, ...up];
  }
  const keys: PageEvent[] = [
    { ...human, answer: "accepted" },
    { ...human, answer: "declined" },
  ];
  return [{ ...leg, status: "completed" }, ...(result === null ? keys : [])];
}

/** What others do, and time. */
function others({ nowMs: at, timer, result, request, status }: PageContext): PageEvent[] {
  const due: PageEvent = { type: "deadline", at: timer.dueAtMs, name: "page", of: LABEL };
  // A request that was sent is answered before.
  const deadline = request === "asked" && status !== "asked" ? [] : [due];
  const cancelled = (["handled", "window", "declined"] as const).map((why): PageEvent => ({
    type: "page.cancel",
    at,
    by: null,
    why,
  }));
  return result === null ? [...deadline, ...cancelled] : deadline;
}

/** Answers to the request that ends the call. */
function endings({ nowMs: at, endingId, endingFailed }: PageContext): PageEvent[] {
  if (endingId === null || endingFailed) return [];
  const name = endingId.split("/").at(-1) ?? "";
  const ending = { at, id: endingId, name, label: LABEL };
  const failed: PageEvent = { type: "effect.failed", ...ending, ...TROUBLE };
  return name === "page.hangUp" ? [{ type: "effect.done", ...ending }, failed] : [failed];
}

/** Naming its edges, and without a parent to report to. */
const machine = marked(
  pageMachine.provide({
    actions: { tellLadder: assign(({ context }) => ({ told: pageState(context) })) },
  }),
);
type Snapshot = ReturnType<typeof initialTransition<typeof machine>>[0];

export interface PagePath {
  readonly name: string;
  /** Each event, and the state that it leads to. */
  readonly steps: readonly { readonly event: PageEvent; readonly value: unknown }[];
}

function take(from: Snapshot, event: PageEvent): readonly [Snapshot, readonly string[]] {
  const [to, actions] = transition(machine, from, event as never);
  return [to as Snapshot, edgesIn(actions as never)];
}

/** Shortest paths that together go through every edge, and have every event in every state, that there is a path to. */
export function pagePaths(): readonly PagePath[] {
  const logic = { transition: (from: Snapshot, event: PageEvent): Snapshot => take(from, event)[0] };
  const [fromState] = initialTransition(machine, INPUT as never);
  const ways = getShortestPaths(logic as never, {
    fromState: fromState as never,
    events: ((state: Snapshot) => (state.status === "active" ? possible(state.context) : [])) as never,
    serializeState: ((state: Snapshot) => identity(state)) as never,
    limit: 20_000,
  });
  const known = new Set<string>();
  const paths = new Map<string, PagePath>();
  for (const way of ways.toSorted((a, b) => a.steps.length - b.steps.length)) {
    const events = way.steps.slice(1).map((step) => step.event as unknown as PageEvent);
    const { status, context } = way.state as unknown as Snapshot;
    for (const next of status === "active" ? possible(context) : []) {
      const { path, shows } = walk(fromState as Snapshot, [...events, next]);
      if (shows.some((key) => !known.has(key))) paths.set(path.name, path);
      for (const key of shows) known.add(key);
    }
  }
  return [...paths.values()];
}

/** The path of these events; `shows`: keys of its edges, and which event it has in which state. */
function walk(
  start: Snapshot,
  events: readonly PageEvent[],
): { readonly path: PagePath; readonly shows: readonly string[] } {
  let snapshot = start;
  const shows: string[] = [];
  const steps = events.map((event) => {
    shows.push(`${JSON.stringify(snapshot.value)} ${nameOf(event)}`);
    const [to, edges] = take(snapshot, event);
    shows.push(...edges);
    snapshot = to;
    return { event, value: to.value as unknown };
  });
  return { path: { name: events.map(nameOf).join(", "), steps }, shows };
}

function identity({ value, context }: Snapshot): string {
  const { request, status, result, cancelled, hangUps, legSid, acks } = context;
  return JSON.stringify([value, request, status, result, cancelled?.why, hangUps, legSid, acks > 0]);
}

export function nameOf(event: PageEvent): string {
  switch (event.type) {
    case "effect.done":
      return `${event.name} done${event.callSid === null ? " without a sid" : ""}`;
    case "effect.failed":
      return `${event.name} failed`;
    case "leg.status":
      return event.status;
    case "human.answered":
      return event.answer;
    case "page.cancel":
      return `cancelled: ${event.why}`;
    default:
      return event.type;
  }
}
