import { expect, test, describe } from "bun:test";
import { begin, call, ended, handOver, stateOf } from "../support/steps.ts";
import { CALLER } from "../support/world.ts";

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
    const { phone, callSid } = await call(w);
    const human = await handOver(w, callSid);
    const ai = () => w.carrier.state().conferences[0]?.participants.find((p) => p.label === "ai-1");
    expect(ai()).toMatchObject({ coaching: true, muted: false });
    human.hangUp();
    await w.until("streaming", () => w.engine.supervisor.get(callSid)?.state === "streaming");
    expect(ai()?.coaching).toBe(false);
    phone.hangUp();
    const row = await ended(w, callSid);
    expect(row?.handover).toBe("coached");
    expect(w.warnings).toEqual([]);
  });

  test("is not told by a late callback what holds no more", async () => {
    const w = await begin();
    const { phone, callSid } = await call(w);
    const human = await handOver(w, callSid);
    w.carrier.faults.set({ callbacks: { match: "participant-mute", delayMs: [2000, 2000] } });
    human.hangUp();
    await w.until("streaming", () => stateOf(w, callSid) === "streaming");
    const outdated = () => w.engine.supervisor.get(callSid)?.row().metrics["eventsOutdated"];
    await w.until("the callback of its mute has come", () => outdated() === 1);
    phone.hangUp();
    await ended(w, callSid);
    const mutes = (await w.log(callSid)).filter(
      ({ kind, name }) => kind === "effect" && name === "carrier.mute",
    );
    // For the coach, and for the way back: it is not unmuted once more.
    expect(mutes.map(({ data }) => data["muted"])).toEqual([true, false, true, false]);
  });
});
