import { afterEach, expect, test } from "bun:test";
import { CarrierError } from "../../../engine/errors.ts";
import type { CallRow } from "../../../engine/ports.ts";
import { InstantCarrier, MemoryStore, startFakeEngine, type FakeEngine } from "../../support/fake-ports.ts";

const engines: FakeEngine[] = [];

afterEach(async () => {
  for (const fake of engines.splice(0)) await fake.stop();
});

const room = "af-CA1";
const leg = { conference: room, to: "app:AP1", from: "+15550123", label: "ai-1" };

test("the carrier keeps participants until they are removed or their conference ends", async () => {
  const carrier = new InstantCarrier();
  const { conferenceSid, callSid } = await carrier.createParticipant({ ...leg, muted: true });
  expect(await carrier.findConference(room)).toBe(conferenceSid);
  const ref = { conferenceSid, participant: "ai-1" };
  expect(await carrier.updateParticipant(ref, { muted: false })).toMatchObject({ callSid, muted: false });
  expect(await carrier.fetchParticipant({ conferenceSid, participant: callSid })).toMatchObject({
    muted: false,
  });
  expect(await carrier.removeParticipant(ref)).toBe("removed");
  expect(await carrier.removeParticipant(ref)).toBe("gone");
  expect(await carrier.fetchCall(callSid)).toEqual({ callSid, status: "completed" });
  await carrier.createParticipant({ ...leg, label: "ai-2" });
  expect(await carrier.endConference(conferenceSid)).toBe("ended");
  expect(carrier.participants).toEqual([]);
  expect(await carrier.findConference(room)).toBeNull();
});

test("the carrier fails when told to, once for each time", async () => {
  const carrier = new InstantCarrier();
  carrier.failNext("createParticipant", { status: 429, code: 20_429, retryable: true });
  const failing = carrier.createParticipant(leg);
  await expect(failing).rejects.toBeInstanceOf(CarrierError);
  await expect(failing).rejects.toMatchObject({ status: 429, operation: "createParticipant" });
  expect(await carrier.createParticipant(leg)).toMatchObject({ label: "ai-1" });
  expect(carrier.requests.map(([operation]) => operation)).toEqual([
    "createParticipant",
    "createParticipant",
  ]);
});

test("the store gives back what it was given, newest calls first", async () => {
  const store = new MemoryStore();
  for (const callSid of ["CA1", "CA2", "CA3"]) store.saveCall({ callSid, state: "ended" } as CallRow);
  const sids = async (query: { limit: number; before?: string; state?: string }) =>
    (await store.listCalls(query)).map(({ callSid }) => callSid);
  expect(await sids({ limit: 2 })).toEqual(["CA3", "CA2"]);
  expect(await sids({ limit: 2, before: "CA2" })).toEqual(["CA1"]);
  expect(await sids({ limit: 2, state: "streaming" })).toEqual([]);
  expect(await store.getCall("CA9")).toBeNull();
});

test("the engine takes a call on them, up to the AI's leg", async () => {
  const fake = startFakeEngine();
  engines.push(fake);
  const { engine, carrier, model } = fake;
  const callSid = "CA00000000000000000000000000000001";
  const added = carrier.next("createParticipant");
  engine.supervisor.begin({ callSid, conferenceName: room, from: "+15550142", to: "+15550123" });
  const conferenceSid = "CF00000000000000000000000000000001";
  engine.supervisor.deliver(callSid, {
    type: "participant.joined",
    label: "caller",
    callSid,
    conferenceSid,
  });
  const [input] = await added;
  expect(input).toMatchObject({ label: "ai-1", from: "+15550123" });
  expect(model.sessions.map(({ config }) => config.callId)).toEqual([callSid]);
  await fake.stop();
  expect(engine.supervisor.size).toBe(0);
  expect(model.sessions.every(({ closed }) => closed)).toBe(true);
  expect(await fake.store.getCall(callSid)).toMatchObject({ state: "ended", endReason: "caller_hung_up" });
});
