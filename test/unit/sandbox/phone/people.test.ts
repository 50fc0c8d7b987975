/** Several people on call in one script, against a ladder that rings one after the other. */
import { afterEach, expect, test } from "bun:test";
import { type CallEvent, type CallResult, placeCall } from "../../../../adapters/sandbox/cli/place-call.ts";
import type { Step } from "../../../../adapters/sandbox/cli/script.ts";
import { Whispers } from "../../../../adapters/sandbox/cli/whispers.ts";
import type { Speech } from "../../../../adapters/sandbox/types.ts";
import { systemClock } from "../../../../engine/platform/clock.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { noise } from "../media/audio.ts";
import { FakeSandbox, type FakeOptions, TWO_PEOPLE } from "./fake-sandbox.ts";
import { toneUlaw } from "./signals.ts";

let fake: FakeSandbox;
let events: CallEvent[];
afterEach(async () => {
  await fake.stop();
});

const speech: Speech = {
  say: (text) => Promise.resolve(toneUlaw(600, 300 + text.length)),
  close: () => undefined,
};
const ESCALATE: Step = { do: "command", operator: { command: "escalate", reason: "a test" } };
const BOTH: Step = { do: "register", who: ["primary", "fallback-1"] };

async function call(steps: readonly Step[], options: FakeOptions = {}): Promise<CallResult> {
  fake = new FakeSandbox({ onCall: TWO_PEOPLE, ...options });
  events = [];
  return await placeCall({
    engineUrl: fake.url,
    from: "+15550142",
    steps,
    speech,
    clock: systemClock,
    log: silentLog,
    onEvent: (event) => events.push(event),
  });
}

function accepts(who: string): Step[] {
  return [
    { do: "await-ring", who },
    { do: "answer", who },
    { do: "await-speech", who, speechMs: 100 },
    { do: "press", who, digits: "1" },
    { do: "await-state", state: "coaching" },
  ];
}

const phoneEvents = (): string[] =>
  events.flatMap((event) => (event.type === "phone" ? [`${event.who} ${event.event}`] : []));

test("the first lets it ring until it stops, the second accepts, and each is called by their rung", async () => {
  const result = await call([
    BOTH,
    ESCALATE,
    { do: "await-ring", who: "primary" },
    { do: "ignore", who: "primary" },
    ...accepts("fallback-1"),
    { do: "say", who: "fallback-1", text: "This is the manager." },
    { do: "await-turn", quietMs: 200 },
    { do: "hang-up", who: "fallback-1" },
    { do: "await-state", state: "streaming" },
    { do: "hang-up" },
  ]);
  expect(result.problem).toBeNull();
  expect(phoneEvents()).toEqual([
    "primary sms",
    "primary incoming",
    "primary cancelled",
    "fallback-1 incoming",
    "fallback-1 answered",
    "fallback-1 ended",
  ]);
});

test("`on-call` is the first of the ladder, and is who the operator's escalation names", async () => {
  const result = await call([
    { do: "register", who: ["on-call"] },
    ESCALATE,
    ...accepts("on-call"),
    { do: "hang-up" },
  ]);
  expect(result.problem).toBeNull();
  expect(fake.commands).toEqual([{ command: "escalate", to: "+15550100", reason: "a test" }]);
});

test("who declines is not rung any more, and the next one is", async () => {
  const result = await call([
    BOTH,
    ESCALATE,
    { do: "await-ring", who: "primary" },
    { do: "decline", who: "primary" },
    ...accepts("fallback-1"),
    { do: "hang-up" },
  ]);
  expect(result.problem).toBeNull();
  expect(phoneEvents()).not.toContain("primary cancelled");
});

test("an SMS is answered by SMS; one of an earlier call is not taken for it", async () => {
  const steps: Step[] = [
    { do: "register", who: ["primary"] },
    { do: "await-sms", who: "primary", timeoutMs: 100, optional: true },
    ESCALATE,
    { do: "await-sms", who: "primary", text: "Take the call" },
    { do: "send-sms", who: "primary", body: "1" },
    ...accepts("primary"),
    { do: "hang-up" },
  ];
  const result = await call(steps, { oldSms: "Take the call: http://127.0.0.1:1/ack/old" });
  expect(result.problem).toBeNull();
  expect(fake.received).toContainEqual({ type: "sms", to: "+15550123", body: "1" });
  await fake.stop();
  const early = await call([...steps.slice(0, 1), { do: "await-sms", who: "primary", timeoutMs: 50 }], {
    oldSms: "old",
  });
  expect(early.problem).toContain("primary got no such SMS within 50 ms");
});

test("the link of an SMS is looked at and then acknowledged", async () => {
  const result = await call([
    BOTH,
    ESCALATE,
    { do: "await-sms", who: "primary" },
    { do: "open-ack-link", who: "primary" },
    ...accepts("primary"),
    { do: "hang-up" },
  ]);
  expect(result.problem).toBeNull();
  expect(fake.acks).toEqual(["GET", "POST"]);
  expect(events.filter(({ type }) => type === "finding")).toMatchObject([
    { text: "GET of the link of primary: 200" },
    { text: "POST of the link of primary: 200" },
  ]);
});

test("a check for a whisper fails when the AI does not whisper", async () => {
  const result = await call([BOTH, { do: "check-whisper", who: "primary", timeoutMs: 50 }]);
  expect(result.problem).toContain("the AI did not whisper within 50 ms");
});

test("a ladder that takes long before it moves on is told of, with what makes it shorter", async () => {
  const onCall = { ...TWO_PEOPLE, ackTimeoutMs: 120_000 };
  await call([BOTH, { do: "hang-up" }, { do: "ignore", who: "primary" }], { onCall });
  expect(events).toContainEqual(
    expect.objectContaining({ type: "warning", problem: expect.stringContaining("120 s") }),
  );
});

test("whispers are told from what was said aloud by their frames", async () => {
  const said = new Map([
    ["aloud", noise(1, 10)],
    ["whisper", Uint8Array.of(...noise(1, 2), ...noise(2, 5))],
  ]);
  const voice: Speech = {
    say: (text) => Promise.resolve(said.get(text) as Uint8Array),
    close: () => undefined,
  };
  const whispers = await Whispers.of(
    [
      { speaker: "agent", text: "aloud" },
      { speaker: "coach", text: "whisper" },
      { speaker: "coach", text: "" },
    ],
    voice,
  );
  expect(whispers.framesIn(said.get("whisper") as Uint8Array)).toBe(5);
  expect(whispers.framesIn(said.get("aloud") as Uint8Array)).toBe(0);
  expect(whispers.framesIn(new Uint8Array(1600).fill(0xff))).toBe(0);
});
