import { describe, expect, test } from "bun:test";
import { rowOf, type RowSource } from "../../../engine/call/row.ts";
import { initialContext } from "../../../machines/context.ts";
import { INPUT } from "../../model/driver.ts";

const source: RowSource = {
  context: initialContext(INPUT),
  state: "arriving",
  from: "+15550177",
  to: "+15550123",
  agent: "after-hours",
  provider: "openai",
  endedAtMs: null,
  transcript: [],
  recordings: [],
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
      recordings: [],
      metrics: { turns: 2 },
      auditEntries: 4,
      auditHash: "ab",
      protected: { from: "+15550177", to: "+15550123", transcript: [], escalationReason: null },
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
        errors: [{ atMs: at + 2000, code: "model.server_error", message: "no" }],
        escalation: { by: "ai", reason: "chest pain", urgency: "high", atMs: at + 3000 },
      },
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
    });
  });

  test("has who called, what was said and why a person was wanted in its protected part alone", () => {
    const escalation = { by: "ai", reason: "chest pain", urgency: "high", atMs: 0 } as const;
    const row = rowOf({
      ...source,
      context: { ...source.context, escalation },
      transcript: [{ atMs: 0, speaker: "caller", text: "it hurts" }],
    });
    const { protected: _personal, ...open } = row;
    for (const word of ["+15550177", "+15550123", "it hurts", "chest pain"]) {
      expect(JSON.stringify(open)).not.toContain(word);
    }
  });
});
