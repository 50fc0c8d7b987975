import { afterEach, describe, expect, test } from "bun:test";
import { WARNING_INTERVAL_MS } from "../../../adapters/openai/guarded-sink.ts";
import type { OpenAiRealtimeOptions } from "../../../adapters/openai/realtime.ts";
import { AUDIO_BUFFER_LIMIT_BYTES } from "../../../adapters/openai/socket.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { HeardItem, ModelSession } from "../../../engine/ports.ts";
import { FakeRealtime, type FakeOptions, type Peer } from "./fake-realtime.ts";

let fake: FakeRealtime;
afterEach(() => fake.stop());

async function ready(
  options: FakeOptions = {},
  adapter: Partial<OpenAiRealtimeOptions> = {},
): Promise<{ session: ModelSession; peer: Peer }> {
  fake = new FakeRealtime(options);
  const session = fake.open(adapter);
  await fake.sink.nth("ready");
  return { session, peer: await fake.peer() };
}

const types = (peer: Peer): unknown[] =>
  peer.received.map((event) => event["type"]).filter((type) => type !== "session.update");
const item = (itemId: string, heardMs: number, receivedMs: number, responseId = "r1"): HeardItem => ({
  responseId,
  itemId,
  contentIndex: 0,
  heardMs,
  heardErrorMs: 0,
  receivedMs,
});

describe("caller audio", () => {
  test("arrives as it is, each append with an id of its own", async () => {
    const { session, peer } = await ready();
    session.appendAudio("AAAA");
    session.appendAudio("//8=");
    await fake.settled(session);
    const appends = peer.of("input_audio_buffer.append");
    expect(appends.map((a) => a["audio"])).toEqual(["AAAA", "//8="]);
    expect(new Set(appends.map((a) => a["event_id"])).size).toBe(2);
  });

  test("that would break the event is dropped and counted", async () => {
    const { session, peer } = await ready();
    session.appendAudio('AA","type":"response.create');
    session.appendAudio("AA\\");
    await fake.settled(session);
    expect(types(peer)).toEqual([]);
    expect(fake.counters()["audioDroppedUnsendable"]).toBe(2);
  });

  test("that the socket cannot take is dropped with one warning; later audio goes on", async () => {
    const clock = new VirtualClock();
    const { session, peer } = await ready({}, { clock });
    const huge = "A".repeat(AUDIO_BUFFER_LIMIT_BYTES);
    session.appendAudio(huge);
    clock.advance(WARNING_INTERVAL_MS);
    session.appendAudio(huge);
    session.appendAudio("AAAA");
    await fake.settled(session);
    expect(fake.sink.all("warning")).toMatchObject([{ code: "overflow" }]);
    expect(fake.counters()["audioDroppedOverflow"]).toBe(2);
    expect(peer.of("input_audio_buffer.append")).toHaveLength(1);
  });

  test("before ready is dropped and counted", async () => {
    fake = new FakeRealtime();
    const session = fake.open();
    session.appendAudio("AAAA");
    expect(fake.counters()["audioDroppedUnsendable"]).toBe(1);
  });
});

describe("barge-in", () => {
  test("by the caller: truncates the heard, deletes the unheard, drops what is late, does not cancel", async () => {
    const { session, peer } = await ready();
    fake.sink.onEvent = (event) => {
      if (event.type === "speechStarted") session.interrupt([item("i1", 150.7, 300), item("i2", 0, 100)]);
    };
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 300);
    peer.audio("r1", "i2", 100);
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.audio("r1", "i2", 100);
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    expect(types(peer)).toEqual(["conversation.item.truncate", "conversation.item.delete"]);
    expect(peer.of("conversation.item.truncate")[0]).toMatchObject({
      item_id: "i1",
      content_index: 0,
      audio_end_ms: 150,
    });
    expect(peer.of("conversation.item.delete")[0]).toMatchObject({ item_id: "i2" });
    expect(fake.sink.all("audio")).toHaveLength(2);
    expect(fake.counters()["lateDeltasDropped"]).toBe(1);
  });

  test("by the engine: cancels first, by id", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 300);
    await fake.sink.nth("audio");
    session.interrupt([item("i1", 299.9, 300)]);
    await fake.settled(session);
    expect(types(peer)).toEqual(["response.cancel", "conversation.item.truncate"]);
    expect(peer.of("response.cancel")[0]).toMatchObject({ response_id: "r1" });
  });

  test("after the response is done cancels nothing", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 300);
    peer.responseDone("r1");
    await fake.sink.nth("responseDone");
    session.interrupt([item("i1", 100, 300)]);
    await fake.settled(session);
    expect(types(peer)).toEqual(["conversation.item.truncate"]);
  });

  test("an item that begins after the cut is deleted when it ends", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    await fake.sink.nth("audio");
    session.interrupt([item("i1", 50, 100)]);
    peer.audio("r1", "i2", 100);
    const late = { id: "i2", type: "message", status: "incomplete" };
    peer.send({ type: "response.output_item.done", response_id: "r1", output_index: 1, item: late });
    await fake.until(() => peer.of("conversation.item.delete").length > 0, "delete");
    expect(peer.of("conversation.item.delete")[0]).toMatchObject({ item_id: "i2" });
    expect(fake.sink.all("audio")).toHaveLength(1);
  });

  test("a truncate of an item without audio becomes a delete", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    peer.responseDone("r1");
    await fake.sink.nth("responseDone");
    session.interrupt([item("i1", 50, 100)]);
    await fake.until(() => peer.of("conversation.item.truncate").length > 0, "truncate");
    peer.refuse("conversation.item.truncate", "unsupported_content_type");
    await fake.until(() => peer.of("conversation.item.delete").length > 0, "delete");
    expect(session.history()).toEqual([]);
  });

  test("benign refusals are silent, an overshoot is counted and reported", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    await fake.sink.nth("audio");
    session.interrupt([item("i1", 50, 100)]);
    await fake.settled(session);
    peer.refuse("response.cancel", "response_cancel_not_active");
    peer.refuse("conversation.item.truncate", "item_truncate_invalid_item_id");
    await fake.settled(session);
    expect(fake.sink.all("warning")).toEqual([]);
    peer.refuse("conversation.item.truncate", "invalid_value");
    const warning = await fake.sink.nth("warning");
    expect(warning).toMatchObject({ code: "rejected_event", providerCode: "invalid_value" });
    expect(warning.message).toContain("truncate");
    expect(fake.counters()["truncateOvershoots"]).toBe(1);
  });
});

