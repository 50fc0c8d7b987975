import { afterEach, describe, expect, test } from "bun:test";
import { GARBAGE_LIMIT } from "../../../adapters/openai/link.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { FakeRealtime, created, updated, type FakeOptions, type Json, type Peer } from "./fake-realtime.ts";
import { z } from "zod";

let fake: FakeRealtime;
const start = (options: FakeOptions = {}): FakeRealtime => (fake = new FakeRealtime(options));
afterEach(() => fake.stop());

function session(event: Json | undefined): Json {
  return event?.["session"] as Json;
}

const PCM = { format: { type: "audio/pcm", rate: 24_000 } };

function echo(peer: Peer, input: Json, output: Json, event?: Json): void {
  const instructions = event && session(event)["instructions"];
  peer.send({ type: "session.updated", session: { audio: { input, output }, instructions } });
}

describe("handshake", () => {
  test("configures the session in the GA shape, without a rate for μ-law", async () => {
    const { sink } = start();
    fake.open(
      {},
      { turnDetection: { type: "server_vad", threshold: 0.4, prefixPaddingMs: 200, silenceMs: 450 } },
    );
    await sink.nth("ready");
    const peer = await fake.peer();
    expect(peer.headers.get("authorization")).toBe("Bearer sk-test-not-a-key");
    expect(peer.headers.get("openai-beta")).toBeNull();
    const [update] = peer.received;
    expect(update).toMatchObject({ type: "session.update", event_id: "configure_1" });
    expect(session(update)).toEqual({
      type: "realtime",
      output_modalities: ["audio"],
      instructions: "You answer the phone.",
      audio: {
        input: {
          format: { type: "audio/pcmu" },
          transcription: { model: "gpt-transcribe" },
          turn_detection: {
            type: "server_vad",
            threshold: 0.4,
            prefix_padding_ms: 200,
            silence_duration_ms: 450,
            create_response: true,
            interrupt_response: true,
          },
        },
        output: { format: { type: "audio/pcmu" }, voice: "marin" },
      },
      tools: [
        {
          type: "function",
          name: "lookup",
          description: "Looks a subject up.",
          parameters: {
            $schema: "http://json-schema.org/draft-07/schema#",
            type: "object",
            properties: { subject: { type: "string" } },
            required: ["subject"],
          },
        },
      ],
      tool_choice: "auto",
      truncation: { type: "retention_ratio", retention_ratio: 0.8 },
      reasoning: { effort: "low" },
      parallel_tool_calls: true,
    });
  });

  test("asks for PCM16 with its rate both ways when told to, and says so", async () => {
    const { sink } = start({ answer: (peer, event) => echo(peer, PCM, PCM, event) });
    const session_ = fake.open({ audioFormat: "pcm24k" });
    await sink.nth("ready");
    expect(session_.capabilities.audio).toBe("pcm24k");
    const sent = session((await fake.peer()).received[0]);
    expect(sent["audio"]).toMatchObject({ input: PCM, output: { ...PCM, voice: "marin" } });
  });

  test.each([
    ["μ-law", PCM, { format: { type: "audio/pcmu" } }],
    ["another rate", { format: { type: "audio/pcm", rate: 16_000 } }, PCM],
  ])("an echo with %s where PCM16 at 24 kHz was asked for is a format mismatch", async (_, input, output) => {
    const { sink } = start({ answer: (peer) => echo(peer, input, output) });
    fake.open({ audioFormat: "pcm24k" });
    const error = await sink.nth("failed");
    expect(error).toMatchObject({ code: "format_mismatch", retryable: false });
    expect(error.message).toEndWith("both must be audio/pcm at 24000 Hz");
  });

  test.each(["gpt-realtime-1.5", "gpt-realtime", "gpt-realtime-2025-08-28"])(
    "%s gets no reasoning settings",
    async (model) => {
      const { sink } = start();
      fake.open({ model }, { turnDetection: { type: "semantic_vad", eagerness: "high" } });
      await sink.nth("ready");
      const sent = session((await fake.peer()).received[0]);
      expect(sent).not.toContainAnyKeys(["reasoning", "parallel_tool_calls"]);
      expect(sent["audio"]).toMatchObject({
        input: { turn_detection: { type: "semantic_vad", eagerness: "high" } },
      });
    },
  );

  test("waits for session.created before it configures, and for the echo before it replays", async () => {
    const { sink } = start({ onOpen: () => undefined, answer: () => undefined });
    fake.open({}, { history: [{ role: "user", text: "Hello." }] });
    const peer = await fake.peer();
    expect(peer.received).toEqual([]);
    created(peer, 2_000_000_000);
    await fake.until(() => peer.received.length === 1, "session.update");
    expect(sink.events).toEqual([]);
    updated(peer, peer.received[0] as Json);
    expect(await sink.nth("ready")).toEqual({ sessionId: "sess_1", expiresAtMs: 2_000_000_000_000 });
    await fake.until(() => peer.received.length === 2, "history");
    expect(peer.received[1]).toMatchObject({
      type: "conversation.item.create",
      item: { type: "message", role: "user", content: [{ type: "input_text", text: "Hello." }] },
    });
  });

  test("a second session.created changes nothing", async () => {
    const { sink } = start({
      onOpen: (peer) => {
        created(peer);
        created(peer);
      },
    });
    const session_ = fake.open();
    await sink.nth("ready");
    const peer = await fake.peer();
    created(peer);
    await fake.settled(session_);
    expect(peer.of("session.update")).toHaveLength(2);
    expect(sink.all("ready")).toHaveLength(1);
  });

  test.each([
    ["PCM out", { input: { format: { type: "audio/pcmu" } }, output: { format: { type: "audio/pcm" } } }],
    ["PCM in", { input: { format: { type: "audio/pcm" } }, output: { format: { type: "audio/pcmu" } } }],
    ["no formats", { input: {}, output: {} }],
    ["no audio", undefined],
  ])("an echo with %s is a format mismatch and nothing is bridged", async (_, audio) => {
    const { sink } = start({
      answer: (peer) => peer.send({ type: "session.updated", session: { audio } }),
    });
    fake.open();
    expect(await sink.nth("failed")).toMatchObject({ code: "format_mismatch", retryable: false });
    expect(sink.events).toHaveLength(1);
    await fake.until(() => fake.peers[0]?.closeCode === 1000, "closed socket");
    expect(fake.attempts).toBe(1);
  });

  test.each([
    [401, "auth_failed"],
    [403, "auth_failed"],
  ] as const)("HTTP %d is final", async (status, code) => {
    const { sink } = start({ refuse: () => status });
    fake.open();
    expect(await sink.nth("failed")).toMatchObject({ code });
    expect(fake.attempts).toBe(1);
  });

  test("HTTP 429 and 503 are tried again, and the outage is reported once", async () => {
    const { sink } = start({ refuse: (n) => [429, 503, null][n] ?? null });
    fake.open();
    await sink.nth("ready");
    expect(sink.events.map((e) => e.type)).toEqual(["reconnecting", "ready"]);
    expect(sink.all("reconnecting")[0]).toMatchObject({ code: "rate_limited", retryable: true });
    expect(fake.attempts).toBe(3);
  });

  test("attempts are bounded", async () => {
    const { sink } = start({ refuse: () => 503 });
    fake.open();
    expect(await sink.nth("failed")).toMatchObject({ code: "connect_failed" });
    expect(fake.attempts).toBe(4);
    expect(sink.all("reconnecting")).toHaveLength(1);
  });

  test("sessions that die as soon as they are ready use the attempts up too", async () => {
    const { sink } = start({
      answer: (peer, event) => {
        updated(peer, event);
        peer.close(1011);
      },
    });
    fake.open();
    expect(await sink.nth("failed")).toMatchObject({ code: "connection_lost", providerCode: "1011" });
    expect(fake.attempts).toBe(4);
  });

  test("a server that says nothing is given up in time, and no timer stays", async () => {
    const clock = new VirtualClock();
    const { sink } = start({ onOpen: () => undefined });
    const session_ = fake.open({ clock, reconnect: { maxAttempts: 0 } });
    await fake.peer();
    clock.advance(10_000);
    const error = await sink.nth("failed");
    expect(error).toMatchObject({ code: "connect_failed", retryable: true });
    expect(error.message).toContain("session.created");
    expect(clock.pendingTimers).toBe(0);
    session_.close();
  });

  test("a configuration that is refused is final and names what is wrong", async () => {
    const { sink } = start({
      answer: (peer, event) =>
        peer.send({
          type: "error",
          error: {
            type: "invalid_request_error",
            code: "invalid_value",
            message: "Invalid value: 'nova'.",
            param: "session.audio.output.voice",
            event_id: event["event_id"],
          },
        }),
    });
    fake.open();
    const error = await sink.nth("failed");
    expect(error).toMatchObject({ code: "rejected_event", providerCode: "invalid_value" });
    expect(error.message).toContain("session.audio.output.voice");
    expect(fake.attempts).toBe(1);
  });

  test.each([
    ["beta_api_shape_disabled", "protocol_error"],
    ["insufficient_quota", "quota_exceeded"],
    ["invalid_api_key", "auth_failed"],
  ] as const)("an error event %s before the session stands is final", async (code, ours) => {
    const { sink } = start({
      onOpen: (peer) => {
        peer.send({ type: "error", error: { type: "invalid_request_error", code, message: "no" } });
        peer.close(4000);
      },
    });
    fake.open();
    expect(await sink.nth("failed")).toMatchObject({ code: ours, providerCode: code });
    expect(fake.attempts).toBe(1);
  });

  test("a tool that JSON schema cannot express is named, without connecting", async () => {
    const { sink } = start();
    const parameters = z.object({ when: z.date() });
    fake.open({}, { tools: [{ name: "book", description: "Books.", parameters }] });
    expect(sink.events).toEqual([]);
    const error = await sink.nth("failed");
    expect(error.message).toContain('tool "book"');
    expect(fake.attempts).toBe(0);
  });
});

describe("garbage from the server", () => {
  test("is a warning; the session goes on", async () => {
    const { sink } = start();
    const session_ = fake.open();
    await sink.nth("ready");
    const peer = await fake.peer();
    for (const bad of ["nonsense", new Uint8Array([1, 2, 3]), "[]", '{"type":"response.done"}'])
      peer.send(bad);
    await fake.settled(session_);
    expect(sink.all("warning")[0]).toMatchObject({ code: "protocol_error" });
    expect(fake.counters()).toMatchObject({ malformedFrames: 4, warningsSuppressed: 3 });
    expect(sink.all("failed")).toEqual([]);
  });

  test("without end is a failure", async () => {
    const { sink } = start();
    fake.open();
    await sink.nth("ready");
    const peer = await fake.peer();
    for (let i = 1; i < GARBAGE_LIMIT; i++) peer.send("nonsense");
    peer.send({ type: "rate_limits.updated" });
    for (let i = 0; i < GARBAGE_LIMIT; i++) peer.send("nonsense");
    expect(await sink.nth("failed")).toMatchObject({ code: "protocol_error", retryable: false });
    expect(fake.counters()["malformedFrames"]).toBe(2 * GARBAGE_LIMIT - 1);
  });
});
