/** An engine is stopped for a newer one while fifty callers talk: none is dropped, and all hear the AI again. */
import { expect, test } from "bun:test";
import type { CallRow } from "../../engine/ports.ts";
import { startOutside } from "../support/engine-process.ts";
import { NUMBER } from "../support/world.ts";

const CALLS = 50;

test("a rolling restart under fifty live calls drops none", async () => {
  const outside = await startOutside({ deployment: { limits: { drainMs: 0 } } });
  try {
    const { carrier, until } = outside;
    const streams = (): number => carrier.state().streams.length;
    const engine = await outside.start();
    const numbers = Array.from({ length: CALLS }, (_, n) => `+155501${50 + n}`);
    const phones = await Promise.all(numbers.map((number) => outside.phone(number)));
    await Promise.all(phones.map((phone) => phone.dial(NUMBER)));
    await until("all hear the AI", () => streams() === CALLS && phones.every(({ ear }) => ear.heardSpeech));
    expect(await engine.end("SIGTERM")).toBe(0);
    await until("no stream is left", () => streams() === 0);
    await outside.start();
    await until("all have the AI back", () => streams() === CALLS);
    for (const { ear } of phones) ear.forget();
    await until("all hear it again", () => phones.every(({ ear }) => ear.heardSpeech));
    expect(phones.filter(({ state }) => state !== "in-call")).toEqual([]);
    for (const phone of phones) phone.hangUp();
    await until("no leg is left", () => carrier.state().calls.length === 0);
    const rows = await until("all rows have ended", async () => {
      const over = await outside.api<CallRow[]>("calls?limit=100&state=ended");
      return over.length >= CALLS && over;
    });
    expect(rows).toHaveLength(CALLS);
    const ends = new Set(rows.map(({ endReason, metrics }) => `${endReason} ${metrics["restarts"]}`));
    expect([...ends]).toEqual(["caller_hung_up 1"]);
    // One AI leg per call: the one that was there came back.
    expect(carrier.state().counters["call.created.outbound-api"]).toBe(CALLS);
  } finally {
    await outside.stop();
  }
});
