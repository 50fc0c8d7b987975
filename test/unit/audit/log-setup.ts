/** Logs to check: written by the recorder itself, and read back as lines. */
import { type Expected, LogCheck, type Verdict } from "../../../engine/audit/check.ts";
import { chainStart, entryHash } from "../../../engine/platform/hash-chain.ts";
import { Recorder } from "../../../engine/call/recorder.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { CALL_SID, START_MS } from "../call/support.ts";

export const OTHER_SID = "CA00000000000000000000000000000002";

export type Written = readonly [kind: AuditEntry["kind"], name: string, data: Record<string, unknown>];

/** A log as a recorder writes it. */
export function recorded(entries: readonly Written[], callSid = CALL_SID): AuditEntry[] {
  const clock = new VirtualClock(START_MS);
  const store = new MemoryStore();
  const recorder = new Recorder(callSid, clock, store);
  for (const [kind, name, data] of entries) {
    clock.advance(20);
    recorder.write(kind, name, data);
  }
  return store.logs.get(callSid) ?? [];
}

/** The log of a whole call: `size` entries, the end included. */
export function wholeLog(size: number, callSid = CALL_SID): AuditEntry[] {
  const middle: Written[] = Array.from({ length: size - 1 }, (_, n) => ["event", "model.ready", { n }]);
  return recorded([...middle, ["note", "log.closed", { endReason: "caller_left" }]], callSid);
}

export function check(entries: readonly unknown[], expected: Expected = {}): Verdict {
  const log = new LogCheck(expected);
  for (const entry of entries) log.take(typeof entry === "string" ? entry : JSON.stringify(entry));
  return log.end();
}

/** What was found, as `problem seq: what`. */
export function found(verdict: Verdict): string[] {
  return verdict.findings.map(({ problem, seq, what }) => `${problem} ${seq ?? "-"}: ${what}`);
}

/** What the row says of this log. */
export function rowOf(entries: readonly AuditEntry[], ended = true) {
  const last = entries.at(-1);
  return { ended, auditEntries: last?.seq ?? 0, auditHash: last?.hash ?? null };
}

/** Hashed anew from the first entry on, as somebody would who knows how. */
export function rehashed(entries: readonly AuditEntry[]): AuditEntry[] {
  let link = chainStart(entries[0]?.callSid ?? "");
  return entries.map(({ prev: _prev, hash: _hash, ...content }) => {
    const prev = link;
    link = entryHash(prev, content);
    return { ...content, prev, hash: link };
  });
}
