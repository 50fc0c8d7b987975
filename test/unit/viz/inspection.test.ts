/** A recorded call as an inspector would have seen it, and what of the call is not in it. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createActor, createMachine } from "xstate";
import { catalog } from "../../../machines/viz/catalog.ts";
import { chartOf } from "../../../machines/viz/graph.ts";
import { type InspectionLine, inspectionOf } from "../../../machines/viz/inspection.ts";

const machines = Object.fromEntries(catalog.map(({ name, machine }) => [name, chartOf(machine).root]));
const logOf = (name: string): string =>
  readFileSync(join(import.meta.dir, `../../corpus/${name}.ndjson`), "utf8");
const of = (lines: readonly InspectionLine[], type: string) => lines.filter((line) => line["type"] === type);

interface Entry {
  readonly kind: string;
  readonly name: string;
  readonly data: { readonly value: unknown; readonly event: string };
}

describe("a recorded call", () => {
  const log = logOf("coach");
  const lines = inspectionOf(log, machines);
  const steps = log
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Entry)
    .filter(({ kind }) => kind === "step");

  test("tells of each step its event and its snapshot, in order", () => {
    const snapshots = of(lines, "@xstate.snapshot");
    expect(steps.length).toBeGreaterThan(30);
    expect(snapshots.map(({ snapshot, event }) => [snapshot, event])).toMatchObject(
      steps.map(({ data }) => [{ value: data.value, context: {} }, { type: data.event }]),
    );
    expect(of(lines, "@xstate.event").map(({ event }) => event)).toEqual(
      steps.map(({ data }) => ({ type: data.event })),
    );
  });

  test("tells of each actor once, parents before children, before anything else of it", () => {
    const actors = of(lines, "@xstate.actor");
    expect(actors.map(({ name, sessionId, parentId }) => [name, sessionId, parentId])).toEqual([
      ["call", "x:0", null],
      ["ladder-1", "x:1", "x:0"],
      ["ladder-1/human-1", "x:2", "x:1"],
    ]);
    for (const { sessionId } of lines) {
      const first = lines.find((line) => line["sessionId"] === sessionId);
      expect(first?.["type"]).toBe("@xstate.actor");
    }
    for (const line of lines) {
      expect(line).toMatchObject({
        rootId: "x:0",
        createdAt: expect.stringMatching(/^\d+$/),
        _version: "0.7.2",
      });
    }
  });

  test("brings definitions that a machine can be made of, in the state that is told", () => {
    for (const { definition, snapshot } of of(lines, "@xstate.actor")) {
      const machine = createMachine(JSON.parse(String(definition)) as object);
      const { value } = snapshot as { value: string };
      expect(machine.resolveState({ value, context: {} }).value).toEqual(value);
    }
  });

  test("has nothing in it of who called, of who was called, or of what was said", () => {
    const text = lines.map((line) => JSON.stringify(line)).join("\n");
    const told = /CA[0-9a-f]{32}|CF[0-9a-f]{32}|\[number|person \d|rung \d|after-hours/;
    expect(log).toMatch(told);
    expect(text).not.toMatch(told);
  });
});

describe("a log that cannot be told", () => {
  test("is refused by its line, and one of other machines by its actor", () => {
    expect(() => inspectionOf("nothing", machines)).toThrow("line 1 is no entry of a log");
    expect(() => inspectionOf('{"kind":"step","name":"call","at":"x","data":{}}', machines)).toThrow(
      "line 1 is no step of an actor",
    );
    const step = { kind: "step", name: "call", at: "2026-01-01T00:00:00.000Z" };
    const other = JSON.stringify({
      ...step,
      data: { event: "a", value: "ringing", status: "active", edges: [] },
    });
    expect(() => inspectionOf(other, machines)).toThrow("no machine has the states of call");
    const own = chartOf(createMachine({ id: "call", initial: "ringing", states: { ringing: {} } })).root;
    const told = inspectionOf(other, { call: own });
    expect(told).toHaveLength(3);
    createActor(createMachine(JSON.parse(String(told[0]?.["definition"])) as object))
      .start()
      .stop();
  });
});
