import { describe, expect, test } from "bun:test";
import {
  activeIds,
  countsByState,
  createPageStore,
  shownCalls,
  shownIncidents,
} from "../../../engine/console/app/store.ts";
import type { CallView, IncidentView } from "../../../engine/console/protocol.ts";

const callView = (callSid: string, state: string, startedAtMs = 1): CallView => ({
  callSid,
  startedAtMs,
  from: "+15550177",
  now: { state, value: { [state]: "live" }, role: "agent", model: "ready", onHold: false },
  room: [{ label: "caller", kind: "caller", status: "joined", muted: false, coaches: null }],
  turn: null,
  levels: null,
});

const incidentView = (callSid: string, phase: IncidentView["phase"], openedAtMs: number): IncidentView => ({
  callSid,
  number: 1,
  by: "ai",
  reason: null,
  urgency: "normal",
  phase,
  walk: 1,
  rung: 0,
  openedAtMs,
  nextAtMs: null,
  outcome: null,
  endedAtMs: null,
  following: false,
  owner: null,
  pages: [],
  morePages: 0,
});

const nothing = { calls: [], gone: [], incidents: [], closed: [] } as const;

function started(calls: readonly CallView[] = []) {
  const store = createPageStore();
  const message = { type: "snapshot", nowMs: 5_000, missed: 0, calls, incidents: [] } as const;
  store.trigger.snapshot({ message, atMs: 4_000 });
  const delta = (change: object): void =>
    store.trigger.delta({ message: { type: "delta", nowMs: 6_000, ...nothing, ...change } });
  return { store, delta, page: () => store.getSnapshot().context };
}

describe("the page's store", () => {
  test("knows after a snapshot what is live, and how far the clocks are apart", () => {
    const { page } = started([callView("CA1", "streaming")]);
    expect(page()).toMatchObject({ link: { is: "live" }, clockOffsetMs: 1_000 });
    expect(Object.keys(page().calls)).toEqual(["CA1"]);
  });

  test("changes of a call what a delta names, and keeps the rest", () => {
    const { delta, page } = started([callView("CA1", "streaming")]);
    delta({ calls: [{ callSid: "CA1", levels: [-24, -60] }] });
    expect(page().calls["CA1"]).toEqual({ ...callView("CA1", "streaming"), levels: [-24, -60] });
  });

  test("takes new calls, lets those go that are over, and ignores changes of unknown ones", () => {
    const { delta, page } = started([callView("CA1", "streaming")]);
    const { endings } = page();
    delta({ calls: [callView("CA2", "arriving"), { callSid: "CA3", levels: [-3, -3] }], gone: ["CA1"] });
    expect(Object.keys(page().calls)).toEqual(["CA2"]);
    expect(page().endings).toBe(endings + 1);
  });

  test("leaves what a delta does not touch as the same object, so that nothing is drawn anew", () => {
    const { delta, page } = started([callView("CA1", "streaming")]);
    const { calls } = page();
    delta({ incidents: [incidentView("CA1", "paging", 1)] });
    expect(page().calls).toBe(calls);
    delta({ closed: ["CA1/1"] });
    expect(page().incidents).toEqual({});
  });

  test("replaces everything by the next snapshot, and counts what was missed", () => {
    const { store, page } = started([callView("CA1", "streaming")]);
    const calls = [callView("CA9", "coaching")];
    const message = { type: "snapshot", nowMs: 1, missed: 7, calls, incidents: [] } as const;
    store.trigger.snapshot({ message, atMs: 1 });
    expect(Object.keys(page().calls)).toEqual(["CA9"]);
    expect(page().missed).toBe(7);
  });

  test("says since when it is not connected, however often it is tried again", () => {
    const { store, page } = started([callView("CA1", "streaming")]);
    store.trigger.lost({ atMs: 100 });
    store.trigger.lost({ atMs: 200 });
    expect(page().link).toEqual({ is: "lost", sinceMs: 100 });
    expect(Object.keys(page().calls)).toEqual(["CA1"]);
  });

  test("forgets what it knew when its user has signed out", () => {
    const { store, page } = started([callView("CA1", "streaming")]);
    store.trigger.signedOut();
    expect(page()).toMatchObject({ signedOut: true, calls: {}, session: null });
  });
});

describe("what is shown", () => {
  const calls = {
    CA1: callView("CA1", "streaming", 1),
    CA2: { ...callView("CA2", "coaching", 3), from: "+15550188" },
    CA3: callView("CA3", "streaming", 2),
  };

  test("is filtered by state and by text, newest first", () => {
    const shown = (text: string, state: string | null) =>
      shownCalls({ calls, filter: { text, state } }).map(({ callSid }) => callSid);
    expect(shown("", null)).toEqual(["CA2", "CA3", "CA1"]);
    expect(shown("", "streaming")).toEqual(["CA3", "CA1"]);
    expect(shown(" 0188 ", null)).toEqual(["CA2"]);
    expect(shown("COACH", null)).toEqual(["CA2"]);
    expect(shown("nobody", null)).toEqual([]);
  });

  test("counts calls in the states of the drawing, outer and inner", () => {
    expect(Object.fromEntries(countsByState(calls))).toEqual({
      "call.streaming": 2,
      "call.streaming.live": 2,
      "call.coaching": 1,
      "call.coaching.live": 1,
    });
  });

  test("names all states of a parallel value", () => {
    const value = { escalating: { ladder: "paging", link: { live: "x" } } };
    expect(activeIds("call", value)).toEqual([
      "call.escalating",
      "call.escalating.ladder",
      "call.escalating.ladder.paging",
      "call.escalating.link",
      "call.escalating.link.live",
      "call.escalating.link.live.x",
    ]);
    expect(activeIds("call", "ended")).toEqual(["call.ended"]);
    expect(activeIds("call", { removed: {} })).toEqual(["call.removed"]);
  });

  test("has those who are still sought before those who were found", () => {
    const incidents = {
      a: incidentView("CAa", "owned", 9),
      b: incidentView("CAb", "paging", 1),
      c: incidentView("CAc", "exhausted", 5),
    };
    expect(shownIncidents(incidents).map(({ callSid }) => callSid)).toEqual(["CAc", "CAb", "CAa"]);
  });
});
