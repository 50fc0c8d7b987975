/** Fifty calls at once, from a ring to a row each, and nothing left of them. */
import { expect, test } from "bun:test";
import { begin, stateOf } from "../support/steps.ts";
import { NUMBER } from "../support/world.ts";

const CALLS = 50;

test(`${CALLS} calls at once end cleanly and leave nothing behind`, async () => {
  const world = await begin({ deployment: { agent: { greeting: "Hello." } } });
  const numbers = Array.from({ length: CALLS }, (_, i) => `+1555${String(1000 + i)}`);
  const phones = await Promise.all(numbers.map(async (number) => (await world.phone(number)).phone));
  const callSids = await Promise.all(phones.map((phone) => phone.dial(NUMBER)));
  await world.until("all stream", () => callSids.every((callSid) => stateOf(world, callSid) === "streaming"));
  expect(world.engine.gateway.live).toBe(CALLS);
  await world.until("all have heard the greeting", () => phones.every((phone) => phone.ear.heardSpeech));
  for (const phone of phones) phone.hangUp();
  await world.until("all are over", () => world.engine.supervisor.size === 0);
  await world.until("no leg is left", () => world.carrier.state().calls.length === 0);
  await world.until("no session is left", () => world.model.sessions().length === 0);
  const rows = await world.store.listCalls({ limit: 500 });
  expect(rows.map((row) => row.callSid).sort()).toEqual([...callSids].sort());
  expect(rows.every((row) => row.state === "ended" && row.endReason === "caller_hung_up")).toBe(true);
  expect(rows.flatMap((row) => row.errors)).toEqual([]);
  expect(world.warnings).toEqual([]);
  // The last callbacks are still on their way when the calls they tell of are over.
  await world.until("nothing is pending", () => {
    const { ticking, callbacks } = world.carrier.state().pending;
    return ticking === 0 && callbacks === 0;
  });
  expect(world.engine.gateway.counters()).toMatchObject({ live: 0, waiting: 0, handlerErrors: 0 });
});
