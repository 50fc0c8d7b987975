/** The sandbox model, held to the Realtime GA protocol and its traps, through the types of the openai package. */
import { afterEach, describe, expect, test } from "bun:test";
import type { RealtimeServerEvent } from "openai/resources/realtime/realtime";
import { VirtualClock } from "../../engine/platform/clock.ts";
import {
  Client,
  connect,
  connectPhone,
  silence,
  start,
  stopAll,
  TestHearing,
  tone,
  TOOLS,
  type Of,
} from "../unit/sandbox/model/helpers.ts";

afterEach(stopAll);

const FAST = { firstAudioDelayMs: 0 };
/** Deltas slow enough that a response is still active when the test acts. */
const ACTIVE = { firstAudioDelayMs: 0, deltaIntervalMs: 400 };
const sayExactly = (text: string) => ({
  type: "response.create" as const,
  response: { instructions: `Say exactly: "${text}"` },
});

/** Required keys of every server event, from the types: an event type we do not know does not compile. */
const REQUIRED: { [T in RealtimeServerEvent["type"]]?: readonly (keyof Of<T>)[] } = {
  error: ["error"],
  "session.created": ["session"],
  "session.updated": ["session"],
  "conversation.created": ["conversation"],
  "conversation.item.added": ["item", "previous_item_id"],
  "conversation.item.done": ["item", "previous_item_id"],
  "conversation.item.deleted": ["item_id"],
  "conversation.item.retrieved": ["item"],
  "conversation.item.truncated": ["item_id", "content_index", "audio_end_ms"],
  "conversation.item.input_audio_transcription.delta": ["item_id", "content_index", "delta"],
  "conversation.item.input_audio_transcription.completed": [
    "item_id",
    "content_index",
    "transcript",
    "usage",
  ],
  "conversation.item.input_audio_transcription.failed": ["item_id", "content_index", "error"],
  "input_audio_buffer.committed": ["item_id", "previous_item_id"],
  "input_audio_buffer.cleared": [],
  "input_audio_buffer.speech_started": ["audio_start_ms", "item_id"],
  "input_audio_buffer.speech_stopped": ["audio_end_ms", "item_id"],
  "input_audio_buffer.timeout_triggered": ["audio_start_ms", "audio_end_ms", "item_id"],
  "rate_limits.updated": ["rate_limits"],
  "response.created": ["response"],
  "response.done": ["response"],
  "response.output_item.added": ["response_id", "output_index", "item"],
  "response.output_item.done": ["response_id", "output_index", "item"],
  "response.content_part.added": ["response_id", "item_id", "output_index", "content_index", "part"],
  "response.content_part.done": ["response_id", "item_id", "output_index", "content_index", "part"],
  "response.output_text.delta": ["response_id", "item_id", "output_index", "content_index", "delta"],
  "response.output_text.done": ["response_id", "item_id", "output_index", "content_index", "text"],
  "response.output_audio.delta": ["response_id", "item_id", "output_index", "content_index", "delta"],
  "response.output_audio.done": ["response_id", "item_id", "output_index", "content_index"],
  "response.output_audio_transcript.delta": ["response_id", "item_id", "output_index", "content_index"],
  "response.output_audio_transcript.done": ["response_id", "item_id", "output_index", "transcript"],
  "response.function_call_arguments.delta": ["response_id", "item_id", "output_index", "call_id", "delta"],
  "response.function_call_arguments.done": ["response_id", "item_id", "call_id", "name", "arguments"],
};

/** Every event known, complete and with an id of its own. */
function expectWellFormed(client: Client): void {
  const ids = new Set<string>();
  for (const event of client.events) {
    const required = REQUIRED[event.type] as readonly string[] | undefined;
    expect(required, `unknown event ${event.type}`).toBeDefined();
    for (const key of required ?? []) expect(event, event.type).toHaveProperty(key);
    const id = "event_id" in event ? event.event_id : "none";
    expect(id).toMatch(/^event_/);
    ids.add(id);
  }
  expect(ids.size).toBe(client.events.length);
}

