/** Trouble at Twilio and at the model: retried, or said to the caller; named in the log and in the row. */
import { describe, expect, test } from "bun:test";
import type { CallRow } from "../../engine/ports.ts";
import { begin, call, ended, stateOf } from "../support/steps.ts";
import { CALLER, NUMBER, ON_CALL, type World } from "../support/world.ts";

const deployment = { agent: { apology: "Sorry." } };

async function dial(world: World): Promise<string> {
  const { phone } = await world.phone(CALLER);
  return await phone.dial(NUMBER);
}

async function endsWithApology(world: World, callSid: string) {
  const row = await ended(world, callSid);
  const log = await world.log(callSid);
  expect(log.some((entry) => entry.kind === "effect" && entry.name === "carrier.apologise")).toBe(true);
  // Not cut short: the farewell was said to its end.
  expect(log.some((entry) => entry.name === "caller.gone" && entry.data["reason"] === "farewell")).toBe(true);
  return row;
}

describe("trouble at the carrier", () => {
  for (const status of [429, 503]) {
    test(`${status} to the first request for the AI leg is overcome`, async () => {
      const world = await begin({ deployment });
      world.carrier.faults.set({ rest: { status, times: 1, match: "Participants", method: "POST" } });
      const { phone, callSid } = await call(world);
      phone.hangUp();
      expect((await ended(world, callSid)).endReason).toBe("caller_hung_up");
    });
  }

  test("an answer that is lost after the AI leg was made makes no second leg", async () => {
    const world = await begin({ deployment });
    world.carrier.faults.set({
      rest: { status: 503, times: 1, match: "Participants", method: "POST", phase: "after" },
    });
    const { phone, callSid } = await call(world);
    const participants = world.carrier.state().conferences[0]?.participants ?? [];
    expect(participants.map((p) => p.label).sort()).toEqual(["ai-1", "caller"]);
    phone.hangUp();
    await ended(world, callSid);
  });

  test("a refusal of the AI leg is told to the caller", async () => {
    const world = await begin({ deployment });
    world.carrier.faults.set({
      rest: { status: 400, code: 21201, times: 100, match: "Participants", method: "POST" },
    });
    const row = await endsWithApology(world, await dial(world));
    expect(row.endReason).toBe("arrival_failed");
    expect(row.errors[0]?.code).toBe("carrier.addAi.21201");
  });

  test("callbacks that never come do not keep a call from starting and ending", async () => {
    const world = await begin({ deployment });
    world.carrier.faults.set({ callbacks: { dropRate: 1 } });
    const { phone, callSid } = await call(world);
    phone.hangUp();
    expect((await ended(world, callSid)).endReason).toBe("caller_hung_up");
  });

  test("callbacks that come twice and out of order change nothing", async () => {
    const world = await begin({ deployment });
    world.carrier.faults.set({ callbacks: { duplicateRate: 1, delayMs: [0, 60] } });
    const { phone, callSid } = await call(world);
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(row.endReason).toBe("caller_hung_up");
    expect(row.errors).toEqual([]);
  });
});

describe("trouble at the model", () => {
  test("a format other than the one asked for is refused, and told to the caller", async () => {
    const world = await begin({ deployment, modelFaults: { echoFormat: "audio/pcm" } });
    const row = await endsWithApology(world, await dial(world));
    expect(row.endReason).toBe("model_failed");
    expect(row.errors[0]?.code).toBe("model.format_mismatch");
  });

  test("a wrong key is told to the caller at once", async () => {
    const world = await begin({ deployment, modelFaults: { refuseUpgrade: { status: 401 } } });
    const row = await endsWithApology(world, await dial(world));
    expect(row.errors[0]?.code).toBe("model.auth_failed");
  });

  test("a model that closes in the middle is rebuilt, and the call goes on", async () => {
    const world = await begin({ deployment, modelFaults: { close: { afterAppends: 20, times: 1 } } });
    const { phone, callSid } = await call(world);
    await world.until(
      "a second session",
      () => world.model.counters()["opened"] === 2 && world.model.sessions().length === 1,
    );
    expect(stateOf(world, callSid)).toBe("streaming");
    phone.hangUp();
    expect((await ended(world, callSid)).endReason).toBe("caller_hung_up");
  });
});

describe("a caller who hangs up during the apology", () => {
  test("is rung back by somebody at once, and not when the apology's time is over", async () => {
    const rungs = [{ name: "primary", contacts: [{ name: "nurse", voice: ON_CALL }] }];
    // Longer than any test waits.
    const apology = "I am sorry. ".repeat(40);
    const world = await begin({ deployment: { agent: { apology }, escalation: { rungs } } });
    const { phone: nurse } = await world.phone(ON_CALL);
    nurse.register();
    const { phone, callSid } = await call(world);
    expect((await world.command(callSid, { command: "escalate" })).status).toBe(202);
    await world.until("the nurse is rung", () => nurse.state === "incoming");
    world.carrier.faults.set({
      rest: { status: 400, code: 21201, times: 100, match: "Participants", method: "POST" },
    });
    const legs = world.carrier.state().conferences[0]?.participants ?? [];
    await world.hangUpAtCarrier(legs.find(({ label }) => label === "ai-1")?.callSid ?? "");
    await world.until("the caller is told", async () =>
      (await world.log(callSid)).some(
        ({ kind, data }) => kind === "result" && data["name"] === "carrier.apologise",
      ),
    );
    await world.until("the nurse is rung no more", () => nurse.state === "idle");
    expect(stateOf(world, callSid)).toBe("wrapUp");
    phone.hangUp();
    await world.until("the nurse is asked to ring back", () => nurse.state === "incoming");
    expect((await world.restCarrier.fetchCall(callSid))?.status).toBe("completed");
    const row = (await world.row(callSid)) as CallRow;
    expect(row).toMatchObject({ state: "ended", endReason: "ai_leg_failed" });
    expect(row.escalations[0]?.outcome).toBe("call_lost");
    const log = await world.log(callSid);
    const answers = log.filter(({ kind, data }) => kind === "result" && data["callerAlive"] === false);
    expect(answers).toHaveLength(1);
    const events = log.filter(({ kind }) => kind === "event");
    expect(events.map(({ name }) => name)).not.toContain("caller.gone");
    const deadlines = events.filter(({ name }) => name === "deadline").map(({ data }) => data["name"]);
    expect(deadlines).toContain("checkCaller");
    expect(deadlines).not.toContain("goodbye");
  });
});
