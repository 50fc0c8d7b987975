import { afterEach, describe, expect, test } from "bun:test";
import {
  type CallEvent,
  type CallResult,
  placeCall,
  type PlaceCallOptions,
} from "../../../../adapters/sandbox/cli/place-call.ts";
import type { Step } from "../../../../adapters/sandbox/cli/script.ts";
import type { Speech } from "../../../../adapters/sandbox/types.ts";
import { CarrierError, ConfigError, ProviderError } from "../../../../engine/errors.ts";
import { systemClock } from "../../../../engine/platform/clock.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { FakeSandbox, type FakeOptions, ONE_PERSON } from "./fake-sandbox.ts";
import { rms, toneUlaw, ulawToFloat } from "./signals.ts";

let fake: FakeSandbox;

afterEach(async () => {
  await fake.stop();
});

/** Short tones, so that the calls are short. */
const speech: Speech = {
  say: (text) => Promise.resolve(toneUlaw(600, 300 + text.length)),
  close: () => undefined,
};

const TURN: Step = { do: "await-turn", quietMs: 200 };

function call(steps: readonly Step[], options: Partial<PlaceCallOptions> = {}): Promise<CallResult> {
  return placeCall({
    engineUrl: fake.url,
    from: "+15550142",
    steps,
    speech,
    clock: systemClock,
    log: silentLog,
    ...options,
  });
}

function start(options: FakeOptions = {}): void {
  fake = new FakeSandbox(options);
}

/** Every socket of the call is closed. */
async function expectNoSockets(): Promise<void> {
  const deadline = systemClock.monotonicMs() + 5000;
  while (fake.sockets.size > 0 && systemClock.monotonicMs() < deadline) await Bun.sleep(5);
  expect(fake.sockets.size).toBe(0);
}