function audioBytes(client: Client, itemId: string): number {
  let bytes = 0;
  for (const delta of client.all("response.output_audio.delta")) {
    if (delta.item_id === itemId) bytes += Uint8Array.fromBase64(delta.delta).length;
  }
  return bytes;
}

async function spokenItem(client: Client, text: string): Promise<string> {
  client.send(sayExactly(text));
  const added = await client.next("response.output_item.added");
  await client.next("response.done");
  return added.item.id ?? "";
}

describe("connecting", () => {
  test("a beta header gets beta_api_shape_disabled and close 4000", async () => {
    const model = await start();
    const url = `${model.url.replace("http", "ws")}/realtime?model=gpt-realtime-2.1`;
    const client = new Client(url, { "OpenAI-Beta": "realtime=v1" });
    expect(await client.closing()).toMatchObject({ code: 4000 });
    expect(client.all("error")[0]?.error).toMatchObject({
      type: "invalid_request_error",
      code: "beta_api_shape_disabled",
    });
    expect(client.types()).toEqual(["error"]);
  });

  test("session.created comes first and tells when the session expires", async () => {
    const clock = new VirtualClock();
    const model = await start({ clock });
    const client = await connect(model);
    await client.next("conversation.created");
    const created = client.events[0] as Of<"session.created">;
    expect(created.type).toBe("session.created");
    expect(created.session).toMatchObject({
      type: "realtime",
      object: "realtime.session",
      model: "gpt-realtime-2.1",
      output_modalities: ["audio"],
      expires_at: Math.floor(clock.now() / 1000) + 3600,
      audio: { input: { format: { type: "audio/pcm", rate: 24_000 }, turn_detection: { type: "server_vad" } } },
    });
    expectWellFormed(client);
  });

  test("after 60 minutes the session ends with session_expired and close 1001", async () => {
    const clock = new VirtualClock();
    const model = await start({ clock });
    const client = await connect(model);
    clock.advance(3_599_999);
    await client.settled();
    expect(client.closed).toBeNull();
    clock.advance(1);
    const { error } = await client.next("error", (e) => e.error.code === "session_expired");
    expect(error.message).toBe("Your session hit the maximum duration of 60 minutes.");
    expect(await client.closing()).toMatchObject({ code: 1001 });
  });
});

