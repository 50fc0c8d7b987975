import { describe, expect, test } from "bun:test";
import { rowOf, type RowSource } from "../../../engine/call/row.ts";
import { initialContext } from "../../../machines/context.ts";
import { INPUT } from "../../model/driver.ts";
import { incidentOf, ownerOf, pageOf } from "./incidents.ts";
import { START_MS } from "./support.ts";

const nurse = pageOf("human-1", { result: "timed-out", endedAtMs: START_MS + 120_000 });
const doctor = pageOf("sms-3", {
  rung: 1,
  rungName: "secondary",
  contactName: "Dr. Lee",
  startedAtMs: START_MS + 120_000,
});

const source: RowSource = {
  incidents: [],
  context: initialContext(INPUT),
  errors: [],
  state: "arriving",
  from: "+15550177",
  to: "+15550123",
  agent: "after-hours",
  provider: "openai",
  endedAtMs: null,
  transcript: [],
  recordings: [],
  cost: null,
  speakers: "mixed",
  metrics: { turns: 2 },
  log: { entries: 4, hash: "ab" },
};

describe("the row of a call", () => {
  test("that has just begun says so, and nothing it does not know", () => {
    expect(rowOf(source)).toEqual({
      callSid: INPUT.callSid,
      conferenceSid: null,
      conferenceName: INPUT.conferenceName,
      agent: "after-hours",
      provider: "openai",
      state: "arriving",
      startedAt: "2023-11-14T22:13:20.000Z",
      answeredAt: null,
      endedAt: null,
      durationMs: null,
      endReason: null,
      errors: [],
      escalated: false,
      handover: null,
      escalations: [],
      escalation: null,
      recordings: [],
      speakers: "mixed",
      extraction: null,
      delivery: null,
      cost: null,
      metrics: { turns: 2 },
      auditEntries: 4,
      auditHash: "ab",
      protected: { from: "+15550177", to: "+15550123", transcript: [], escalationReason: null, slots: null },
    });
  });

  test("that is over has its times in UTC, its length, its errors and who was asked for", () => {
    const at = INPUT.startedAtMs;
    const transcript = [{ atMs: 700, speaker: "caller", text: "help" }] as const;
    const row = rowOf({
      ...source,
      state: "ended",
      endedAtMs: at + 61_500,
      transcript,
      context: {
        ...source.context,
        answeredAtMs: at + 1000,
        endReason: "caller_hung_up",
        handover: "coached",
      },
      errors: [{ atMs: at + 2000, code: "model.server_error", message: "no" }],
      incidents: [incidentOf([nurse])],
    });
    expect(row).toMatchObject({
      state: "ended",
      answeredAt: "2023-11-14T22:13:21.000Z",
      endedAt: "2023-11-14T22:14:21.500Z",
      durationMs: 61_500,
      endReason: "caller_hung_up",
      errors: [{ at: "2023-11-14T22:13:22.000Z", code: "model.server_error", message: "no" }],
      escalated: true,
      handover: "coached",
    });
    expect(row.protected).toEqual({
      from: "+15550177",
      to: "+15550123",
      transcript,
      escalationReason: "chest pain",
      slots: null,
    });
  });

  test("has who called, what was said and why a person was wanted in its protected part alone", () => {
    const row = rowOf({
      ...source,
      incidents: [incidentOf([nurse])],
      transcript: [{ atMs: 0, speaker: "caller", text: "it hurts" }],
    });
    const { protected: _personal, ...open } = row;
    for (const word of ["+15550177", "+15550123", "it hurts", "chest pain"]) {
      expect(JSON.stringify(open)).not.toContain(word);
    }
  });

  test("has each escalation as a whole: who was paged how, what came of it, and who took it", () => {
    const owned = incidentOf([nurse, doctor], {
      phase: "owned",
      rung: 1,
      owner: ownerOf(doctor, { ackAtMs: START_MS + 125_500 }),
      outcome: "owned",
      endedAtMs: START_MS + 130_000,
      pagesDropped: 2,
    });
    const open = incidentOf([], { number: 2, by: "operator", reason: null, urgency: "low" });
    const row = rowOf({ ...source, incidents: [owned, open] });
    expect(row.escalations[0]).toEqual({
      number: 1,
      by: "ai",
      urgency: "high",
      outcome: "owned",
      openedAt: "2023-11-14T22:13:20.000Z",
      endedAt: "2023-11-14T22:15:30.000Z",
      ackAt: "2023-11-14T22:15:25.500Z",
      timeToAckMs: 125_500,
      owner: { contact: "Dr. Lee", rung: "secondary", channel: "sms" },
      walks: 1,
      rungsReached: ["primary", "secondary"],
      pages: [
        {
          label: "human-1",
          rung: "primary",
          contact: "on-call nurse",
          channel: "voice",
          purpose: "page",
          walk: 1,
          startedAt: "2023-11-14T22:13:20.000Z",
          endedAt: "2023-11-14T22:15:20.000Z",
          result: "timed-out",
        },
        {
          label: "sms-3",
          rung: "secondary",
          contact: "Dr. Lee",
          channel: "sms",
          purpose: "page",
          walk: 1,
          startedAt: "2023-11-14T22:15:20.000Z",
          endedAt: null,
          result: null,
        },
      ],
      pagesDropped: 2,
    });
    expect(row.escalation).toBe(row.escalations[1] ?? null);
    expect(row.escalation).toMatchObject({ by: "operator", owner: null, timeToAckMs: null, outcome: null });
    expect(row.protected.escalationReason).toBe("chest pain");
    const twice = rowOf({ ...source, incidents: [owned, incidentOf([], { number: 2, reason: "fever" })] });
    expect(twice.protected.escalationReason).toBe("chest pain\nfever");
    const goesOn = rowOf({ ...source, incidents: [owned, incidentOf([], { number: 2 })] });
    expect(goesOn.protected.escalationReason).toBe("chest pain");
  });
});
