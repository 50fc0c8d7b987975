/** The log that a whole call leaves behind. */
import { expect, test } from "bun:test";
import type { ActorStep } from "../../../engine/audit/observer.ts";
import type { CallRow } from "../../../engine/ports.ts";
import { CALLER, handedOver, makeCalls } from "../call/calls-setup.ts";
import { CALL_SID, settle } from "../call/support.ts";
import { check } from "./log-setup.ts";

async function wholeCall() {
  const calls = makeCalls();
  const { session } = await handedOver(calls);
  session.deliver({ type: "op.hangup" });
  await settle();
  const row = calls.store.rows.get(CALL_SID) as CallRow;
  return { ...calls, log: calls.store.logs.get(CALL_SID) ?? [], row };
}

test("a call's log is intact, and its row and its last log line know where it ends", async () => {
  const { log, row, lines } = await wholeCall();
  const { auditEntries, auditHash } = row;
  expect(check(log, { callSid: CALL_SID, row: { ended: true, auditEntries, auditHash } })).toMatchObject({
    status: "intact",
    head: { entries: log.length, hash: auditHash as string },
  });
  expect(lines.find(({ event }) => event === "call.ended")).toMatchObject({ auditHash });
});

test("each event is followed by the step that its actor took, up to the end, and quotes nobody", async () => {
  const { log } = await wholeCall();
  const steps = log.flatMap(({ kind, name, data }) =>
    kind === "step" && name === "call" ? [{ ...data, actor: name } as unknown as ActorStep] : [],
  );
  const events = log.filter(({ kind }) => kind === "event").map(({ name }) => name);
  // What its ladders tell it comes from within, and is no event of the log.
  const told = /^(xstate\.(stop|done)|ladder\.)/;
  const [first, ...rest] = steps.filter(({ event }) => !told.test(event));
  expect(first).toMatchObject({ actor: "call", event: "xstate.init" });
  expect(rest.map(({ event }) => event)).toEqual(events);
  expect(rest.at(-1)).toMatchObject({ value: "ended", status: "done" });
  const targets = new Set(rest.flatMap(({ edges }) => edges.flatMap((edge) => edge.targets)));
  for (const state of ["call.streaming", "call.escalating", "call.coaching", "call.wrapUp"]) {
    expect([...targets].some((target) => target.startsWith(state))).toBe(true);
  }
  for (const personal of [CALLER, "+15550100", "chest pain"])
    expect(JSON.stringify(steps)).not.toContain(personal);
});
