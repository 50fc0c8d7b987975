/** A caller who is put through to a phone: `<Dial>` of a number. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { startWorld, TestPhone, type Received, type World } from "./harness.ts";

const CALLER = "+15550142";
const CALLEE = "+15550199";

let world: World;
let caller: TestPhone;
beforeEach(async () => {
  world = await startWorld();
  caller = new TestPhone(world.carrier.url);
  const dial = `<Response><Dial action="/after" timeout="20">${CALLEE}</Dial></Response>`;
  world.customer.on("/voice", dial).on("/after", "<Response><Hangup/></Response>");
});
afterEach(async () => {
  caller.close();
  await world.stop();
  const { calls, pending } = world.carrier.state();
  expect({ calls, pending }).toEqual({
    calls: [],
    pending: { queuedCalls: 0, timers: 0, webhooks: 0, callbacks: 0, ticking: 0 },
  });
});

async function after(): Promise<Received["fields"]> {
  return (await world.customer.next("/after")).fields;
}

/** A person's phone of this number, which rings for the caller. */
async function ringing(): Promise<TestPhone> {
  const phone = new TestPhone(world.carrier.url);
  await phone.send({ type: "register", number: CALLEE });
  // Commands are taken in order: when this one is refused, the phone is registered.
  await phone.send({ type: "nonsense" });
  await phone.event("error");
  await caller.dial(CALLER);
  expect(await phone.event("incoming")).toMatchObject({ from: CALLER });
  return phone;
}

async function answering(): Promise<TestPhone> {
  const phone = await ringing();
  await phone.send({ type: "answer" });
  await phone.event("answered");
  return phone;
}

test("both legs are in one call, the second a child of the first", async () => {
  const phone = await answering();
  const legs = world.carrier.state().calls;
  expect(legs.map(({ direction, status }) => [direction, status])).toEqual([
    ["inbound", "in-progress"],
    ["outbound-dial", "in-progress"],
  ]);
  expect(legs[1]).toMatchObject({ parentSid: legs[0]?.sid, to: CALLEE });
  phone.close();
  const fields = await after();
  expect(fields.get("DialCallStatus")).toBe("completed");
  expect(fields.get("DialCallSid")).toBe(legs[1]?.sid ?? "");
  expect(await caller.event("ended")).toMatchObject({ reason: "completed" });
});

test("when the caller hangs up, the phone that was put through is let go", async () => {
  const phone = await answering();
  await caller.send({ type: "hangup" });
  expect(await phone.event("ended")).toMatchObject({ reason: "completed" });
  phone.close();
});

test("when the caller hangs up while it rings, the phone stops ringing", async () => {
  const phone = await ringing();
  await caller.send({ type: "hangup" });
  await phone.event("cancelled");
  phone.close();
});

test("a busy phone is told to the action", async () => {
  world.carrier.phones.setBehaviour(CALLEE, { behaviour: "busy", afterMs: 0 });
  await caller.dial(CALLER);
  expect((await after()).get("DialCallStatus")).toBe("busy");
  await caller.event("ended");
});

test("without an action the next verb follows", async () => {
  world.carrier.phones.setBehaviour(CALLEE, { behaviour: "busy", afterMs: 0 });
  const next = '<Redirect method="POST">/after</Redirect>';
  world.customer.on("/voice", `<Response><Dial>${CALLEE}</Dial>${next}</Response>`);
  await caller.dial(CALLER);
  expect((await after()).get("DialCallStatus")).toBeNull();
  await caller.event("ended");
});
