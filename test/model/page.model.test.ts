import { describe, expect, test } from "bun:test";
import { type AnyActorRef, assign } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { type PageContext, type PageEvent, pageState } from "../../machines/page.facts.ts";
import { pageMachine } from "../../machines/page.machine.ts";
import { CHANNELS, type Channel, type PageInput } from "../../machines/ladder.types.ts";
import { Coverage } from "./coverage.ts";
import { runUnderParent, sendWhileActive } from "./host.ts";
import { CALL_SID, START_MS } from "./ladder.rig.ts";

function inputOf(channel: Channel): PageInput {
  const label = channel === "voice" ? "human-1" : `${channel}-1`;
  const place = { rung: 0, contact: 0, rungName: "primary", contactName: "nurse", walk: 1 } as const;
  const times = { startedAtMs: START_MS, endedAtMs: null, result: null } as const;
  return {
    callSid: CALL_SID,
    incident: 1,
    record: { label, channel, purpose: "page", ...place, ...times },
    to: "+15550100",
    atMs: START_MS,
    ringTimeoutMs: 30_000,
    briefingTimeoutMs: 90_000,
    joinTimeoutMs: 10_000,
  };
}

/** Everything that its ladder could hand on to a page, sensible or not. */
function possible(context: PageContext): PageEvent[] {
  const { label, timer, nowMs: at, endingId } = context;
  const leg = { type: "leg.status", at, label, callSid: "CA-x" } as const;
  const human = { type: "human.answered", at, label } as const;
  const request = context.record.channel === "voice" ? "page.call" : `page.${context.record.channel}`;
  const asked = { at, id: `${CALL_SID}/${label}/1/${request}`, name: request, label };
  const ending = { at, id: endingId ?? "none", name: endingId?.split("/").at(-1) ?? "none", label };
  const trouble = { code: 0, status: 500, message: "no" };
  const cancel = { type: "page.cancel", at, by: null } as const;
  return [
    { type: "effect.done", ...asked, callSid: "CA-x" },
    { type: "effect.done", ...asked, callSid: null },
    { type: "effect.failed", ...asked, ...trouble },
    { type: "effect.done", ...ending },
    { type: "effect.failed", ...ending, ...trouble },
    { ...leg, status: "ringing" },
    { ...leg, status: "in-progress" },
    { ...leg, status: "busy" },
    { ...leg, status: "completed" },
    { ...human, answer: "accepted" },
    { ...human, answer: "consult" },
    { ...human, answer: "declined" },
    { ...human, answer: "voicemail" },
    { type: "page.acknowledged", at, label },
    { type: "page.declined", at, label },
    { ...cancel, why: "handled" },
    { ...cancel, why: "window" },
    { ...cancel, why: "declined" },
    { ...cancel, why: "caller_left" },
    { type: "deadline", at: timer.dueAtMs, name: "page", of: label },
  ];
}

function identity({ value, context }: { readonly value: unknown; readonly context: PageContext }): string {
  const { request, status, result, cancelled, over, hangUps, legSid, acks } = context;
  return JSON.stringify([value, request, status, result, cancelled?.why, over, hangUps, legSid, acks > 0]);
}

/** Paths are sought without a parent to report to; they are then run with one, on the machine itself. */
const alone = pageMachine.provide({
  actions: { tellLadder: assign(({ context }) => ({ told: pageState(context) })) },
});

interface Path {
  readonly channel: Channel;
  readonly events: readonly PageEvent[];
}

/** The shortest way to every state, and from each everything that can happen next. */
function pathsOf(channel: Channel): readonly Path[] {
  const seen = new Set<string>();
  const ways = getShortestPaths(alone, {
    input: inputOf(channel),
    events: (snapshot) => possible(snapshot.context),
    serializeState: (snapshot) => identity(snapshot as never),
    limit: 100_000,
  });
  return ways.flatMap(({ state, steps }) => {
    const events = steps.slice(1).map((step) => step.event as PageEvent);
    const next = possible(state.context).filter((event) => {
      const key = JSON.stringify([state.value, state.context.status, { ...event, at: 0 }]);
      return state.status === "active" && !seen.has(key) && seen.add(key);
    });
    return [{ channel, events }, ...next.map((event) => ({ channel, events: [...events, event] }))];
  });
}

const paths = CHANNELS.flatMap(pathsOf);

/** The incident is over, and nothing comes any more but deadlines. */
function finish(page: AnyActorRef, label: string): void {
  const close: PageEvent = { type: "page.cancel", at: START_MS, why: "caller_left", by: null };
  sendWhileActive(page, close);
  for (let turn = 0; turn < 8; turn++) {
    const at = (page.getSnapshot().context as PageContext).timer.dueAtMs;
    sendWhileActive(page, { type: "deadline", at, name: "page", of: label } as PageEvent);
  }
}

describe("paths through the page machine", () => {
  test("go through every state and every edge, and all lead to an end by deadlines alone", () => {
    const coverage = new Coverage(pageMachine);
    const stuck = paths.filter(({ channel, events }) => {
      const page = runUnderParent(pageMachine, inputOf(channel), events, coverage.inspect);
      finish(page, inputOf(channel).record.label);
      return page.getSnapshot().status !== "done";
    });
    process.stdout.write(`${coverage.report()}\n`);
    expect(coverage.missing).toEqual([]);
    expect(stuck.map(({ events }) => events.map((event) => event.type))).toEqual([]);
    expect(paths.length).toBeGreaterThan(1000);
  });
});