describe("session.update", () => {
  test("echoes the formats that were taken, and merges partially", async () => {
    const client = await connectPhone(await start(), { instructions: "Be brief." });
    client.send({
      type: "session.update",
      session: { type: "realtime", audio: { input: { turn_detection: { type: "semantic_vad", eagerness: "low" } } } },
    });
    const { session } = await client.next("session.updated");
    expect(session).toMatchObject({
      instructions: "Be brief.",
      audio: {
        input: {
          format: { type: "audio/pcmu" },
          transcription: { model: "gpt-transcribe" },
          turn_detection: { type: "semantic_vad", eagerness: "low", create_response: true },
        },
        output: { format: { type: "audio/pcmu" }, voice: "marin" },
      },
    });
    expectWellFormed(client);
  });

  test("ignores beta keys, so the format silently stays PCM16 at 24 kHz", async () => {
    const client = await connect(await start());
    const session = { type: "realtime", input_audio_format: "g711_ulaw", output_audio_format: "g711_ulaw" };
    client.raw(JSON.stringify({ type: "session.update", session }));
    const updated = await client.next("session.updated");
    expect(updated.session).toMatchObject({
      audio: {
        input: { format: { type: "audio/pcm", rate: 24_000 } },
        output: { format: { type: "audio/pcm", rate: 24_000 } },
      },
    });
    expect(updated.session).not.toHaveProperty("input_audio_format");
  });

  test("rejects a rate with pcmu by the name of the parameter, and changes nothing", async () => {
    const model = await start();
    const client = await connectPhone(model);
    const audio = { output: { format: { type: "audio/pcmu", rate: 8000 } } };
    const session = { type: "realtime", instructions: "changed", audio };
    client.raw(JSON.stringify({ type: "session.update", event_id: "evt_1", session }));
    const { error } = await client.next("error");
    expect(error).toMatchObject({
      code: "unknown_parameter",
      param: "session.audio.output.format.rate",
      event_id: "evt_1",
    });
    expect(model.sessions()[0]?.config.instructions).not.toBe("changed");
  });

  test.each([
    [{}, "missing_required_parameter", "session.type"],
    [{ type: "transcription" }, "invalid_parameter", "session.type"],
    [{ type: "realtime", nonsense: 1 }, "unknown_parameter", "session.nonsense"],
    [{ type: "realtime", output_modalities: ["audio", "text"] }, "invalid_value", "session.output_modalities"],
    [{ type: "realtime", instructions: 5 }, "invalid_type", "session.instructions"],
    [
      { type: "realtime", audio: { input: { turn_detection: { type: "server_vad", threshold: 1.5 } } } },
      "invalid_value",
      "session.audio.input.turn_detection.threshold",
    ],
    [
      { type: "realtime", audio: { input: { turn_detection: { type: "semantic_vad", idle_timeout_ms: 6000 } } } },
      "unknown_parameter",
      "session.audio.input.turn_detection.idle_timeout_ms",
    ],
    [{ type: "realtime", model: "gpt-realtime-1.5" }, "invalid_value", "session.model"],
    [{ type: "realtime", tools: [{ type: "function", name: "a b" }] }, "invalid_value", "session.tools[0].name"],
  ])("refuses %j with %s naming %s", async (session, code, param) => {
    const client = await connect(await start());
    client.raw(JSON.stringify({ type: "session.update", session }));
    const { error } = await client.next("error");
    expect(error).toMatchObject({ type: "invalid_request_error", code, param });
  });

  test("locks the voice once there is assistant audio", async () => {
    const client = await connectPhone(await start({ faults: FAST }));
    await spokenItem(client, "Hello there");
    const audio = (voice: string) => ({ type: "realtime" as const, audio: { output: { voice } } });
    client.send({ type: "session.update", session: audio("marin") });
    await client.next("session.updated");
    client.send({ type: "session.update", session: audio("cedar") });
    expect((await client.next("error")).error.code).toBe("cannot_update_voice");
  });
});

