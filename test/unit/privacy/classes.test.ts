/** What is personal, of somebody's health or a secret is told nowhere by class, whatever is handed over. */
import { expect, test } from "bun:test";
import { type CallInput, initialContext } from "../../../machines/context.ts";
import { CallEventSchema } from "../../../machines/events.ts";
import { Recorder } from "../../../engine/call/recorder.ts";
import { createPageWording } from "../../../engine/call/page-wording.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { createLog } from "../../../engine/platform/log.ts";
import type { LogFields } from "../../../engine/ports.ts";
import { EFFECT_FIELDS, EVENT_FIELDS } from "../../../engine/privacy/classes.ts";
import { FACTS, PROTECTED_FIELDS, ROW_FIELDS } from "../../../engine/privacy/kept-classes.ts";
import type { FieldClass } from "../../../engine/privacy/log-fields.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { callRow } from "../../contract/store.contract.ts";
import { CALL_SID } from "../call/support.ts";

const SECRET = "the canary sings in clear";

function logged(name: string, data: Record<string, unknown>) {
  const store = new MemoryStore();
  new Recorder(CALL_SID, new VirtualClock(), store).write("event", name, data);
  return store.logs.get(CALL_SID)?.[0]?.data ?? {};
}

const tables: readonly (readonly [string, Readonly<Record<string, FieldClass>>])[] = [
  ...Object.entries(EVENT_FIELDS),
  ...Object.entries(EFFECT_FIELDS),
];

test.each(tables)("%s: an entry of the log has no field that is not for everybody", (name, classes) => {
  const told = logged(name, Object.fromEntries(Object.keys(classes).map((field) => [field, SECRET])));
  for (const [field, fieldClass] of Object.entries(classes)) {
    const isOpen = fieldClass === "public" || fieldClass === "internal";
    if (isOpen) expect(told[field]).toBe(SECRET);
    else expect(told[field]).toBe(field === "to" ? "[number 1]" : "[redacted]");
  }
});

test("every event that the engine takes has its classes, and no other field passes its schema", () => {
  const shapes = CallEventSchema.options.map(({ shape }) => [shape.type.value, Object.keys(shape)] as const);
  for (const [type, fields] of shapes) {
    const known = ["type", "at", ...Object.keys(EVENT_FIELDS[type])];
    expect(fields.toSorted()).toEqual(known.toSorted());
  }
});

test("every field of a row is either open or sealed, and none is both", () => {
  const { protected: personal, ...open } = callRow(1);
  expect(Object.keys(ROW_FIELDS.row).toSorted()).toEqual(Object.keys(open).toSorted());
  expect(Object.keys(PROTECTED_FIELDS.row).toSorted()).toEqual(Object.keys(personal).toSorted());
  expect(Object.keys(initialContext({} as CallInput)).filter((fact) => !(fact in FACTS.call))).toEqual([]);
});

test("a field without a class is not told, in the log of a call and in log lines, unless it can hold no words", () => {
  expect(logged("some.note", { said: SECRET, deep: { said: SECRET }, count: 3 })).toEqual({
    said: "[redacted]",
    deep: "[redacted]",
    count: 3,
  });
  const lines: string[] = [];
  const log = createLog({
    level: "debug",
    clock: new VirtualClock(),
    write: (line) => void lines.push(line),
  });
  log.child({ other: SECRET } as LogFields).info("some.event", { said: SECRET, count: 3 } as LogFields);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ other: "[redacted]", said: "[redacted]", count: 3 });
});

test("text that others have worded is redacted, in log lines and in the log of a call", () => {
  const quoted = "The number +15550142 of Mrs. Palmer is not valid";
  const lines: string[] = [];
  const log = createLog({
    level: "debug",
    clock: new VirtualClock(),
    write: (line) => void lines.push(line),
  });
  log.error("some.failure", { error: quoted, issues: [quoted], callSid: CALL_SID });
  const clean = "The number [number] of [name] is not valid";
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ error: clean, issues: [clean], callSid: CALL_SID });
  expect(logged("effect.failed", { message: quoted })).toEqual({ message: clean });
});

test("a page tells who it is about on the phone alone", () => {
  const details = { voice: "reason", sms: "reason", push: "reason" } as const;
  const wording = createPageWording({ details, callerText: "We call you back." });
  const reason = "Mrs. Palmer of room 12 has fallen, call her son on +15550142";
  expect(wording.reason({ channel: "voice", reason })).toBe(reason);
  for (const channel of ["sms", "push"] as const) {
    expect(wording.reason({ channel, reason })).toBe(
      "[name] of room 12 has fallen, call her son on [number]",
    );
  }
});
