import { expect, test } from "bun:test";
import { closeLostCalls } from "../../../engine/call/lost-calls.ts";
import { Recorder } from "../../../engine/call/recorder.ts";
import { NO_USAGE } from "../../../engine/call/voice-state.ts";
import { deploymentSchema } from "../../../engine/config/deployment.ts";
import { costOf, type Used } from "../../../engine/cost/cost.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { CallRow, EscalationRow, ParticipantInfo } from "../../../engine/ports.ts";
import { callRow } from "../../contract/store.contract.ts";
import { InstantCarrier, MemoryStore } from "../../support/fake-ports.ts";
import { check } from "../audit/log-setup.ts";
import { CALL_SID, keptLog, START_MS } from "./support.ts";

const NOTHING: Omit<Used, "gaps"> = {
  modelName: null,
  tokens: NO_USAGE,
  minutes: { inbound: 0, outbound: 0, app: 0, stream: 0, conference: 0, recording: 0 },
  messages: 0,
};

const PAGE = {
  label: "human-1",
  rung: "primary",
  contact: "nurse",
  channel: "voice",
  purpose: "page",
  walk: 1,
  startedAt: new Date(START_MS).toISOString(),
  endedAt: null,
  result: null,
} as const;

const SOUGHT: EscalationRow = {
  number: 1,
  by: "ai",
  urgency: "high",
  outcome: null,
  openedAt: new Date(START_MS).toISOString(),
  endedAt: null,
  ackAt: null,
  timeToAckMs: null,
  owner: null,
  walks: 1,
  rungsReached: ["primary"],
  pages: [PAGE],
  pagesDropped: 0,
};

/** What an engine left behind that died in the middle of a call. */
function lostCall(change: Partial<CallRow> = {}, carrier = new InstantCarrier()) {
  const clock = new VirtualClock(START_MS);
  const store = new MemoryStore();
  const recorder = new Recorder(CALL_SID, clock, store);
  recorder.write("note", "call.begun", {});
  const { entries: auditEntries, hash: auditHash } = recorder.head;
  const cost = costOf(
    { ...NOTHING, gaps: ["in_progress", "transcription"] },
    deploymentSchema.parse({}).prices,
  );
  const saved = { callSid: CALL_SID, state: "streaming", endedAt: null, cost, escalations: [], ...change };
  const row = callRow(1, { ...saved, auditEntries, auditHash });
  // Logged after the row was saved for the last time.
  recorder.write("event", "model.ready", {});
  const { log, lines } = keptLog(clock);
  const close = async (): Promise<CallRow> => {
    await closeLostCalls([row], { store, carrier, clock, log, apology: "Sorry." });
    return store.rows.get(CALL_SID) as CallRow;
  };
  return { store, row, lines, close };
}

test("the log of a lost call is closed on its own chain, and the row knows its end", async () => {
  const { store, close } = lostCall();
  const { state, auditEntries, auditHash, cost } = await close();
  const log = store.logs.get(CALL_SID) ?? [];
  expect(log.at(-2)).toMatchObject({ seq: 3, name: "call.ended", data: { endReason: "engine_lost" } });
  expect(state).toBe("ended");
  // Nothing of it is in progress any more, and what it used after its last row is not known.
  expect(cost).toMatchObject({ complete: false, gaps: ["restart", "transcription"], totalMicros: 0 });
  expect(check(log, { row: { ended: true, auditEntries, auditHash } }).status).toBe("intact");
});

test("a lost call whose log cannot be read ends all the same, and says so", async () => {
  const { store, row, lines, close } = lostCall();
  store.lastEvent = () => {
    throw new Error("disk on fire");
  };
  const { auditEntries, auditHash } = row;
  expect(await close()).toMatchObject({ state: "ended", auditEntries, auditHash: auditHash as string });
  expect(lines.map(({ event }) => event)).toContain("lost_call.log_not_closed");
});

test("an incident that was open ends with its call, and it is said that nobody is sought for the caller", async () => {
  const { lines, close } = lostCall({ escalations: [SOUGHT], escalation: SOUGHT });
  const ended = { outcome: "call_lost", pages: [{ label: "human-1", result: "cancelled" }] };
  const { escalations, escalation } = await close();
  expect([...escalations, escalation]).toMatchObject([ended, ended]);
  expect(escalation?.endedAt).not.toBeNull();
  expect(lines.find(({ event }) => event === "lost_call.unanswered")).toMatchObject({
    level: "error",
    callSid: CALL_SID,
    fix: expect.stringContaining("call them back"),
  });
});

test("a caller who is with a person when their call is lost needs nobody else", async () => {
  const carrier = new InstantCarrier();
  const there = { label: "human-1", callSid: "CA9", conferenceSid: "CF1" } as ParticipantInfo;
  carrier.listParticipants = async () => [there];
  carrier.updateParticipant = async () => there;
  const { lines, close } = lostCall({ escalations: [SOUGHT], conferenceSid: "CF1" }, carrier);
  expect((await close()).escalation?.outcome).toBe("called_off");
  expect(lines.map(({ event }) => event)).not.toContain("lost_call.unanswered");
});

test("a call that had ended before what went on without its caller was lost keeps its end", async () => {
  const end = { state: "ended", endedAt: new Date(START_MS).toISOString(), endReason: "caller_hung_up" };
  const carrier = new InstantCarrier();
  const { lines, close } = lostCall({ ...end, durationMs: 5, escalations: [SOUGHT] }, carrier);
  expect(await close()).toMatchObject({ ...end, durationMs: 5, escalation: { outcome: "call_lost" } });
  expect(carrier.requests).toEqual([]);
  expect(lines.map(({ event }) => event)).toContain("lost_call.unanswered");
});