describe("the buffer clock and turn detection", () => {
  test("speech_started and speech_stopped are offsets into the appended audio, whatever time it is", async () => {
    // The clock stands still: only appended bytes move the buffer clock.
    const client = await connectPhone(await start({ clock: new VirtualClock() }));
    client.speak(silence(2000));
    client.speak(tone(600, 440));
    client.speak(silence(700));
    const started = await client.next("input_audio_buffer.speech_started");
    const stopped = await client.next("input_audio_buffer.speech_stopped");
    expect(started.audio_start_ms).toBe(2000 - 300);
    expect(stopped.audio_end_ms).toBe(2600 + 500);
    const committed = await client.next("input_audio_buffer.committed");
    expect(new Set([started.item_id, stopped.item_id, committed.item_id]).size).toBe(1);
    const added = await client.next("conversation.item.added");
    expect(added.item).toMatchObject({ id: committed.item_id, role: "user", content: [{ type: "input_audio" }] });
    await client.next("conversation.item.done");
    await client.next("response.created");
    expectWellFormed(client);
  });

  test("honours prefix padding, silence duration, threshold and create_response", async () => {
    const turn_detection = {
      type: "server_vad",
      threshold: 0.9,
      prefix_padding_ms: 100,
      silence_duration_ms: 200,
      create_response: false,
    };
    const client = await connectPhone(await start({ clock: new VirtualClock() }), {}, { turn_detection });
    client.speak(tone(600, 440, 900));
    client.speak(silence(400));
    client.speak(tone(600, 440, 12_000));
    client.speak(silence(400));
    const started = await client.next("input_audio_buffer.speech_started");
    expect(started.audio_start_ms).toBe(1000 - 100);
    expect((await client.next("input_audio_buffer.speech_stopped")).audio_end_ms).toBe(1600 + 200);
    await client.settled();
    expect(client.all("input_audio_buffer.speech_started")).toHaveLength(1);
    expect(client.all("response.created")).toHaveLength(0);
  });

  test("without turn detection the client commits, and a commit under 100 ms is refused", async () => {
    const client = await connectPhone(await start(), {}, { turn_detection: null });
    client.append(tone(80, 440));
    client.send({ type: "input_audio_buffer.commit", event_id: "evt_commit" });
    const { error } = await client.next("error");
    expect(error).toMatchObject({
      code: "input_audio_buffer_commit_empty",
      event_id: "evt_commit",
      message:
        "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has 80.00ms of audio.",
    });
    client.append(tone(20, 440));
    client.send({ type: "input_audio_buffer.commit" });
    await client.next("input_audio_buffer.committed");
    client.append(tone(200, 440));
    client.send({ type: "input_audio_buffer.clear" });
    await client.next("input_audio_buffer.cleared");
    client.send({ type: "input_audio_buffer.commit" });
    expect((await client.next("error")).error.code).toBe("input_audio_buffer_commit_empty");
    expect(client.all("input_audio_buffer.speech_started")).toHaveLength(0);
    expect(client.all("response.created")).toHaveLength(0);
  });

  test("idle_timeout_ms runs from the end of playback, commits an empty segment and creates a response", async () => {
    const clock = new VirtualClock();
    const turn_detection = { type: "server_vad", idle_timeout_ms: 5000 };
    const client = await connectPhone(await start({ clock }), {}, { turn_detection });
    const pass = async (ms: number, until: () => boolean) => {
      for (let at = 0; at < ms && !until(); at += 100) {
        clock.advance(100);
        await client.settled();
      }
    };
    client.send(sayExactly("Hello there, caller"));
    await client.settled();
    await pass(5000, () => client.all("response.done").length === 1);
    const itemId = client.all("response.output_item.added")[0]?.item.id ?? "";
    const playbackMs = audioBytes(client, itemId) / 8;
    expect(playbackMs).toBeGreaterThan(1000);
    clock.advance(playbackMs + 5000 - 200);
    await client.settled();
    expect(client.all("input_audio_buffer.timeout_triggered")).toHaveLength(0);
    clock.advance(300);
    const timeout = await client.next("input_audio_buffer.timeout_triggered");
    const committed = await client.next("input_audio_buffer.committed");
    expect(committed.item_id).toBe(timeout.item_id);
    await client.next("response.created");
    expectWellFormed(client);
  });
});