describe("a placed call", () => {
  test("follows the agent's turns to the end that the agent makes", async () => {
    start();
    const events: CallEvent[] = [];
    const result = await call(
      [
        { do: "await-state", state: "streaming" },
        TURN,
        { do: "say", text: "When do you open?" },
        TURN,
        { do: "say", text: "Thanks, goodbye." },
        { do: "await-end" },
      ],
      { record: true, onEvent: (event) => events.push(event) },
    );
    expect(result).toMatchObject({ ok: true, problem: null, callSid: "CA1", endReason: "completed" });
    expect(result.states).toEqual(["arriving", "streaming", "wrapUp", "ended"]);
    expect(result.transcript.map(({ speaker, text }) => `${speaker}: ${text}`)).toEqual([
      "agent: Hello.",
      "caller: When do you open?",
      "agent: Certainly.",
      "caller: Thanks, goodbye.",
      "agent: Certainly.",
    ]);
    expect(result.row).toMatchObject({ callSid: "CA1", state: "ended" });
    const types = events.map(({ type }) => type);
    for (const type of ["dialing", "answered", "state", "transcript", "hung-up"] as const) {
      expect(types).toContain(type);
    }
    const { said, heard } = result.recording ?? { said: new Uint8Array(0), heard: new Uint8Array(0) };
    expect(said.length).toBe(heard.length);
    expect(rms(ulawToFloat(said))).toBeGreaterThan(0.02);
    expect(rms(ulawToFloat(heard))).toBeGreaterThan(0.02);
    await expectNoSockets();
  });

  test("interrupts an agent that yields", async () => {
    start();
    const result = await call([
      TURN,
      { do: "say", text: "Please explain." },
      { do: "interrupt", afterMs: 300, text: "Stop." },
      { do: "hang-up" },
    ]);
    expect(result).toMatchObject({ ok: true, endReason: "hangup" });
  });

  test("fails when an interrupted agent goes on", async () => {
    start({ stubborn: true });
    const result = await call([
      TURN,
      { do: "say", text: "Please explain." },
      { do: "interrupt", afterMs: 300, text: "Stop.", quietWithinMs: 400 },
    ]);
    expect(result.ok).toBe(false);
    expect(result.problem).toContain("did not stop speaking within 400 ms");
  });

  test("brings in the person on call, and lets them go", async () => {
    start();
    const events: string[] = [];
    const result = await call(
      [
        { do: "register", who: ["on-call"] },
        { do: "await-state", state: "streaming" },
        TURN,
        { do: "command", operator: { command: "escalate", reason: "a test" }, unlessRung: true },
        { do: "await-state", state: ["escalating"] },
        { do: "await-ring", who: "on-call" },
        { do: "answer", who: "on-call" },
        { do: "await-speech", who: "on-call", speechMs: 100 },
        { do: "press", who: "on-call", digits: "1" },
        { do: "await-state", state: "coaching" },
        { do: "command", operator: { command: "escalate", reason: "again" }, unlessRung: true },
        { do: "say", who: "on-call", text: "This is the nurse." },
        TURN,
        { do: "say", text: "It hurts." },
        { ...TURN, who: "on-call" } as Step,
        { do: "hang-up", who: "on-call" },
        { do: "await-state", state: "streaming" },
        { do: "hang-up" },
      ],
      { onEvent: (event) => event.type === "phone" && event.event !== "sms" && events.push(event.event) },
    );
    expect(result.problem).toBeNull();
    expect(result.states).toEqual([
      "arriving",
      "streaming",
      "escalating",
      "coaching",
      "streaming",
      "wrapUp",
      "ended",
    ]);
    expect(fake.commands).toEqual([{ command: "escalate", to: "+15550100", reason: "a test" }]);
    expect(events).toEqual(["incoming", "answered", "ended"]);
    await expectNoSockets();
  }, 20_000);

  test("takes for the answer to a key only what is heard after it", async () => {
    start();
    const result = await call([
      { do: "register", who: ["on-call"] },
      TURN,
      { do: "command", operator: { command: "escalate", reason: "a test" }, unlessRung: true },
      { do: "await-ring", who: "on-call" },
      { do: "answer", who: "on-call" },
      { ...TURN, who: "on-call" } as Step,
      { do: "press", who: "on-call", digits: "9" },
      { do: "await-speech", who: "on-call", speechMs: 100, timeoutMs: 50 },
    ]);
    expect(result.problem).toContain("the other side did not speak within 50 ms");
  }, 20_000);

  test("fails when a step does not come true in time, and hangs up", async () => {
    start({ mute: true });
    const result = await call([{ do: "await-turn", timeoutMs: 200 }]);
    expect(result.ok).toBe(false);
    expect(result.problem).toBe(
      "step 1 (await-turn): the other side did not speak and fall quiet within 200 ms",
    );
    expect(result.states.at(-1)).toBe("ended");
    expect((await call([{ do: "await-state", state: "coaching", timeoutMs: 50 }])).problem).toContain(
      "the call did not become coaching within 50 ms but is streaming",
    );
    expect((await call([{ do: "await-end", timeoutMs: 50 }])).problem).toContain("did not end the call");
    const absent = await call([{ do: "say", who: "on-call", text: "x" }]);
    expect(absent.problem).toContain("has not connected a phone for on-call");
    const register: Step = { do: "register", who: ["on-call"] };
    expect((await call([register, { do: "await-ring", who: "on-call", timeoutMs: 50 }])).problem).toContain(
      "the phone of on-call did not ring within 50 ms",
    );
    expect((await call([register, { do: "say", who: "on-call", text: "x" }])).problem).toContain(
      "on-call is not in the call",
    );
    expect((await call([{ do: "register", who: ["night shift"] }])).problem).toContain(
      "the deployment has nobody called night shift with a phone; it has primary",
    );
    await expectNoSockets();
  });

  test("takes no wait music for a turn of the agent", async () => {
    start({ mute: true, musicMs: 500 });
    const result = await call([
      { do: "await-state", state: "streaming" },
      { do: "await-turn", quietMs: 100, timeoutMs: 400 },
    ]);
    expect(result.problem).toContain("the other side did not speak");
  });

  test("goes on after a step that need not come true", async () => {
    start({ mute: true });
    const result = await call([{ do: "await-turn", timeoutMs: 50, optional: true }, { do: "hang-up" }]);
    expect(result.problem).toBeNull();
  });

  test("fails when the other side ends it too early", async () => {
    start();
    const steps: Step[] = [{ do: "say", text: "goodbye" }, TURN, { do: "say", text: "one more thing" }];
    const result = await call([...steps, { do: "say", text: "and another" }, TURN, { do: "hang-up" }]);
    expect(result.ok).toBe(false);
    expect(result.problem).toMatch(/^the call ended during step \d/);
  });

  test("fails with the engine's word when a command is refused", async () => {
    start();
    const result = await call([{ do: "command", operator: { command: "coach" } }]);
    expect(result.problem).toContain("the engine refused the command coach with 409: nobody to coach");
  });

  test("that is not answered fails with the reason", async () => {
    start({ dial: "error" });
    expect((await call([])).problem).toContain("not answered: there is no such number");
    await fake.stop();
    start({ dial: "busy" });
    const busy = await call([]);
    expect(busy).toMatchObject({ ok: false, callSid: "CA1", endReason: "busy" });
    expect(busy.problem).toContain("busy");
  });

  test("is hung up when it is interrupted, and still has its recording", async () => {
    start();
    const abort = new AbortController();
    const result = await call([{ do: "pause", ms: 60_000 }], {
      record: true,
      signal: abort.signal,
      onEvent: (event) => event.type === "transcript" && abort.abort(),
    });
    expect(result).toMatchObject({ ok: false, problem: "interrupted", endReason: "hangup" });
    expect(result.recording).not.toBeNull();
    expect(result.row?.state).toBe("ended");
    await expectNoSockets();
  });

  test("is not placed at all when it was interrupted before", async () => {
    start();
    expect(await call([], { signal: AbortSignal.abort() })).toMatchObject({
      problem: "interrupted",
      callSid: null,
    });
    expect(fake.received).toEqual([]);
  });

  test("is hung up when it takes too long, also while it rings", async () => {
    start();
    expect((await call([{ do: "pause", ms: 60_000 }], { timeoutMs: 100 })).problem).toBe(
      "not over within 100 ms",
    );
    await fake.stop();
    start({ dial: "ignore", deaf: true });
    expect((await call([], { timeoutMs: 100 })).problem).toBe("not over within 100 ms");
    await expectNoSockets();
  }, 15_000);

  test("is followed to its row although the feed is lost", async () => {
    start({ dropFeed: true, mute: true });
    const warnings: string[] = [];
    const result = await call([{ do: "pause", ms: 50 }, { do: "hang-up" }], {
      onEvent: (event) => event.type === "warning" && warnings.push(event.problem),
    });
    expect(result.ok).toBe(true);
    expect(warnings).toContain("the engine's live feed was lost");
  });

  test("whose row does not end is not in order", async () => {
    start({ finalState: "wrapUp" });
    expect((await call([{ do: "hang-up" }])).problem).toBe(
      "the engine's row of the call is wrapUp, not ended",
    );
  }, 15_000);

  test("may be one of many in a process", async () => {
    start();
    const calls = Array.from({ length: 20 }, (_, n) =>
      call([TURN, { do: "hang-up" }], { from: `+155501${String(n).padStart(2, "0")}` }),
    );
    const results = await Promise.all(calls);
    expect(results.map(({ problem }) => problem)).toEqual(results.map(() => null));
    expect(new Set(results.map(({ callSid }) => callSid)).size).toBe(20);
    for (const { states } of results) expect(states).toEqual(["arriving", "streaming", "wrapUp", "ended"]);
    await expectNoSockets();
  });
});

