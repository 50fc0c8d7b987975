import { describe, expect, test } from "bun:test";
import { RecentMap } from "../../../engine/platform/recent-map.ts";
import { Heartbeat } from "../../../adapters/openai/heartbeat.ts";
import { CONFIRM_TIMEOUT_MS, InstructionUpdates } from "../../../adapters/openai/instructions.ts";
import { createOpenAiRealtime, realtimeUrl } from "../../../adapters/openai/realtime.ts";
import { recyclePlan } from "../../../adapters/openai/recycle.ts";
import { parseServerEvent } from "../../../adapters/openai/server-events.ts";
import { ToolCalls, outputText } from "../../../adapters/openai/tool-calls.ts";
import { ConfigError } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";

describe("server events", () => {
  test("loose objects keep what they do not know", () => {
    const text = '{"type":"response.done","event_id":"e","new":1,"response":{"id":"r","status":"completed"}}';
    expect(parseServerEvent(text)).toMatchObject({ kind: "event", event: { response: { id: "r" } } });
  });

  test("events that need no action are not checked", () => {
    expect(parseServerEvent('{"type":"rate_limits.updated"}')).toEqual({
      kind: "ignored",
      type: "rate_limits.updated",
    });
  });

  test.each([
    ["not json", "nonsense"],
    ["an array", "[1]"],
    ["null", "null"],
    ["no type", "{}"],
    ["a type that is no text", '{"type":7}'],
    ["a missing id", '{"type":"response.created","response":{}}'],
    ["an empty id", '{"type":"response.done","response":{"id":""}}'],
    [
      "a delta that is no base64",
      '{"type":"response.output_audio.delta","response_id":"r","item_id":"i","content_index":0,"delta":"*"}',
    ],
  ])("%s is malformed", (_, text) => {
    expect(parseServerEvent(text).kind).toBe("malformed");
  });

  test("an unknown status and broken token counts do not hide the end of a response", () => {
    const text = '{"type":"response.done","response":{"id":"r","status":"odd","usage":{"input_tokens":"x"}}}';
    expect(parseServerEvent(text)).toMatchObject({
      kind: "event",
      event: { response: { status: "failed", usage: { input_tokens: 0 } } },
    });
  });
});