describe("responses", () => {
  test("come in the order of the protocol, faster than real time, in deltas of many sizes", async () => {
    const client = await connectPhone(await start({ persona: "long-talker" }));
    const before = performance.now();
    client.send({ type: "response.create" });
    const done = await client.next("response.done");
    const tookMs = performance.now() - before;
    const item = done.response.output?.[0];
    const bytes = audioBytes(client, item?.id ?? "");
    expect(bytes / 8).toBeGreaterThan(10_000);
    expect(tookMs).toBeLessThan(bytes / 8);
    const sizes = client.all("response.output_audio.delta").map((d) => d.delta.length);
    expect(new Set(sizes).size).toBeGreaterThan(5);
    const kinds = client.types().slice(client.types().indexOf("response.created"));
    const firsts = [...new Set(kinds)];
    expect(firsts).toEqual([
      "response.created",
      "rate_limits.updated",
      "response.output_item.added",
      "conversation.item.added",
      "response.content_part.added",
      "response.output_audio_transcript.delta",
      "response.output_audio.delta",
      "response.output_audio.done",
      "response.output_audio_transcript.done",
      "response.content_part.done",
      "conversation.item.done",
      "response.output_item.done",
      "response.done",
    ]);
    const said = client.all("response.output_audio_transcript.delta").map((d) => d.delta);
    expect(client.all("response.output_audio_transcript.done")[0]?.transcript).toBe(said.join(""));
    expectWellFormed(client);
  });

  test("carry usage that adds up, and bill the conversation again with its cached part", async () => {
    const client = await connectPhone(await start({ faults: FAST }), { instructions: "x".repeat(4000) });
    await spokenItem(client, "Hello there");
    client.send(sayExactly("Hello again"));
    await client.next("response.done");
    const [, second] = client.all("response.done");
    const usage = second?.response.usage;
    expect(usage?.total_tokens).toBe((usage?.input_tokens ?? 0) + (usage?.output_tokens ?? 0));
    expect(usage?.input_token_details?.audio_tokens).toBeGreaterThan(0);
    expect(usage?.output_token_details?.audio_tokens).toBeGreaterThan(0);
    expect(usage?.input_token_details?.cached_tokens).toBeLessThanOrEqual(usage?.input_tokens ?? 0);
  });

  test("only one may write to the conversation", async () => {
    const client = await connectPhone(await start({ faults: ACTIVE }));
    client.send(sayExactly("A rather long sentence to keep it busy"));
    const { response } = await client.next("response.created");
    client.send({ type: "response.create", event_id: "evt_second" });
    const { error } = await client.next("error");
    expect(error).toMatchObject({
      code: "conversation_already_has_active_response",
      event_id: "evt_second",
    });
    expect(error.message).toContain(response.id ?? "no id");
  });

  test("a cancel ends as response.done cancelled, after a late delta or two", async () => {
    const client = await connectPhone(await start({ faults: ACTIVE }));
    client.send(sayExactly("A rather long sentence to keep it busy"));
    await client.next("response.output_audio.delta");
    await client.settled();
    const before = client.all("response.output_audio.delta").length;
    client.send({ type: "response.cancel" });
    const { response } = await client.next("response.done");
    expect(response).toMatchObject({
      status: "cancelled",
      status_details: { type: "cancelled", reason: "client_cancelled" },
      output: [{ status: "incomplete" }],
    });
    const late = client.all("response.output_audio.delta").length - before;
    expect(late).toBeGreaterThanOrEqual(1);
    expect(late).toBeLessThanOrEqual(2);
    expect(client.types() as string[]).not.toContain("response.cancelled");
    const transcript = client.all("response.output_audio_transcript.delta").map((d) => d.delta);
    expect(client.all("response.output_audio_transcript.done")[0]?.transcript).toBe(transcript.join(""));
    expectWellFormed(client);
  });

  test("a cancel with nothing active is response_cancel_not_active", async () => {
    const client = await connectPhone(await start());
    client.send({ type: "response.cancel", event_id: "evt_cancel" });
    expect((await client.next("error")).error).toMatchObject({
      code: "response_cancel_not_active",
      message: "Cancellation failed: no active response found",
      event_id: "evt_cancel",
    });
    client.send({ type: "response.cancel", response_id: "resp_unknown" });
    expect((await client.next("error")).error.code).toBe("response_cancel_not_active");
  });

  test("speech interrupts an active response as turn_detected, unless interrupt_response is false", async () => {
    const interrupting = await connectPhone(await start({ faults: ACTIVE }));
    interrupting.send(sayExactly("A rather long sentence to keep it busy"));
    await interrupting.next("response.output_audio.delta");
    interrupting.speak(tone(200, 440));
    await interrupting.next("input_audio_buffer.speech_started");
    const { response } = await interrupting.next("response.done");
    expect(response.status_details).toMatchObject({ type: "cancelled", reason: "turn_detected" });

    const turn_detection = { type: "server_vad", interrupt_response: false, create_response: false };
    const patient = await connectPhone(await start({ faults: FAST }), {}, { turn_detection });
    patient.send(sayExactly("A rather long sentence to keep it busy"));
    await patient.next("response.created");
    patient.speak(tone(200, 440));
    await patient.next("input_audio_buffer.speech_started");
    expect((await patient.next("response.done")).response.status).toBe("completed");
  });

  test("a failure is response.done failed, without an error event", async () => {
    const failResponse = { code: "insufficient_quota", message: "You exceeded your current quota.", times: 1 };
    const client = await connectPhone(await start({ faults: { ...FAST, failResponse } }));
    client.send({ type: "response.create" });
    const { response } = await client.next("response.done");
    expect(response).toMatchObject({
      status: "failed",
      status_details: { type: "failed", error: { code: "insufficient_quota" } },
    });
    expect(client.all("error")).toHaveLength(0);
    client.send({ type: "response.create" });
    expect((await client.next("response.done")).response.status).toBe("completed");
  });

  test("max_output_tokens ends a response as incomplete", async () => {
    const client = await connectPhone(await start({ faults: FAST, persona: "long-talker" }));
    client.send({ type: "response.create", response: { max_output_tokens: 200 } });
    const { response } = await client.next("response.done");
    expect(response.status_details).toEqual({ type: "incomplete", reason: "max_output_tokens" });
    expect(response.usage?.output_tokens).toBeLessThanOrEqual(200);
  });

  test("out of band they run beside the active one, keep their metadata and touch no conversation", async () => {
    const model = await start({ faults: ACTIVE });
    const client = await connectPhone(model);
    client.send(sayExactly("A rather long sentence to keep it busy"));
    const active = await client.next("response.created");
    client.send({
      type: "response.create",
      event_id: "oob1",
      response: {
        conversation: "none",
        output_modalities: ["text"],
        metadata: { topic: "summary" },
        instructions: "Summarise the call as JSON.",
        input: [
          { type: "message", role: "user", content: [{ type: "input_text", text: "My arm hurts." }] },
        ],
      },
    });
    const created = await client.next("response.created");
    expect(created.response.metadata).toEqual({ topic: "summary" });
    const done = await client.next("response.done", (d) => d.response.id === created.response.id);
    expect(done.response).toMatchObject({ status: "completed", metadata: { topic: "summary" } });
    expect(done.response).not.toHaveProperty("conversation_id");
    const text = client.all("response.output_text.done")[0]?.text ?? "";
    expect(JSON.parse(text)).toEqual({ summary: "My arm hurts." });
    const itemId = done.response.output?.[0]?.id;
    expect(client.all("conversation.item.added").some((e) => e.item.id === itemId)).toBe(false);
    expect(model.sessions()[0]?.activeResponseId).toBe(active.response.id ?? "");
    expectWellFormed(client);
  });
});

