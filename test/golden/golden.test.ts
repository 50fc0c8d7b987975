/**
 * Snapshots that engines of this and of earlier versions have left. Each is gone on with, and comes to its end:
 * a change of the machines that would strand a call in flight fails here.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadUnfinished, resumeUnfinished } from "../../engine/call/restore.ts";
import { openSnapshot } from "../../engine/call/snapshot.ts";
import type { StoredSnapshot } from "../../engine/ports.ts";
import { type Calls, makeCalls } from "../unit/call/calls-setup.ts";
import { settle } from "../unit/call/support.ts";
import { DEPLOYMENT, FOUND, SCENES } from "./scenes.ts";
import { KeptRows, ScriptedExtractor } from "../support/fake-after-call.ts";
import { isPostCallKey } from "../../engine/platform/call-key.ts";

interface Golden extends Omit<StoredSnapshot, "body"> {
  readonly state: string;
  readonly body: { readonly savedAtMs: number };
}

const versions = readdirSync(import.meta.dir, { withFileTypes: true }).filter((each) => each.isDirectory());

function read(version: string, file: string): Golden {
  return JSON.parse(readFileSync(join(import.meta.dir, version, file), "utf8")) as Golden;
}

/** An engine that finds it, a second after it was left, with a row and a log of the call. */
async function foundBy(
  { body, state, ...head }: Golden,
  options: Parameters<typeof makeCalls>[0] = {},
): Promise<Calls> {
  const calls = makeCalls({ deployment: DEPLOYMENT, ...options });
  const { store, clock } = calls;
  const { callSid: key } = head;
  const [callSid = ""] = key.split("/");
  clock.advance(body.savedAtMs + 1000 - clock.now());
  // Any row and any log will do: the actors do not read them.
  const other = makeCalls({ deployment: DEPLOYMENT });
  await (SCENES["streaming"] as (typeof SCENES)[string]).play(other);
  const [row] = other.store.rows.values();
  store.saveCall({ ...(row as NonNullable<typeof row>), callSid, state });
  store.appendEvents((other.store.logs.get(callSid) ?? []).map((entry) => ({ ...entry, callSid: key })));
  store.saveSnapshot(key, { ...head, body: JSON.stringify(body) });
  return calls;
}

/** What follows a call is done to its end. */
async function isCompleted(golden: Golden): Promise<void> {
  const extractor = new ScriptedExtractor();
  const sender = new KeptRows();
  extractor.answers.push(FOUND);
  const calls = await foundBy(golden, { extractor, sender });
  const { store, clock, log, journal, supervisor, followUps, postCalls, carrier } = calls;
  const gateway = { resumeTokens: () => undefined };
  const found = await loadUnfinished({ store, clock, log, journal });
  expect(calls.lines.filter(({ event }) => event === "restore.refused")).toEqual([]);
  resumeUnfinished(found, { journal, supervisor, followUps, postCalls, gateway, carrier, log });
  expect(postCalls.size).toBe(1);
  await settle();
  clock.advance(60_000);
  await settle();
  expect([postCalls.size, store.snapshots.size, sender.deliveries.length]).toEqual([0, 0, 1]);
  const [callSid = ""] = golden.callSid.split("/");
  expect(store.rows.get(callSid)).toMatchObject({
    extraction: { status: "done" },
    delivery: { status: "delivered" },
    protected: { slots: { name: "Ann Lee" } },
  });
}

for (const { name: version } of versions) {
  describe(`a call of machines ${version}`, () => {
    for (const file of readdirSync(join(import.meta.dir, version))) {
      const golden = read(version, file);
      if (isPostCallKey(golden.callSid)) {
        test(`is completed from ${file.replace(".json", "")}`, () => isCompleted(golden));
        continue;
      }
      test(`goes on from ${file.replace(".json", "")}, and ends`, async () => {
        const calls = await foundBy(golden);
        const { store, clock, log, journal, supervisor, followUps, carrier } = calls;
        const gateway = { resumeTokens: () => undefined };
        const found = await loadUnfinished({ store, clock, log, journal });
        expect(calls.lines.filter(({ event }) => event === "restore.refused")).toEqual([]);
        expect(resumeUnfinished(found, { journal, supervisor, followUps, gateway, carrier, log })).toEqual(
          [],
        );
        const { callSid } = golden;
        const host = supervisor.get(callSid) ?? followUps.get(callSid);
        expect(host?.state).toBe(golden.state);
        await settle();
        host?.deliver({ type: "caller.gone", reason: "left" });
        host?.deliver({ type: "op.hangup" });
        await settle();
        clock.advance(60_000);
        await settle();
        followUps.get(callSid)?.deliver({ type: "op.hangup" });
        await settle();
        expect([supervisor.size, followUps.size, store.snapshots.size]).toEqual([0, 0, 0]);
        expect(store.rows.get(callSid)?.state).toBe("ended");
      });
    }
  });
}

test("a snapshot that no version of this engine has left is refused by name", () => {
  const [version] = versions;
  const { state: _state, body, ...head } = read(version?.name ?? "", "streaming.json");
  const opened = (change: object, also: object = {}) =>
    openSnapshot({ ...head, ...also, body: JSON.stringify({ ...body, ...change }) });
  const { machine } = body as unknown as { machine: { value: unknown; context: Record<string, unknown> } };
  const { legs: _legs, ...facts } = machine.context;
  expect(opened({}, { version: 2 })).toMatchObject({ ok: false, why: expect.stringContaining("version 2") });
  expect(opened({ machine: { ...machine, value: { singing: {} } } })).toMatchObject({
    ok: false,
    why: 'root: there is no state "call.singing"',
  });
  expect(opened({ machine: { ...machine, value: "streaming" } })).toMatchObject({
    ok: false,
    why: 'root: there is no state "call.streaming.?"',
  });
  expect(opened({ machine: { ...machine, context: facts } })).toMatchObject({
    ok: false,
    why: 'root: the fact "legs" is missing',
  });
  expect(opened({ seen: 7 })).toMatchObject({ ok: false });
  expect(openSnapshot({ ...head, body: null })).toMatchObject({ ok: false });
  expect(openSnapshot({ ...head, body: "{" })).toMatchObject({ ok: false, why: "it is no JSON" });
  // Of machines that are not known, but in which nothing is missing: it is taken.
  expect(opened({}, { machineHash: "0".repeat(64) })).toMatchObject({ ok: true, how: "fits" });
});
