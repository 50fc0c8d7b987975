import { afterEach, describe, expect, test } from "bun:test";
import { CALLER, NUMBER, ON_CALL, startWorld, type World, type WorldOptions } from "../support/world.ts";

let world: World | null = null;

async function begin(options: WorldOptions = {}): Promise<World> {
  world = await startWorld(options);
  return world;
}

afterEach(async () => {
  await world?.stop();
  world = null;
});

async function call(w: World) {
  const { phone } = await w.phone(CALLER);
  const callSid = await phone.dial(NUMBER);
  await w.until("streaming", () => w.engine.supervisor.get(callSid)?.state === "streaming");
  return { phone, callSid };
}

async function ended(w: World, callSid: string) {
  await w.until("ended", () => w.engine.supervisor.get(callSid) === null);
  await w.until("no leg is left", () => w.carrier.state().calls.length === 0);
  const row = await w.row(callSid);
  expect(row?.state).toBe("ended");
  expect((await w.store.listCalls({ limit: 10 })).filter((each) => each.callSid === callSid)).toHaveLength(1);
  return row;
}

describe("a call over real sockets", () => {
  test("is answered by the AI, and ends in one row when the caller hangs up", async () => {
    const w = await begin();
    const { phone, callSid } = await call(w);
    phone.hangUp();
    const row = await ended(w, callSid);
    expect(row?.endReason).toBe("caller_hung_up");
    expect(row?.protected.from).toBe(CALLER);
    expect(w.warnings).toEqual([]);
  });

  test("goes to a human with the AI as coach, and back", async () => {
    const w = await begin();
    const human = await w.phone(ON_CALL);
    human.phone.register();
    const { phone, callSid } = await call(w);
    expect((await w.command(callSid, { command: "escalate", to: ON_CALL })).status).toBe(202);
    await w.until("ringing", () => human.phone.state === "incoming");
    human.phone.answer();
    await w.until("the briefing is heard", () => human.phone.ear.heardSpeech);
    human.phone.press("1");
    await w.until("coaching", () => w.engine.supervisor.get(callSid)?.state === "coaching");
    const ai = () => w.carrier.state().conferences[0]?.participants.find((p) => p.label === "ai-1");
    await w.until("the AI coaches, unmuted", () => ai()?.coaching === true && ai()?.muted === false);
    human.phone.hangUp();
    await w.until("streaming", () => w.engine.supervisor.get(callSid)?.state === "streaming");
    expect(ai()?.coaching).toBe(false);
    phone.hangUp();
    const row = await ended(w, callSid);
    expect(row?.handover).toBe("coached");
    expect(w.warnings).toEqual([]);
  });
});
