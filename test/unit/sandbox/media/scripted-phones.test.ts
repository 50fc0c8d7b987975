import { afterEach, beforeEach, expect, test } from "bun:test";
import type { PhoneLine } from "../../../../adapters/sandbox/types.ts";
import { beep, SILENT_FRAME } from "../../../../adapters/sandbox/carrier/media/tones.ts";
import { noise } from "./audio.ts";
import { GREETING, PhoneWorld } from "./phone-client.ts";

const NUMBER = "+15550100";

let world: PhoneWorld;
beforeEach(() => {
  world = new PhoneWorld();
});
afterEach(async () => {
  await world.stop();
  expect(world.clock.pendingTimers).toBe(0);
});

function answeredLine(): PhoneLine {
  const line = world.outcomes.at(-1)?.[1];
  if (!line) throw new Error("nobody answered");
  return line;
}

test("each behaviour has its outcome after its time", () => {
  for (const [behaviour, outcome] of [
    ["answer", "answered"],
    ["busy", "busy"],
    ["decline", "declined"],
    ["voicemail", "voicemail"],
  ] as const) {
    world.phones.setBehaviour(NUMBER, { behaviour, afterMs: 700 });
    world.ring(NUMBER);
    world.clock.advance(699);
    expect(world.outcomes).toHaveLength(0);
    world.clock.advance(1);
    const [got, line] = world.outcomes.pop() ?? [];
    expect(got).toBe(outcome);
    expect(line !== null).toBe(outcome === "answered" || outcome === "voicemail");
    line?.hangUp("completed");
  }
});

test("a phone that is not answered rings for ever, without a timer, until it is cancelled", () => {
  world.phones.setBehaviour(NUMBER, { behaviour: "no-answer" });
  const handle = world.ring(NUMBER);
  world.clock.advance(600_000);
  expect(world.outcomes).toEqual([]);
  expect(world.clock.pendingTimers).toBe(0);
  expect(world.phones.counters()["scriptedEngaged"]).toBe(1);
  handle?.cancel();
  expect(world.phones.counters()["scriptedEngaged"]).toBe(0);
});

test("a cancelled ring has no outcome; cancelling after the answer changes nothing", () => {
  world.phones.setBehaviour(NUMBER, { behaviour: "answer", afterMs: 100 });
  world.ring(NUMBER)?.cancel();
  world.clock.advance(1_000);
  expect(world.outcomes).toEqual([]);
  const handle = world.ring(NUMBER);
  world.clock.advance(100);
  handle?.cancel();
  expect(world.phones.counters()["scriptedEngaged"]).toBe(1);
  answeredLine().hangUp("completed");
  expect(world.phones.counters()["scriptedEngaged"]).toBe(0);
});

test("a second ring finds a scripted phone busy until the first call is over", () => {
  world.phones.setBehaviour(NUMBER, { behaviour: "answer", afterMs: 100 });
  world.ring(NUMBER);
  world.ring(NUMBER);
  world.clock.advance(100);
  expect(world.outcomes.map(([outcome]) => outcome)).toEqual(["busy", "answered"]);
  answeredLine().hangUp("completed");
  world.ring(NUMBER);
  world.clock.advance(100);
  expect(world.outcomes.at(-1)?.[0]).toBe("answered");
});

test("keys are pressed half a second into what is heard, not into silence", () => {
  world.phones.setBehaviour(NUMBER, { behaviour: "answer", afterMs: 0, press: "12" });
  world.ring(NUMBER);
  world.clock.advance(0);
  const line = answeredLine();
  for (let i = 0; i < 100; i++) line.write(SILENT_FRAME);
  for (let i = 0; i < 24; i++) line.write(noise(1));
  expect(world.told).toEqual([]);
  line.write(noise(1));
  expect(world.told).toEqual(["1"]);
  for (let i = 0; i < 9; i++) line.write(noise(1));
  expect(world.told).toEqual(["1"]);
  line.write(SILENT_FRAME);
  expect(world.told).toEqual(["1", "2"]);
});

