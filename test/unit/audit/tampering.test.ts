/** Whatever is done to a random log, it is noticed. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { canonical } from "../../../engine/platform/canonical.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { check, recorded, rowOf, type Written } from "./log-setup.ts";

const RUNS = 300;

const textOf = (value: unknown): string => canonical(value).text;

const written: fc.Arbitrary<Written> = fc.tuple(
  fc.constantFrom("event", "state", "effect", "result", "media", "note"),
  fc.constantFrom("model.ready", "participant.joined", "carrier.addAi", "log.full"),
  fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }),
);

const logs: fc.Arbitrary<AuditEntry[]> = fc
  .array(written, { minLength: 1, maxLength: 30 })
  .map((entries) => recorded([...entries, ["note", "log.closed", { endReason: "caller_left" }]]));

/** A log and the index of one of its entries. */
const places = logs.chain((log) => fc.tuple(fc.constant(log), fc.nat({ max: log.length - 1 })));

/** One field with another value, of its own type or any other. */
const edits = fc.record({
  field: fc.constantFrom("callSid", "seq", "at", "kind", "name", "data", "prev", "hash", "more"),
  value: fc.oneof(
    fc.jsonValue(),
    fc.string(),
    fc.nat({ max: 40 }),
    fc.dictionary(fc.string(), fc.jsonValue()),
  ),
});

function isNoticed(log: readonly unknown[], original: readonly AuditEntry[]): void {
  expect(check(log, { row: rowOf(original) }).status).toBe("broken");
  // Without the row an end that was cut off cleanly is at least not taken for a whole log.
  expect(["broken", "not-closed"]).toContain(check(log).status);
}

const run = <T>(values: fc.Arbitrary<T>, probe: (value: T) => void): void =>
  fc.assert(fc.property(values, probe), { numRuns: RUNS });

describe("a random log", () => {
  test("is intact as it was written", () => {
    run(logs, (log) => expect(check(log, { row: rowOf(log) })).toMatchObject({ status: "intact" }));
  });

  test("does not lose an entry, or the rest from one on, unnoticed", () => {
    run(places, ([log, index]) => {
      isNoticed(log.toSpliced(index, 1), log);
      isNoticed(log.slice(0, index), log);
    });
  });

  test("does not get an entry twice unnoticed, wherever it is put", () => {
    run(fc.tuple(places, fc.nat({ max: 30 })), ([[log, index], to]) => {
      isNoticed(log.toSpliced(to, 0, log[index] as AuditEntry), log);
    });
  });

  test("does not have two entries swapped, or one moved, unnoticed", () => {
    run(fc.tuple(places, fc.nat({ max: 30 })), ([[log, one], other]) => {
      const two = other % log.length;
      fc.pre(one !== two);
      const [a, b] = [log[one] as AuditEntry, log[two] as AuditEntry];
      isNoticed(log.with(one, b).with(two, a), log);
      isNoticed(log.toSpliced(one, 1).toSpliced(two, 0, a), log);
    });
  });

  test("does not have a field changed unnoticed", () => {
    run(fc.tuple(places, edits), ([[log, index], { field, value }]) => {
      const entry = log[index] as AuditEntry;
      const changed = { ...entry, [field]: value };
      fc.pre(textOf(entry) !== textOf(changed));
      isNoticed(log.with(index, changed), log);
    });
  });

  test("does not have a field taken out unnoticed", () => {
    run(fc.tuple(places, edits), ([[log, index], { field }]) => {
      fc.pre(field !== "more");
      const entries = Object.entries(log[index] as AuditEntry).filter(([name]) => name !== field);
      isNoticed(log.with(index, Object.fromEntries(entries) as unknown as AuditEntry), log);
    });
  });

  test("does not have a member deep in its data changed unnoticed", () => {
    run(fc.tuple(places, fc.string(), fc.jsonValue()), ([[log, index], name, value]) => {
      const entry = log[index] as AuditEntry;
      const data = { ...entry.data, [name]: value };
      fc.pre(textOf(entry.data) !== textOf(data));
      isNoticed(log.with(index, { ...entry, data }), log);
    });
  });
});