describe("truncation", () => {
  test("refuses more than the server holds, with the numbers", async () => {
    const client = await connectPhone(await start({ faults: FAST }));
    const item_id = await spokenItem(client, "Hello there");
    const heldMs = Math.floor(audioBytes(client, item_id) / 8);
    const truncate = { type: "conversation.item.truncate", item_id, content_index: 0 } as const;
    client.send({ ...truncate, event_id: "evt_t", audio_end_ms: heldMs + 60 });
    expect((await client.next("error")).error).toMatchObject({
      code: "invalid_value",
      message: `Audio content of ${heldMs}ms is already shorter than ${heldMs + 60}ms`,
      event_id: "evt_t",
    });
    client.send({ ...truncate, audio_end_ms: heldMs });
    expect(await client.next("conversation.item.truncated")).toMatchObject({ item_id, audio_end_ms: heldMs });
  });

  test("removes the transcript of the item and shortens what is held", async () => {
    const model = await start({ faults: FAST });
    const client = await connectPhone(model);
    const item_id = await spokenItem(client, "Hello there");
    const truncate = { type: "conversation.item.truncate", item_id, content_index: 0 } as const;
    client.send({ type: "conversation.item.retrieve", item_id });
    expect(JSON.stringify((await client.next("conversation.item.retrieved")).item)).toContain("Hello there");
    client.send({ ...truncate, audio_end_ms: 100 });
    await client.next("conversation.item.truncated");
    client.send({ type: "conversation.item.retrieve", item_id });
    expect(JSON.stringify((await client.next("conversation.item.retrieved")).item)).not.toContain("Hello");
    expect(model.sessions()[0]?.items.find((i) => i.item.id === item_id)).toMatchObject({ heldMs: 100, text: "" });
    client.send({ ...truncate, audio_end_ms: 101 });
    expect((await client.next("error")).error.message).toBe("Audio content of 100ms is already shorter than 101ms");
    client.send({ ...truncate, audio_end_ms: 0 });
    await client.next("conversation.item.truncated");
  });

  test("an item without audio is unsupported_content_type, an unknown one item_truncate_invalid_item_id", async () => {
    const client = await connectPhone(await start());
    const content = [{ type: "input_text" as const, text: "hi" }];
    client.send({
      type: "conversation.item.create",
      item: { id: "item_text", type: "message", role: "user", content },
    });
    const truncate = { type: "conversation.item.truncate", content_index: 0, audio_end_ms: 0 } as const;
    client.send({ ...truncate, item_id: "item_text" });
    expect((await client.next("error")).error).toMatchObject({
      code: "unsupported_content_type",
      message: "Only model output audio messages can be truncated",
    });
    client.send({ ...truncate, item_id: "item_unknown" });
    expect((await client.next("error")).error).toMatchObject({
      code: "item_truncate_invalid_item_id",
      message: "Error truncating item: the item with id 'item_unknown' does not exist.",
    });
  });

  test("of an item that is still spoken holds against what comes after it", async () => {
    const model = await start({ faults: ACTIVE });
    const client = await connectPhone(model);
    client.send(sayExactly("A rather long sentence to keep it busy"));
    const { item_id } = await client.next("response.output_audio.delta");
    client.send({ type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms: 40 });
    await client.next("conversation.item.truncated");
    client.send({ type: "response.cancel" });
    await client.next("response.done");
    const item = model.sessions()[0]?.items.find((i) => i.item.id === item_id);
    expect(item).toMatchObject({ heldMs: 40, text: "" });
  });
});

