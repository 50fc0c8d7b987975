import { expect, test } from "bun:test";
import { ladderLines } from "../../../../adapters/sandbox/cli/ladder-report.ts";

const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString();

function page(rung: string, contact: string, more: Record<string, unknown>) {
  return { label: "human-1", rung, contact, channel: "voice", purpose: "page", walk: 1, ...more };
}

const OWNED = {
  number: 1,
  by: "ai",
  urgency: "normal",
  outcome: "owned",
  openedAt: at(0),
  endedAt: at(12),
  ackAt: at(10),
  timeToAckMs: 10_000,
  owner: { contact: "second nurse", rung: "secondary", channel: "sms" },
  walks: 1,
  rungsReached: ["primary", "secondary"],
  pages: [
    page("primary", "on-call nurse", { startedAt: at(0), endedAt: at(8), result: "timed-out" }),
    page("secondary", "second nurse", {
      channel: "sms",
      startedAt: at(8),
      endedAt: at(10),
      result: "acknowledged",
    }),
    page("secondary", "second nurse", { purpose: "ring", startedAt: at(10), endedAt: null, result: null }),
  ],
  pagesDropped: 0,
};

test("a ladder is told page by page, with times from its opening", () => {
  expect(ladderLines({ callSid: "CA1", escalations: [OWNED] })).toEqual([
    "escalation 1: owned, taken by second nurse (secondary) by sms after 10.0 s",
    "  rung       contact        channel  result        from    for",
    "  primary    on-call nurse  voice    timed-out     0.0 s   8.0 s",
    "  secondary  second nurse   sms      acknowledged  8.0 s   2.0 s",
    "  secondary  second nurse   ring     open          10.0 s",
  ]);
});

test("a ladder without an owner says how it ended, and how much of it is not kept", () => {
  const exhausted = { ...OWNED, outcome: null, owner: null, timeToAckMs: null, pages: [], pagesDropped: 7 };
  expect(ladderLines({ escalations: [exhausted] })).toEqual([
    "escalation 1: open",
    "  rung  contact  channel  result  from  for",
    "  and 7 more",
  ]);
});

test("a row without a ladder has no lines", () => {
  expect(ladderLines(null)).toEqual([]);
  expect(ladderLines({ escalations: [] })).toEqual([]);
  expect(ladderLines({ escalated: true })).toEqual([]);
});
