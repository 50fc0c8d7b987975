import { describe, expect, test } from "bun:test";
import { type AnyActorRef, assign, createActor, fromCallback } from "xstate";
import { getShortestPaths } from "xstate/graph";
import { incidentMachine } from "../../machines/incident.machine.ts";
import type { LadderContext, LadderEvent, LivePage } from "../../machines/ladder.facts.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import type { LadderInput, PageInput, PageState } from "../../machines/ladder.types.ts";
import { Coverage } from "./coverage.ts";
import { runUnderParent, sendWhileActive } from "./host.ts";
import { A, inputOf, policyOf, PORTER, START_MS } from "./ladder.rig.ts";

const INPUT = inputOf({
  policy: policyOf({
    rungs: [
      { name: "primary", contacts: [A] },
      { name: "secondary", contacts: [PORTER] },
    ],
  }),
});
const INPUTS: readonly LadderInput[] = [
  INPUT,
  { ...INPUT, followUp: true },
  { ...INPUT, followUp: true, pauseFirst: true },
];

/** What a page could tell next. */
function updatesOf(page: LivePage): readonly PageState[] {
  const { label, callSid, answered, consult, unsent, result, clear } = page;
  const state = { label, callSid, answered, consult, unsent, result, clear };
  const yes = { accepted: true, acks: page.acks + 1, result: "acknowledged" } as const;
  const no = { accepted: page.accepted, acks: page.acks };
  return page.result === null
    ? [
        { ...state, ...yes, callSid: `CA-${label}`, clear: true },
        { ...state, ...no, result: "declined", clear: false },
        { ...state, ...no, result: "no-answer", clear: true },
      ]
    : [
        { ...state, ...no, clear: true },
        { ...state, ...no, unsent: true, clear: true },
        { ...state, ...yes },
      ];
}

/** Everything that could happen to a ladder next, sensible or not; of its pages, what they tell. */
function possible(context: LadderContext): LadderEvent[] {
  const { nowMs: at, timer, pause, incident } = context;
  const label = incident.owner?.label ?? "human-9";
  const pages = Object.values(context.pages).flatMap((page): LadderEvent[] => [
    ...updatesOf(page).map((state) => ({ type: "page.update", at, page: state }) as const),
    { type: `xstate.error.actor.${page.label}`, actorId: page.label },
    ...(page.clear && page.result !== null
      ? [{ type: `xstate.done.actor.${page.label}`, actorId: page.label } as const]
      : []),
  ]);
  return [
    ...pages,
    { type: "owner.joined", at, label },
    { type: "owner.lost", at, label },
    { type: "ladder.close", at, why: "caller_left" },
    { type: "ladder.close", at, why: "called_off" },
    { type: "deadline", at: timer.dueAtMs, name: "rung", of: "ladder-1" },
    { type: "deadline", at: pause?.dueAtMs ?? at, name: "again", of: "ladder-1" },
    { type: "leg.status", at, label: "human-1", callSid: "CA-human-1", status: "ringing" },
  ];
}

/** What decides which way a ladder can go: not who it is, but how many may still answer, and what is awaited. */
function identity({ value, context }: { readonly value: unknown; readonly context: LadderContext }): string {
  const { incident, acks, next, pause, closing } = context;
  const pages = Object.values(context.pages);
  const open = pages.filter((page) => page.result === null).map((page) => page.channel);
  const unclear = pages.filter((page) => !page.clear).length;
  const { walk, rung, owner } = incident;
  const leg = owner && owner.label !== null;
  return JSON.stringify([value, walk, rung, leg, acks.length, next, pause?.passed, closing, open, unclear]);
}

/** Paths are sought without a parent to report to; they are then run with one, on the machine itself. */
const alone = ladderMachine.provide({
  actions: { tellCall: assign(({ context }) => ({ changesTold: context.changes })) },
});
/** Pages that do nothing: the path says what they tell. */
const run = ladderMachine.provide({
  actors: { page: fromCallback<never, PageInput>(() => undefined) as never },
});

interface Path {
  readonly input: LadderInput;
  readonly events: readonly LadderEvent[];
}

function pathsOf(input: LadderInput): readonly Path[] {
  const seen = new Set<string>();
  const ways = getShortestPaths(alone, {
    input,
    events: (snapshot) => possible(snapshot.context),
    serializeState: (snapshot) => identity(snapshot as never),
    stopWhen: (snapshot) => snapshot.context.nextPage > 5,
    limit: 100_000,
  });
  return ways.flatMap(({ state, steps }) => {
    const events = steps.slice(1).map((step) => step.event as LadderEvent);
    const next = possible(state.context).filter((event) => {
      const key = JSON.stringify([state.value, state.context.incident.owner?.label, { ...event, at: 0 }]);
      return state.status === "active" && !seen.has(key) && seen.add(key);
    });
    return [{ input, events }, ...next.map((event) => ({ input, events: [...events, event] }))];
  });
}

const paths = INPUTS.flatMap(pathsOf);

/** The caller has left, and every page says that it is clear. */
function finish(ladder: AnyActorRef): void {
  sendWhileActive(ladder, { type: "ladder.close", at: START_MS, why: "caller_left" } as LadderEvent);
  const { pages } = ladder.getSnapshot().context as LadderContext;
  for (const page of Object.values(pages)) {
    const state: PageState = { ...page, result: page.result ?? "cancelled", clear: true };
    sendWhileActive(ladder, { type: "page.update", at: START_MS, page: state } as LadderEvent);
  }
}

describe("paths through the ladder machine", () => {
  test("go through every state and every edge, and all lead to an end when the caller leaves", () => {
    const coverage = new Coverage(ladderMachine);
    const stuck = paths.filter(({ input, events }) => {
      const ladder = runUnderParent(run, input, events, coverage.inspect);
      finish(ladder);
      return ladder.getSnapshot().status !== "done";
    });
    process.stdout.write(`${coverage.report()}\n`);
    expect(coverage.missing).toEqual([]);
    expect(stuck.map(({ events }) => events.map((event) => event.type))).toEqual([]);
    expect(paths.length).toBeGreaterThan(1000);
  });
});

describe("paths through the machine of an incident without a call", () => {
  test("go through every state and every edge", () => {
    const coverage = new Coverage(incidentMachine);
    const input = { ...INPUT, followUp: true, pauseFirst: true };
    const close = { type: "op.hangup", at: START_MS } as const;
    const called = { type: "deadline", at: START_MS + 600_000, name: "again", of: "ladder-1" } as const;
    const ended = createActor(incidentMachine, { input, inspect: coverage.inspect }).start();
    ended.send(called);
    ended.send(close);
    for (const each of ["human-1", "sms-2"]) {
      const name = each === "human-1" ? "page.call" : "page.sms";
      const id = `${input.callSid}/${each}/1/${name}`;
      const head = { at: START_MS, id, name, label: each };
      ended.send({ type: "effect.failed", ...head, code: 0, status: 500, message: "no" });
    }
    expect(ended.getSnapshot()).toMatchObject({
      status: "done",
      context: { incident: { outcome: "called_off" } },
    });

    const broken = fromCallback<never, LadderInput>(() => {
      throw new Error("broken");
    }) as never;
    const failed = createActor(incidentMachine.provide({ actors: { ladder: broken } }), {
      input,
      inspect: coverage.inspect,
    }).start();
    expect(failed.getSnapshot().status).toBe("done");
    process.stdout.write(`${coverage.report()}\n`);
    expect(coverage.missing).toEqual([]);
  });
});
