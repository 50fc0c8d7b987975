/** An engine at its limit: new callers are put through or told, and the calls that live notice nothing. */
import { describe, expect, test } from "bun:test";
import { begin, call, ended, stateOf } from "../support/steps.ts";
import { noise, NUMBER, type World } from "../support/world.ts";

const SECOND_CALLER = "+15550143";
const FALLBACK = "+15550155";
/** So late the loop of a test never is, and never so little that five seconds of calm end within it. */
const LATE = { loopLatenessMs: 10_000, minLiveCalls: 1 };
const AGENT = { greeting: "Hello.", apology: "Sorry, we are full." };

async function overloaded(fallbackNumber?: string) {
  const overload = fallbackNumber === undefined ? LATE : { ...LATE, fallbackNumber };
  const world = await begin({ deployment: { agent: AGENT, overload } });
  const live = await call(world);
  world.engine.supervisor.observeLateness(20_000);
  return { world, live };
}

async function goesOn(world: World, { phone, callSid }: Awaited<ReturnType<typeof call>>): Promise<void> {
  expect(stateOf(world, callSid)).toBe("streaming");
  expect(world.engine.supervisor.size).toBe(1);
  phone.hangUp();
  expect((await ended(world, callSid)).endReason).toBe("caller_hung_up");
}

async function refusals(world: World): Promise<readonly string[]> {
  const text = await (await fetch(`${world.engine.origin}/metrics`)).text();
  return text.split("\n").filter((line) => line.startsWith("tandem_calls_refused_total"));
}

describe("while the loop runs late", () => {
  test("a new caller is put through to the fallback number", async () => {
    const { world, live } = await overloaded(FALLBACK);
    const { phone: fallback } = await world.phone(FALLBACK);
    fallback.register();
    const { phone: second } = await world.phone(SECOND_CALLER);
    const callSid = await second.dial(NUMBER);
    await world.until("the fallback phone rings", () => fallback.state === "incoming");
    fallback.answer();
    await world.until("the line is through", () => fallback.state === "in-call");
    void second.speak(noise("is anybody there", 1000));
    await world.until("the fallback phone hears the caller", () => fallback.ear.heardSpeech);
    void fallback.speak(noise("hello", 1000));
    await world.until("the caller hears the fallback phone", () => second.ear.heardSpeech);
    fallback.hangUp();
    await world.until("the caller is let go", () => second.state === "idle");
    expect(world.warnings).toMatchObject([
      { event: "engine.overloaded", calls: 1 },
      { event: "call.refused", callSid, reason: "overloaded", fallback: true },
    ]);
    expect(await refusals(world)).toContain('tandem_calls_refused_total{reason="overloaded"} 1');
    await goesOn(world, live);
  });

  test("a new caller hears the apology when the fallback number is busy", async () => {
    const { world, live } = await overloaded(FALLBACK);
    world.carrier.phones.setBehaviour(FALLBACK, { behaviour: "busy", afterMs: 0 });
    const { phone: second } = await world.phone(SECOND_CALLER);
    await second.dial(NUMBER);
    await world.until("the apology is heard", () => second.ear.heardSpeech);
    await world.until("the caller is let go", () => second.state === "idle");
    expect(world.warnings.at(-1)).toMatchObject({ event: "call.fallback_failed", status: "busy" });
    await goesOn(world, live);
  });

  test("a new caller hears the apology when there is no fallback number", async () => {
    const { world, live } = await overloaded();
    const { phone: second } = await world.phone(SECOND_CALLER);
    await second.dial(NUMBER);
    await world.until("the apology is heard", () => second.ear.heardSpeech);
    await world.until("the caller is let go", () => second.state === "idle");
    const ready = await fetch(`${world.engine.origin}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([503, { parts: { media: { state: "late" } } }]);
    await goesOn(world, live);
  });
});

test("beyond the number of calls that may live, a caller is put through as well", async () => {
  const limits = { maxLiveCalls: 1 };
  const overload = { loopLatenessMs: 0, fallbackNumber: FALLBACK };
  const world = await begin({ deployment: { agent: AGENT, limits, overload } });
  const live = await call(world);
  const { phone: fallback } = await world.phone(FALLBACK);
  fallback.register();
  const { phone: second } = await world.phone(SECOND_CALLER);
  await second.dial(NUMBER);
  await world.until("the fallback phone rings", () => fallback.state === "incoming");
  second.hangUp();
  await world.until("it stops ringing", () => fallback.state !== "incoming");
  await goesOn(world, live);
});
