/** An engine that died leaves rows open and callers in the room: the next one closes both. */
import { expect, test } from "bun:test";
import { closeLostCalls, findLostCalls } from "../../engine/call/lost-calls.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { begin, call } from "../support/steps.ts";

test("the caller of a lost call is told, and its row ends", async () => {
  const world = await begin();
  const { phone, callSid } = await call(world);
  await world.store.flush();
  const lost = await findLostCalls(world.store);
  expect(lost.map((row) => [row.callSid, row.state])).toEqual([[callSid, "streaming"]]);
  phone.ear.forget();
  const { store, restCarrier: carrier } = world;
  await closeLostCalls(lost, { store, carrier, clock: systemClock, log: silentLog, apology: "Sorry." });
  expect(await world.row(callSid)).toMatchObject({ state: "ended", endReason: "engine_lost" });
  await world.until("the apology was said and the call is over", () => phone.state === "idle");
  expect(phone.ear.heardSpeech).toBe(true);
  expect(await findLostCalls(world.store)).toEqual([]);
});
