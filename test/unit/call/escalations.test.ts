/** What the people see of an incident who were paged for it. */
import { describe, expect, test } from "bun:test";
import { type EscalationHost, Escalations } from "../../../engine/call/escalations.ts";
import type { Standing } from "../../../engine/call/escalations-view.ts";
import { Claims } from "../../../engine/effects/claims.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { UnstampedCallEvent } from "../../../machines/events.ts";
import type { Incident, PageResult } from "../../../machines/ladder.types.ts";
import { incidentOf, ownerOf, pageOf } from "./incidents.ts";
import { CALL_SID, START_MS } from "./support.ts";

const CALLER = "+15550177";
const NURSE = "+15550100";
const DAY_MS = 86_400_000;
/** Dr. Lee stands on two rungs, by other channels there. */
const contact = (name: string, more: object) => ({ name, voice: null, sms: null, push: null, ...more });
const POLICY = {
  rungs: [
    { name: "primary", contacts: [contact("on-call nurse", { voice: NURSE, sms: NURSE })] },
    { name: "secondary", contacts: [contact("Dr. Lee", { voice: "+15550101" })] },
    {
      name: "everybody",
      contacts: [
        contact("on-call nurse", { voice: "+15550102" }),
        contact("Dr. Lee", { voice: "+15550101", sms: "+15550103" }),
      ],
    },
  ],
};
const OF_CALLER = { from: CALLER, policy: POLICY };

function make() {
  const clock = new VirtualClock(START_MS);
  const hosts = new Map<string, EscalationHost>();
  const claims = new Claims();
  const escalations = new Escalations({
    clock,
    agent: "after-hours",
    claims,
    host: (callSid) => hosts.get(callSid) ?? null,
  });
  const see = (...incidents: readonly Incident[]): void => escalations.update(CALL_SID, OF_CALLER, incidents);
  const standing = (label: string): Standing | undefined => escalations.page(CALL_SID, label)?.standing;
  return { clock, hosts, claims, escalations, see, standing };
}

const nurse = pageOf("human-1");
const nurseText = pageOf("sms-2");
const doctor = pageOf("human-3", { rung: 1, rungName: "secondary", contactName: "Dr. Lee" });

