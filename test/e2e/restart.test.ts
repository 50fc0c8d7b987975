/** An engine that died leaves rows open and callers in the room: the next one closes both. */
import { expect, test } from "bun:test";
import { closeLostCalls, findLostCalls } from "../../engine/call/lost-calls.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { silentLog } from "../../engine/platform/log.ts";
import type { CallRow } from "../../engine/ports.ts";
import { begin, call, handOver } from "../support/steps.ts";
import type { World } from "../support/world.ts";

/** The calls that an engine leaves which dies now; what it goes on to do in this process is not seen any more. */
async function lostBy(world: World, callSid: string, state: string): Promise<readonly CallRow[]> {
  await world.until(`its row says ${state}`, async () => {
    const isStored = (await world.row(callSid))?.state === state;
    if (!isStored) await world.store.flush();
    return isStored;
  });
  const lost = await findLostCalls(world.store);
  world.engine.supervisor.get(callSid)?.abandon();
  return lost;
}

test("the caller of a lost call is told, and its row ends", async () => {
  const world = await begin();
  const { phone, callSid } = await call(world);
  const lost = await lostBy(world, callSid, "streaming");
  expect(lost.map((row) => row.callSid)).toEqual([callSid]);
  phone.ear.forget();
  const { store, restCarrier: carrier } = world;
  await closeLostCalls(lost, { store, carrier, clock: systemClock, log: silentLog, apology: "Sorry." });
  expect(await world.row(callSid)).toMatchObject({ state: "ended", endReason: "engine_lost" });
  await world.until("the apology was said and the call is over", () => phone.state === "idle");
  expect(phone.ear.heardSpeech).toBe(true);
  expect(await findLostCalls(world.store)).toEqual([]);
});

test("one failed request does not leave the caller alone", async () => {
  const world = await begin();
  const { phone, callSid } = await call(world);
  const lost = await lostBy(world, callSid, "streaming");
  world.carrier.faults.set({ rest: { status: 503, times: 1, match: "/Calls/", method: "POST" } });
  const { store, restCarrier: carrier } = world;
  await closeLostCalls(lost, { store, carrier, clock: systemClock, log: silentLog, apology: "Sorry." });
  await world.until("the call is over", () => phone.state === "idle");
});

test("a caller who talks to a person goes on, without the AI", async () => {
  const world = await begin();
  const { phone, callSid } = await call(world);
  const human = await handOver(world, callSid);
  const lost = await lostBy(world, callSid, "coaching");
  const { store, restCarrier: carrier } = world;
  await closeLostCalls(lost, { store, carrier, clock: systemClock, log: silentLog, apology: "Sorry." });
  const labels = (): (string | null)[] =>
    (world.carrier.state().conferences[0]?.participants ?? []).map((each) => each.label);
  await world.until("the AI is gone", () => !labels().includes("ai-1"));
  expect(labels().sort()).toEqual(["caller", "human-1"]);
  expect([phone.state, human.state]).toEqual(["in-call", "in-call"]);
  // Nobody would notice the person leaving: the room ends by itself, and the caller is not left alone in it.
  human.hangUp();
  await world.until("the room is closed", () => world.carrier.state().calls.length === 0);
});