describe("function calls", () => {
  const hearing = new TestHearing();
  const urgent = tone(600, 440);
  hearing.note("I need a nurse, it is urgent.", urgent);

  test("stream their arguments, and the tool's output leads to an answer", async () => {
    const client = await connectPhone(await start({ hearing, faults: FAST }), { tools: TOOLS });
    client.speak(urgent);
    client.speak(silence(600));
    const done = await client.next("response.function_call_arguments.done");
    const deltas = client.all("response.function_call_arguments.delta").map((d) => d.delta);
    expect(done.arguments).toBe(deltas.join(""));
    expect(JSON.parse(done.arguments)).toMatchObject({ urgency: "high" });
    const { item } = await client.next("response.output_item.done");
    expect(item).toMatchObject({ type: "function_call", name: "escalate", status: "completed", call_id: done.call_id });
    await client.next("response.done");
    const output = JSON.stringify({ ok: true, say: "I am calling the nurse now." });
    client.send({
      type: "conversation.item.create",
      item: { type: "function_call_output", call_id: done.call_id, output },
    });
    client.send({ type: "response.create" });
    const { transcript } = await client.next("response.output_audio_transcript.done");
    expect(transcript).toBe("I am calling the nurse now.");
    expectWellFormed(client);
  });

  test("arguments.done comes of an interrupted call too, and its item is incomplete", async () => {
    const client = await connectPhone(await start({ hearing, faults: ACTIVE }), { tools: TOOLS });
    client.speak(urgent);
    client.speak(silence(600));
    await client.next("response.function_call_arguments.delta");
    client.send({ type: "response.cancel" });
    const cut = await client.next("response.function_call_arguments.done");
    expect(() => JSON.parse(cut.arguments)).toThrow();
    expect((await client.next("response.output_item.done")).item).toMatchObject({ status: "incomplete" });
    expect((await client.next("response.done")).response.status).toBe("cancelled");
  });

  test("an output for a call that never was is refused", async () => {
    const client = await connectPhone(await start());
    client.send({
      type: "conversation.item.create",
      item: { type: "function_call_output", call_id: "call_x", output: "{}" },
    });
    expect((await client.next("error")).error.message).toBe("Tool call ID 'call_x' not found in conversation.");
  });
});

