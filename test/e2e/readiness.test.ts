/** What `/readyz` says of a carrier and of a model that do not answer, by calls that were tried. */
import { describe, expect, test } from "bun:test";
import type { Readiness } from "../../engine/http/readiness.ts";
import { begin, call, ended } from "../support/steps.ts";
import { CALLER, NUMBER, type World } from "../support/world.ts";

async function readiness(world: World): Promise<readonly [number, Readiness["parts"]]> {
  const answer = await fetch(`${world.engine.origin}/readyz`);
  return [answer.status, ((await answer.json()) as Readiness).parts];
}

/** Somebody calls who is not put through to an AI. */
async function tried(world: World): Promise<void> {
  const { phone } = await world.phone(CALLER);
  const callSid = await phone.dial(NUMBER);
  await world.until("the caller is let go", () => phone.state === "idle");
  await ended(world, callSid);
}

const AGENT = { greeting: "Hello.", apology: "Sorry." };

describe("an engine whose model", () => {
  test("refuses the key is not ready, until one session works", async () => {
    const modelFaults = { refuseUpgrade: { status: 401 } };
    const world = await begin({ modelFaults, deployment: { agent: AGENT } });
    expect(await readiness(world)).toMatchObject([200, { model: { state: "untried", reason: null } }]);
    await tried(world);
    const reason = expect.stringMatching(/^the last .*requests? failed, \d+ s ago: auth_failed$/);
    expect(await readiness(world)).toMatchObject([503, { model: { state: "failing", reason } }]);
    world.model.faults.set({ refuseUpgrade: null });
    const { phone, callSid } = await call(world);
    expect(await readiness(world)).toMatchObject([200, { model: { state: "ok" }, carrier: { state: "ok" } }]);
    phone.hangUp();
    await ended(world, callSid);
  });

  test("cannot be reached is not ready after some attempts", async () => {
    const modelFaults = { refuseUpgrade: { status: 503 } };
    const world = await begin({ modelFaults, deployment: { agent: AGENT } });
    await tried(world);
    const reason = expect.stringMatching(/^the last \d+ requests failed, \d+ s ago: connect_failed$/);
    expect(await readiness(world)).toMatchObject([503, { model: { state: "failing", reason } }]);
  });
});

describe("an engine whose carrier", () => {
  test("refuses the credentials is not ready, and shows none of them", async () => {
    const world = await begin({ deployment: { agent: AGENT } });
    world.carrier.faults.set({ rest: { status: 401, code: 20003 } });
    await world.restCarrier.fetchCall("CA00000000000000000000000000000001").catch(() => null);
    const [status, parts] = await readiness(world);
    const reason = expect.stringMatching(/ 0 s ago: HTTP 401, Twilio error 20003: check the credentials$/);
    expect([status, parts]).toMatchObject([
      503,
      { carrier: { state: "failing", reason }, model: { state: "untried" } },
    ]);
    expect(JSON.stringify(parts)).not.toContain(world.authToken);
    world.carrier.faults.set({ rest: null });
    // Not there is an answer.
    await world.restCarrier.fetchCall("CA00000000000000000000000000000001");
    expect(await readiness(world)).toMatchObject([200, { carrier: { state: "ok" } }]);
  });

  test("does not answer is not ready after some attempts", async () => {
    const world = await begin({ deployment: { agent: AGENT } });
    world.carrier.faults.set({ rest: { status: 503, times: 5 } });
    await world.restCarrier.fetchCall("CA00000000000000000000000000000001").catch(() => null);
    const reason = expect.stringMatching(/^the last \d requests failed, \d+ s ago: HTTP 503$/);
    expect(await readiness(world)).toMatchObject([503, { carrier: { state: "failing", reason } }]);
    world.carrier.faults.set({ rest: null });
  });
});