describe("an event", () => {
  test("of a leg whose name cannot be one is for no call", () => {
    const { hosts, escalations } = make();
    const taken: string[] = [];
    const deliver = (event: UnstampedCallEvent): void => void taken.push(event.type);
    hosts.set(CALL_SID, { deliver, legWanted: () => false, callerIsHere: true });
    const about = (label: string) =>
      escalations.deliver(CALL_SID, { type: "leg.status", label, callSid: CALL_SID, status: "ringing" });
    expect(["", "x".repeat(129), "constructor", "__proto__"].map(about)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(about("human-1")).toBe(true);
    expect(taken).toEqual(["leg.status"]);
  });
});

describe("a page", () => {
  test("that never was is not known", () => {
    const { escalations, see } = make();
    expect(escalations.page(CALL_SID, "human-1")).toBeNull();
    see(incidentOf([nurse]));
    expect(escalations.page(CALL_SID, "human-9")).toBeNull();
    expect(escalations.page("CA0", "human-1")).toBeNull();
  });

  test("tells who is asked, why and by whom", () => {
    const { escalations, see } = make();
    see(incidentOf([nurse, nurseText]));
    expect(escalations.page(CALL_SID, "sms-2")).toEqual({
      callSid: CALL_SID,
      incident: 1,
      label: "sms-2",
      channel: "sms",
      contactName: "on-call nurse",
      rungName: "primary",
      agent: "after-hours",
      reason: "chest pain",
      urgency: "high",
      standing: "open",
      ownerName: null,
      followUp: false,
      rings: true,
      came: false,
      unmet: false,
      callerNumber: null,
    });
  });

  test("rings nobody who has no phone", () => {
    const { escalations, see } = make();
    see(incidentOf([doctor, pageOf("push-5")]));
    expect(escalations.page(CALL_SID, "push-5")?.rings).toBe(false);
    expect(escalations.page(CALL_SID, "human-3")?.rings).toBe(true);
  });

  test("rings whoever has a number for texts alone at that number", () => {
    const { escalations, see } = make();
    see(incidentOf([doctor, pageOf("sms-4"), pageOf("push-5")]));
    expect(escalations.page(CALL_SID, "sms-4")?.rings).toBe(true);
  });

  test("is its owner's on each of their channels, and taken for everybody else", () => {
    const { escalations, see, standing } = make();
    const pages = [nurse, nurseText, doctor];
    const taken = [nurse, nurseText, { ...doctor, result: "cancelled" } as const];
    see(incidentOf(taken, { phase: "ringing", owner: ownerOf(nurseText) }));
    expect(pages.map(({ label }) => standing(label))).toEqual(["yours", "yours", "taken"]);
    expect(escalations.page(CALL_SID, "human-3")?.ownerName).toBe("on-call nurse");
    // Ownership may be released again, when their phone does not bring them.
    see(incidentOf(pages, { phase: "paging" }));
    expect(pages.map(({ label }) => standing(label))).toEqual(["open", "open", "open"]);
  });

  test("is its owner's on every rung that they stand on, and not that of somebody else of their name", () => {
    const { see, standing } = make();
    const onRung2 = { rung: 2, rungName: "everybody" };
    const again = [
      pageOf("human-4", { ...onRung2, contact: 1, contactName: "Dr. Lee" }),
      pageOf("sms-5", { ...onRung2, contact: 1, contactName: "Dr. Lee" }),
      pageOf("human-6", { ...onRung2, contact: 0, result: "cancelled" }),
    ];
    const pages = [nurseText, doctor, ...again];
    see(incidentOf(pages, { phase: "joining", owner: ownerOf(doctor) }));
    expect(pages.map(({ label }) => standing(label))).toEqual(["taken", "yours", "yours", "yours", "taken"]);
    see(incidentOf(pages, { phase: "joining", owner: ownerOf(nurseText) }));
    expect(pages.map(({ label }) => standing(label))).toEqual(["yours", "taken", "taken", "taken", "taken"]);
  });

  test("by phone that brings its owner is theirs, whichever page it was made for", () => {
    const { see, standing } = make();
    const shared = pageOf("human-4", { rung: 1, contactName: "the phone of the ward" });
    see(incidentOf([nurseText, shared], { phase: "ringing", owner: ownerOf(nurseText) }));
    expect(standing("human-4")).toBe("yours");
    const owner = ownerOf(nurseText, { label: "human-4", callSid: "CA4" });
    const accepted = { ...shared, result: "acknowledged" } as const;
    see(incidentOf([nurseText, accepted], { phase: "joining", owner }));
    expect(standing("human-4")).toBe("yours");
  });

  test("by text may be answered late; on a phone only while somebody may be on the line", () => {
    const { see, standing } = make();
    const results: readonly PageResult[] = [
      "timed-out",
      "no-answer",
      "cancelled",
      "declined",
      "busy",
      "voicemail",
      "failed",
    ];
    const standings = (kind: string): (Standing | undefined)[] =>
      results.map((result) => {
        see(incidentOf([pageOf(`${kind}-1`, { result })]));
        return standing(`${kind}-1`);
      });
    expect(standings("sms")).toEqual(results.map(() => "open"));
    expect(standings("human")).toEqual(["open", "open", "open", "over", "over", "over", "over"]);
  });

  test("is over when it was called off, or its call ends with nobody sought any more", () => {
    const { escalations, see, standing } = make();
    see(incidentOf([nurseText], { phase: "over", outcome: "called_off" }));
    expect(standing("sms-2")).toBe("over");
    see(incidentOf([nurseText], { phase: "over", outcome: "caller_left", owner: ownerOf(nurseText) }));
    expect(standing("sms-2")).toBe("over");
    see(incidentOf([nurseText], { phase: "exhausted", outcome: "exhausted" }));
    expect(standing("sms-2")).toBe("open");
    escalations.over(CALL_SID);
    expect(standing("sms-2")).toBe("over");
  });

  test("of an incident that is owned stays its owner's when the call has ended, with the caller's number", () => {
    const { escalations, see } = make();
    see(incidentOf([nurseText, doctor], { phase: "owned", outcome: "owned", owner: ownerOf(nurseText) }));
    expect(escalations.page(CALL_SID, "sms-2")).toMatchObject({ standing: "yours", callerNumber: null });
    escalations.over(CALL_SID);
    const theirs = { standing: "yours", followUp: true, rings: false, callerNumber: CALLER };
    expect(escalations.page(CALL_SID, "sms-2")).toMatchObject(theirs);
    expect(escalations.page(CALL_SID, "human-3")).toMatchObject({ standing: "taken", callerNumber: null });
  });

  test("of a caller who hid their number gives none", () => {
    const { escalations } = make();
    const owned = incidentOf([nurseText], { phase: "owned", owner: ownerOf(nurseText) });
    escalations.update(CALL_SID, { from: "anonymous", policy: POLICY }, [owned]);
    escalations.over(CALL_SID);
    expect(escalations.page(CALL_SID, "sms-2")).toMatchObject({ standing: "yours", callerNumber: null });
  });

  test("of what is followed up asks for a call back", () => {
    const { escalations, see } = make();
    const before = incidentOf([nurse], { phase: "over", outcome: "exhausted" });
    see(before);
    escalations.following(CALL_SID);
    see(before, incidentOf([pageOf("sms-9")], { number: 2 }));
    expect(escalations.page(CALL_SID, "sms-9")).toMatchObject({
      standing: "open",
      followUp: true,
      incident: 2,
    });
    expect(escalations.page(CALL_SID, "human-1")).toMatchObject({ standing: "over" });
  });
});

describe("an answer", () => {
  test("goes to the live call, or to what goes on after it, and to nobody else", () => {
    const { hosts, escalations } = make();
    const taken: unknown[] = [];
    const event: UnstampedCallEvent = { type: "page.acknowledged", label: "sms-2" };
    expect(escalations.deliver(CALL_SID, event, "key")).toBe(false);
    expect([escalations.legWanted(CALL_SID, "human-1"), escalations.callerIsHere(CALL_SID)]).toEqual([
      false,
      false,
    ]);
    hosts.set(CALL_SID, {
      deliver: (...given) => void taken.push(given),
      legWanted: (label) => label === "human-1",
      callerIsHere: true,
    });
    expect(escalations.deliver(CALL_SID, event, "key")).toBe(true);
    expect(taken).toEqual([[event, "key"]]);
    expect(escalations.legWanted(CALL_SID, "human-1")).toBe(true);
    expect(escalations.legWanted(CALL_SID, "human-2")).toBe(false);
    expect(escalations.callerIsHere(CALL_SID)).toBe(true);
  });
});

test("what tells of a ring tells whose it is", () => {
  const { claims, escalations } = make();
  const legSid = "CA00000000000000000000000000000077";
  escalations.deliver(CALL_SID, { type: "leg.status", label: "human-1", callSid: legSid, status: "ringing" });
  expect(claims.isLegOf(`${CALL_SID}/human-1`, legSid)).toBe(true);
  // Its request is answered later.
  claims.add(legSid);
  expect(claims.isLegOf(`${CALL_SID}/human-1`, legSid)).toBe(true);
  expect(claims.isLegOf(`${CALL_SID}/human-2`, legSid)).toBe(false);
});

describe("the pages texted to a number", () => {
  test("have the code of their incident, and say how they stand now", () => {
    const { clock, escalations, see } = make();
    see(incidentOf([nurseText]), incidentOf([pageOf("sms-7")], { number: 2 }));
    escalations.texted(NURSE, { callSid: CALL_SID, label: "sms-2", incident: 1 }, null);
    clock.advance(60_000);
    escalations.texted(NURSE, { callSid: CALL_SID, label: "sms-7", incident: 2 }, null);
    see(
      incidentOf([nurseText], { phase: "over" }),
      incidentOf([pageOf("sms-7")], { number: 2, owner: ownerOf(pageOf("sms-7")) }),
    );
    const [newest, oldest] = escalations.pagesTo(NURSE);
    expect(newest).toEqual({
      callSid: CALL_SID,
      label: "sms-7",
      incident: 2,
      code: escalations.code(CALL_SID, 2),
      atMs: START_MS + 60_000,
      standing: "yours",
    });
    expect(oldest).toMatchObject({ label: "sms-2", code: escalations.code(CALL_SID, 1), standing: "over" });
    expect(newest?.code).not.toBe(oldest?.code);
    expect(escalations.pagesTo(CALLER)).toEqual([]);
    // What an engine before had sent keeps its time; what is sent again is the newest.
    const first = { callSid: CALL_SID, label: "sms-2", incident: 1 };
    for (const [beforeMs, label] of [
      [START_MS + 70_000, "sms-7"],
      [null, "sms-2"],
    ] as const) {
      escalations.texted(NURSE, first, beforeMs);
      expect(escalations.pagesTo(NURSE)[0]?.label).toBe(label);
    }
    expect(escalations.pagesTo(NURSE)).toHaveLength(2);
  });

  test("are as old as the engine that may have sent them says, in whatever order calls are taken up", () => {
    const { clock, escalations, see } = make();
    see(incidentOf([nurseText, pageOf("sms-7")]));
    clock.advance(60_000);
    const textOf = (label: string) => ({ callSid: CALL_SID, label, incident: 1 });
    escalations.texted(NURSE, textOf("sms-7"), START_MS + 2);
    escalations.texted(NURSE, textOf("sms-2"), START_MS + 1);
    expect(escalations.pagesTo(NURSE).map(({ label }) => label)).toEqual(["sms-7", "sms-2"]);
    expect(escalations.saved(CALL_SID).texts.map(({ label }) => label)).toEqual(["sms-2", "sms-7"]);
  });
});

describe("calls that are over", () => {
  test("are remembered for a day", () => {
    const { clock, escalations, see, standing } = make();
    see(incidentOf([nurseText], { owner: ownerOf(nurseText) }));
    escalations.over(CALL_SID);
    escalations.over("CA-that-had-no-incident");
    clock.advance(DAY_MS - 1);
    escalations.update("CA2", OF_CALLER, [incidentOf([])]);
    escalations.over("CA2");
    expect(standing("sms-2")).toBe("yours");
    clock.advance(1);
    escalations.update("CA3", OF_CALLER, [incidentOf([])]);
    escalations.over("CA3");
    expect(standing("sms-2")).toBeUndefined();
    expect(escalations.counters.callsForgotten).toBe(0);
  });

  test("are ten thousand at most; those forgotten early are counted", () => {
    const { escalations } = make();
    for (let n = 0; n <= 10_000; n++) {
      escalations.update(`CA${n}`, OF_CALLER, [incidentOf([nurse])]);
      escalations.over(`CA${n}`);
    }
    expect(escalations.page("CA0", "human-1")).toBeNull();
    expect(escalations.page("CA1", "human-1")).not.toBeNull();
    expect(escalations.counters.callsForgotten).toBe(1);
  });

  test("that are live are never forgotten", () => {
    const { clock, escalations, see, standing } = make();
    see(incidentOf([nurseText]));
    clock.advance(3 * DAY_MS);
    escalations.update("CA2", OF_CALLER, [incidentOf([])]);
    escalations.over("CA2");
    expect(standing("sms-2")).toBe("open");
  });
});