describe("instruction updates", () => {
  const make = (send: (text: string) => string) => {
    const clock = new VirtualClock();
    return { clock, updates: new InstructionUpdates("start", clock, send) };
  };

  test("are sent one at a time and confirmed by their own echo", async () => {
    const sent: string[] = [];
    const { updates } = make((text) => `id_${sent.push(text)}`);
    const first = updates.set("a");
    const second = updates.set("b");
    expect(sent).toEqual(["a"]);
    updates.updated("a");
    expect(await first).toBe(true);
    expect(sent).toEqual(["a", "b"]);
    updates.updated("a");
    updates.updated("b");
    expect(await second).toBe(true);
  });

  test("without an answer are false after 5 s, and a late answer confirms nothing else", async () => {
    const { clock, updates } = make(() => "id");
    const first = updates.set("a");
    clock.advance(CONFIRM_TIMEOUT_MS);
    expect(await first).toBe(false);
    const second = updates.set("b");
    updates.updated("a");
    clock.advance(CONFIRM_TIMEOUT_MS);
    expect(await second).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  test("that are refused do not reach a later session", async () => {
    const { updates } = make(() => "id");
    const refused = updates.set("bad");
    updates.refused("other");
    updates.refused("id");
    expect(await refused).toBe(false);
    expect(updates.wanted).toBe("start");
  });

  test("made while no session is ready are confirmed by the next one", async () => {
    const { clock, updates } = make(() => "");
    const first = updates.set("a");
    const second = updates.set("b");
    updates.sessionReady("b");
    expect(await Promise.all([first, second])).toEqual([false, true]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("end with false when the session ends", async () => {
    const { clock, updates } = make(() => "id");
    const pending = updates.set("a");
    updates.close();
    expect(await pending).toBe(false);
    expect(await updates.set("b")).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("heartbeat", () => {
  test("gives up a peer that answers no ping, and only such a one", async () => {
    const clock = new VirtualClock();
    let pings = 0;
    let dead = 0;
    const heartbeat = new Heartbeat(
      clock,
      1000,
      () => pings++,
      () => dead++,
    );
    clock.advance(1000);
    await Promise.resolve();
    heartbeat.beat();
    clock.advance(1000);
    await Promise.resolve();
    expect({ pings, dead }).toEqual({ pings: 2, dead: 0 });
    clock.advance(1000);
    expect({ pings, dead }).toEqual({ pings: 2, dead: 1 });
    heartbeat.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  test("a clock that jumps condemns nobody", () => {
    const clock = new VirtualClock();
    let dead = 0;
    const heartbeat = new Heartbeat(
      clock,
      1000,
      () => undefined,
      () => dead++,
    );
    clock.advance(3_600_000);
    expect(dead).toBe(0);
    heartbeat.stop();
  });
});

describe("tool calls", () => {
  const entry = () => ({
    role: "system" as const,
    whispered: false,
    text: "",
    serverId: null,
    restored: false,
    bytes: 0,
    passedBytes: 0,
    heardMs: null,
  });
  const call = { name: "t", argumentsJson: "{}" };

  test("are spoken once, when the response is over and every result is in", () => {
    const tools = new ToolCalls();
    tools.started("r1", "c1", call, entry);
    tools.started("r1", "c2", call, entry);
    expect(tools.answered("c1", true)?.speak).toBe(false);
    expect(tools.responseDone("r1")).toBe(false);
    expect(tools.answered("c2", false)?.speak).toBe(true);
    expect(tools.answered("c2", true)).toBeNull();
  });

  test("answered before their response is over are spoken when it is", () => {
    const tools = new ToolCalls();
    tools.started("r1", "c1", call, entry);
    expect(tools.answered("c1", true)?.speak).toBe(false);
    expect(tools.responseDone("r1")).toBe(true);
    expect(tools.responseDone("r1")).toBe(false);
  });

  test("of a lost socket are spoken as soon as one of their response is to be", () => {
    const tools = new ToolCalls();
    tools.started("r1", "c1", call, entry);
    tools.started("r1", "c2", call, entry);
    tools.answered("c1", true);
    tools.socketLost();
    expect(tools.answered("c2", false)).toMatchObject({ speak: true, call: { live: false } });
  });

  test("are known once", () => {
    const tools = new ToolCalls();
    expect(tools.started("r1", "c1", call, entry)).toBe(true);
    expect(tools.started("r1", "c1", call, entry)).toBe(false);
  });

  test("are not spoken when the caller's turn was answered meanwhile", () => {
    const tools = new ToolCalls();
    tools.started("r1", "c1", call, entry);
    tools.responseDone("r1");
    tools.turnAnswered("r2");
    expect(tools.answered("c1", true)).toMatchObject({ speak: false, call: { live: true } });
  });

  test("anything becomes an output", () => {
    const circle: Record<string, unknown> = {};
    circle["self"] = circle;
    expect(outputText("plain")).toBe("plain");
    expect(outputText({ ok: true })).toBe('{"ok":true}');
    expect(outputText(undefined)).toBe("null");
    expect(outputText(circle)).toContain("error");
    expect(outputText(1n)).toContain("error");
  });
});

describe("options", () => {
  test("the socket's URL derives from the base URL", () => {
    expect(realtimeUrl("https://api.openai.com/v1", "gpt-realtime-2.1")).toBe(
      "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1",
    );
    expect(realtimeUrl("http://127.0.0.1:4011/v1/", "a b")).toBe("ws://127.0.0.1:4011/v1/realtime?model=a+b");
    for (const wrong of ["", "api.openai.com", "wss://h/v1", "https://u:p@h/v1", "file:///x"]) {
      expect(realtimeUrl(wrong, "m")).toBeNull();
    }
  });

  test("every mistake is reported at once, by name, without the key", () => {
    const options = { clock: new VirtualClock(), ids: seededIds(1), log: silentLog };
    let error: unknown;
    try {
      createOpenAiRealtime({
        ...options,
        apiKey: "sk-secret with blank",
        baseUrl: "nowhere",
        model: "",
        recycleAfterMs: Number.NaN,
        reconnect: { maxAttempts: -1 },
      });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigError);
    const names = (error as ConfigError).issues.map((issue) => issue.name);
    expect(names).toEqual(["apiKey", "model", "recycleAfterMs", "reconnect.maxAttempts", "baseUrl"]);
    expect((error as ConfigError).message).not.toContain("sk-secret");
  });

  test("a session is replaced before it expires, with time to find a quiet moment", () => {
    const hour = 3_600_000;
    expect(recyclePlan(50 * 60_000, hour)).toEqual({ dueMs: 50 * 60_000, deadlineMs: 55 * 60_000 });
    expect(recyclePlan(59 * 60_000, hour)).toEqual({ dueMs: 58 * 60_000, deadlineMs: 59 * 60_000 });
    expect(recyclePlan(1000, null)).toEqual({ dueMs: 1000, deadlineMs: 301_000 });
    expect(recyclePlan(1000, 30_000)).toEqual({ dueMs: 1000, deadlineMs: 301_000 });
  });

  test("a bounded map forgets its oldest key", () => {
    const map = new RecentMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    map.set("a", 3);
    map.set("c", 4);
    expect([map.get("a"), map.get("b"), map.get("c"), map.size]).toEqual([3, undefined, 4, 2]);
  });
});