describe("items", () => {
  test("are added in place, retrieved, deleted, and refused by name", async () => {
    const client = await connectPhone(await start());
    const create = (id: string, previous?: string) =>
      client.send({
        type: "conversation.item.create",
        ...(previous === undefined ? {} : { previous_item_id: previous }),
        item: { id, type: "message", role: "system", content: [{ type: "input_text", text: id }] },
      });
    create("b");
    create("c");
    create("a", "root");
    create("d", "b");
    const added = [];
    for (let i = 0; i < 4; i++) added.push(await client.next("conversation.item.added"));
    expect(added.map((e) => [e.item.id, e.previous_item_id ?? null])).toEqual([
      ["b", null],
      ["c", "b"],
      ["a", null],
      ["d", "b"],
    ]);
    client.send({ type: "conversation.item.delete", item_id: "d" });
    await client.next("conversation.item.deleted");
    for (const type of ["conversation.item.delete", "conversation.item.retrieve"] as const) {
      client.send({ type, item_id: "d", event_id: type });
      const { error } = await client.next("error");
      expect(error.code).toBe(`item_${type.split(".")[2]}_invalid_item_id`);
      expect(error.event_id).toBe(type);
    }
    create("e", "d");
    expect((await client.next("error")).error.param).toBe("previous_item_id");
    create("a");
    expect((await client.next("error")).error.param).toBe("item.id");
    expectWellFormed(client);
  });

  test("assistant audio cannot be created", async () => {
    const client = await connectPhone(await start());
    const content = [{ type: "output_audio" as const, transcript: "hi" }];
    client.send({ type: "conversation.item.create", item: { type: "message", role: "assistant", content } });
    expect((await client.next("error")).error.param).toBe("item.content[0].type");
  });
});

describe("transcription", () => {
  test("comes beside the answer, sometimes after its events", async () => {
    const hearing = new TestHearing();
    const speech = tone(400, 440);
    hearing.note("Hello.", speech);
    const client = await connectPhone(await start({ hearing, persona: "silent" }));
    let late = 0;
    const turns = 8;
    for (let i = 0; i < turns; i++) {
      client.speak(speech);
      client.speak(silence(600));
      const { item_id } = await client.next("input_audio_buffer.committed");
      await client.next("response.done");
      if (client.all("conversation.item.input_audio_transcription.completed").length <= i) late++;
      const completed = await client.next("conversation.item.input_audio_transcription.completed");
      expect(completed).toMatchObject({ item_id, transcript: "Hello.", usage: { type: "tokens" } });
    }
    expect(late).toBeGreaterThan(0);
    expect(late).toBeLessThan(turns);
    expectWellFormed(client);
  }, 30_000);
});

describe("bad events", () => {
  test("are invalid_event, echo the client's event id, and leave the session open", async () => {
    const client = await connect(await start());
    client.raw("not json");
    client.raw(new Uint8Array([1, 2, 3]));
    client.raw("[]");
    client.raw(JSON.stringify({ type: "response.createe", event_id: "evt_typo" }));
    const errors = [];
    for (let i = 0; i < 4; i++) errors.push((await client.next("error")).error);
    expect(errors.map((e) => e.code)).toEqual(Array(4).fill("invalid_event"));
    expect(errors.map((e) => e.event_id)).toEqual([null, null, null, "evt_typo"]);
    client.raw(JSON.stringify({ type: "conversation.item.delete", event_id: "evt_missing" }));
    const { error } = await client.next("error");
    expect(error).toMatchObject({ code: "missing_required_parameter", param: "item_id", event_id: "evt_missing" });
    client.send({ type: "session.update", session: { type: "realtime", instructions: "still here" } });
    await client.next("session.updated");
  });
});