describe("a call that cannot be placed", () => {
  test("because no engine runs says how to start it", async () => {
    start();
    const { url } = fake;
    await fake.stop();
    const refused = call([], { engineUrl: url });
    expect(refused).rejects.toBeInstanceOf(ConfigError);
    expect(refused).rejects.toThrow("start it with `bun run engine`");
    await refused.catch(() => undefined);
  });

  test("because of a token says which variable to set", async () => {
    start({ token: "not-a-real-token" });
    expect(call([])).rejects.toThrow("set TANDEM_CONSOLE_TOKEN");
    expect((await call([{ do: "hang-up" }], { token: "not-a-real-token" })).ok).toBe(true);
  });

  test("because something else answers there says so", async () => {
    start();
    const other = Bun.serve({ port: 0, fetch: () => new Response("hello") });
    try {
      expect(call([], { engineUrl: other.url.href })).rejects.toThrow("answered 200 with something else");
      await call([], { engineUrl: other.url.href }).catch(() => undefined);
    } finally {
      await other.stop(true);
    }
    const missing = Bun.serve({ port: 0, fetch: () => new Response("no", { status: 404 }) });
    try {
      expect(call([], { engineUrl: missing.url.href })).rejects.toThrow("is not in sandbox mode");
      await call([], { engineUrl: missing.url.href }).catch(() => undefined);
    } finally {
      await missing.stop(true);
    }
  });

  test("because its words cannot be said fails before it is placed", async () => {
    start();
    const broken: Speech = {
      say: () => Promise.reject(new ProviderError("server_error", "no voice", false)),
      close: () => undefined,
    };
    expect(call([{ do: "say", text: "x" }], { speech: broken })).rejects.toThrow("no voice");
    await expectNoSockets();
  });

  test("because the feed is closed to it says so", async () => {
    start();
    const { url } = fake;
    const half = Bun.serve({
      port: 0,
      fetch: (request) =>
        new URL(request.url).pathname === "/api/sandbox"
          ? Response.json({ carrierUrl: url, number: "+15550123", ...ONE_PERSON })
          : new Response("no", { status: 403 }),
    });
    try {
      const refused = call([], { engineUrl: half.url.href });
      expect(refused).rejects.toBeInstanceOf(CarrierError);
      expect(refused).rejects.toThrow("no connection to the engine's live feed");
      await refused.catch(() => undefined);
    } finally {
      await half.stop(true);
    }
  });
});