describe("tools", () => {
  test("only a completed call runs, and none whose name cannot be kept", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.send({
      type: "response.function_call_arguments.done",
      response_id: "r1",
      item_id: "i",
      output_index: 0,
      call_id: "c0",
      name: "lookup",
      arguments: "{}",
    });
    peer.functionCall("r1", "c1", "incomplete");
    peer.functionCall("r1", "c".repeat(129), "completed");
    peer.functionCall("r1", "c2", "completed");
    peer.functionCall("r1", "c2", "completed");
    await fake.settled(session);
    expect(fake.sink.all("toolCall")).toEqual([{ callId: "c2", name: "lookup", argumentsJson: "{}" }]);
  });

  test("several results of one response are spoken once, after all are in and it is done", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.functionCall("r1", "c1");
    peer.functionCall("r1", "c2");
    await fake.sink.nth("toolCall", 2);
    session.toolResult("c1", { ok: 1 }, { respond: true });
    session.toolResult("c2", "two", { respond: true });
    await fake.settled(session);
    const outputs = peer.of("conversation.item.create").map((e) => e["item"]);
    expect(outputs).toEqual([
      { type: "function_call_output", call_id: "c1", output: '{"ok":1}' },
      { type: "function_call_output", call_id: "c2", output: "two" },
    ]);
    expect(peer.of("response.create")).toHaveLength(0);
    peer.responseDone("r1");
    await fake.until(() => peer.of("response.create").length > 0, "response.create");
    await fake.settled(session);
    expect(peer.of("response.create")).toHaveLength(1);
  });

  test("a result is not spoken when the caller's turn was answered meanwhile", async () => {
    const { session, peer } = await ready();
    peer.responseCreated("r1");
    peer.functionCall("r1", "c1");
    peer.responseDone("r1");
    peer.responseCreated("r2");
    peer.responseDone("r2");
    await fake.sink.nth("responseDone", 2);
    session.toolResult("c1", "late", { respond: true });
    await fake.settled(session);
    expect(types(peer)).toEqual(["conversation.item.create"]);
  });
});

describe("failed responses", () => {
  test("for want of capacity are asked for again", async () => {
    const { session, peer } = await ready();
    session.respond("greet");
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    const request = peer.of("response.create")[0]?.["event_id"];
    peer.responseCreated("r1", request);
    peer.responseDone("r1", "failed", { type: "rate_limit", code: "rate_limit_exceeded", message: "slow" });
    expect(await fake.sink.nth("warning")).toMatchObject({ code: "rate_limited", retryable: true });
    await fake.until(() => peer.of("response.create").length === 2, "second response.create");
    expect(peer.of("response.create")[1]).toMatchObject({ response: { instructions: "greet" } });
    expect(fake.counters()["responseRetries"]).toBe(1);
  });

  test("for want of money end the session", async () => {
    const { peer } = await ready();
    peer.responseCreated("r1");
    peer.responseDone("r1", "failed", { code: "insufficient_quota", message: "no" });
    expect(await fake.sink.nth("failed")).toMatchObject({ code: "quota_exceeded" });
    expect(fake.sink.all("responseDone")).toMatchObject([{ responseId: "r1", status: "failed" }]);
    expect(fake.attempts).toBe(1);
  });

  test("usage is passed on", async () => {
    const { peer } = await ready();
    peer.responseCreated("r1");
    const usage = {
      input_tokens: 132,
      output_tokens: 121,
      input_token_details: {
        cached_tokens: 64,
        audio_tokens: 13,
        cached_tokens_details: { text_tokens: 60, audio_tokens: 4 },
      },
      output_token_details: { audio_tokens: 91 },
    };
    peer.send({ type: "response.done", response: { id: "r1", status: "completed", usage } });
    expect((await fake.sink.nth("responseDone")).usage).toEqual({
      inputTokens: 132,
      outputTokens: 121,
      cachedTokens: 64,
      cachedAudioTokens: 4,
      inputAudioTokens: 13,
      outputAudioTokens: 91,
    });
  });
});