test("a key is pressed after five seconds of silence too, but not once the call is over", () => {
  world.phones.setBehaviour(NUMBER, { behaviour: "answer", afterMs: 0, press: "1" });
  for (const hangUp of [true, false]) {
    world.ring(NUMBER);
    world.clock.advance(0);
    const line = answeredLine();
    for (let i = 0; i < 249; i++) line.write(SILENT_FRAME);
    if (hangUp) line.hangUp("completed");
    line.write(SILENT_FRAME);
    expect(world.told).toEqual(hangUp ? [] : ["1"]);
  }
});

test("keys and the hang-up come at their times after the answer, and keys of the same time come first", () => {
  world.phones.setBehaviour(NUMBER, {
    behaviour: "answer",
    afterMs: 200,
    presses: [
      { afterMs: 1_000, key: "1" },
      { afterMs: 9_000, key: "*" },
    ],
    hangUpAfterMs: 9_000,
  });
  world.ring(NUMBER);
  world.clock.advance(1_199);
  expect(world.told).toEqual([]);
  world.clock.advance(1);
  expect(world.told).toEqual(["1"]);
  world.clock.advance(7_999);
  expect(world.told).toEqual(["1"]);
  world.clock.advance(1);
  expect(world.told).toEqual(["1", "*", "hangup"]);
  expect(world.phones.counters()["scriptedEngaged"]).toBe(0);
});

test("nothing of a script is done after the far end has hung up, not even within the answer", () => {
  const presses = [{ afterMs: 100, key: "1" }];
  world.phones.setBehaviour(NUMBER, { behaviour: "answer", afterMs: 0, presses, hangUpAfterMs: 200 });
  world.ring(NUMBER);
  world.clock.advance(0);
  answeredLine().hangUp("completed");
  world.phones.ring(NUMBER, { callSid: "CA1", from: "+15550199" }, (_, line) => {
    if (line) world.listen(line);
    line?.hangUp("completed");
  });
  world.clock.advance(1_000);
  expect(world.told).toEqual([]);
});

test("several scripts are played in turn, one for each ring, and the last one stays", () => {
  world.phones.setBehaviour(
    NUMBER,
    { behaviour: "busy", afterMs: 10 },
    { behaviour: "answer", afterMs: 10, hangUpAfterMs: 50 },
    { behaviour: "decline", afterMs: 10 },
  );
  const outcomes = (): string[] => {
    world.ring(NUMBER);
    // Rung while it rings: busy, and no script is used up by it.
    world.ring(NUMBER);
    world.clock.advance(100);
    return world.outcomes.splice(0).map(([outcome]) => outcome);
  };
  expect(outcomes()).toEqual(["busy", "busy"]);
  expect(outcomes()).toEqual(["busy", "answered"]);
  expect(outcomes()).toEqual(["busy", "declined"]);
  expect(outcomes()).toEqual(["busy", "declined"]);
});

test("a voicemail hangs up at its time, too", () => {
  world.phones.setBehaviour(NUMBER, {
    behaviour: "voicemail",
    afterMs: 0,
    presses: [{ afterMs: 10, key: "1" }],
    hangUpAfterMs: 500,
  });
  world.ring(NUMBER);
  world.clock.advance(500);
  expect(world.told).toEqual(["hangup"]);
});

test("a voicemail greets, beeps, falls silent and never presses a key; its greeting can be understood", async () => {
  world.phones.setBehaviour(NUMBER, { behaviour: "voicemail", afterMs: 100, press: "1" });
  world.ring(NUMBER);
  await Promise.resolve();
  world.clock.advance(100);
  const line = answeredLine();
  const out = new Uint8Array(160);
  const said: number[] = [];
  while (line.read(out)) {
    said.push(...out);
    line.write(noise(1));
  }
  expect(Buffer.from(said).equals(Buffer.concat([GREETING, beep()]))).toBe(true);
  for (let i = 0; i < 400; i++) line.write(noise(1));
  expect(world.told).toEqual([]);
  expect(world.hearing.lookup(GREETING.subarray(0, 160))[0]).toMatch(/after the tone/);
});

test("a phone that is connected comes before the script of its number", async () => {
  world.phones.setBehaviour(NUMBER, { behaviour: "busy" });
  const phone = await world.phone(NUMBER);
  world.ring(NUMBER);
  await phone.notice("incoming");
  expect(world.clock.pendingTimers).toBe(0);
});
