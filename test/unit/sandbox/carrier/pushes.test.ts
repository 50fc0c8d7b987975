import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Push } from "../../../../adapters/sandbox/carrier/pushes.ts";
import { startWorld, type World } from "./harness.ts";

const PUSH = {
  title: "A caller needs you",
  body: "A caller asks for the nurse on call.",
  callSid: "CA00000000000000000000000000000001",
  urgency: "high",
  ackUrl: "http://127.0.0.1:8080/ack/abc",
};

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(async () => {
  await world.stop();
  expect(world.carrier.state().pending.timers).toBe(0);
});

function push(name: string, body: unknown = PUSH, init: RequestInit = {}): Promise<Response> {
  return fetch(`${world.carrier.url}/sandbox/push/${name}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
  });
}

async function list(name: string): Promise<Push[]> {
  return (await fetch(`${world.carrier.url}/sandbox/push/${name}`)).json() as Promise<Push[]>;
}

test("a push is kept under its name, oldest first, and listed", async () => {
  expect((await push("nurse")).status).toBe(204);
  await push("nurse", { ...PUSH, title: "Second" });
  await push("manager");
  expect(await list("nurse")).toMatchObject([PUSH, { ...PUSH, title: "Second" }]);
  expect(world.carrier.pushes.of("manager")).toHaveLength(1);
  expect(await list("nobody")).toEqual([]);
});

test("what is no push is refused, and nothing kept", async () => {
  for (const body of ["{", "[]", { ...PUSH, urgency: "whenever" }, { ...PUSH, ackUrl: "javascript:1" }]) {
    expect((await push("nurse", body)).status).toBe(400);
  }
  expect((await push("a%2Fb")).status).toBe(404);
  expect(await list("nurse")).toEqual([]);
});

test("the last hundred are kept", async () => {
  for (let n = 0; n < 103; n++) await push("nurse", { ...PUSH, title: String(n) });
  expect((await list("nurse")).map(({ title }) => title)).toEqual(
    Array.from({ length: 100 }, (_, n) => String(n + 3)),
  );
  expect(world.carrier.state().counters["push.dropped"]).toBe(3);
});

test("faults refuse the next pushes, or take them and lose the answer", async () => {
  world.carrier.faults.set({ push: { status: 500, times: 2 } });
  expect([(await push("nurse")).status, (await push("nurse")).status]).toEqual([500, 500]);
  expect(await list("nurse")).toEqual([]);
  expect((await push("nurse")).status).toBe(204);
  world.carrier.faults.set({ push: { status: 503, phase: "after", match: "/manager" } });
  expect((await push("nurse")).status).toBe(204);
  expect((await push("manager")).status).toBe(503);
  expect(await list("manager")).toHaveLength(1);
});

test("a fault holds a push until its sender gives up", async () => {
  world.carrier.faults.set({ pushTimeout: { times: 1 } });
  const abort = new AbortController();
  const held = push("nurse", PUSH, { signal: abort.signal }).catch((error: Error) => error.name);
  while (world.carrier.state().counters["push.fault.timeout"] === undefined) {
    await fetch(`${world.carrier.url}/sandbox/state`);
  }
  abort.abort();
  expect(await held).toBe("AbortError");
  expect((await push("nurse")).status).toBe(204);
});
