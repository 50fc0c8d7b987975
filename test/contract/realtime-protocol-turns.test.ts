/** The sandbox model, held to the Realtime GA protocol and its traps, through the types of the openai package: the caller's turns. */
import { afterEach, describe, expect, test } from "bun:test";
import { VirtualClock } from "../../engine/platform/clock.ts";
import {
  connectPhone,
  silence,
  start,
  stopAll,
  TestHearing,
  tone,
  TOOLS,
} from "../unit/sandbox/model/helpers.ts";
import { ACTIVE, audioBytes, expectWellFormed, FAST, sayExactly } from "../unit/sandbox/model/protocol.ts";

afterEach(stopAll);

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
    expect(added.item).toMatchObject({
      id: committed.item_id,
      role: "user",
      content: [{ type: "input_audio" }],
    });
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

  test("speech calls the idle timeout off", async () => {
    const clock = new VirtualClock();
    const turn_detection = { type: "server_vad", idle_timeout_ms: 5000, create_response: false };
    const client = await connectPhone(await start({ clock, persona: "silent" }), {}, { turn_detection });
    client.send({ type: "response.create" });
    await client.settled();
    clock.advance(1000);
    await client.next("response.done");
    client.speak(tone(300, 440));
    client.speak(silence(600));
    await client.next("input_audio_buffer.committed");
    clock.advance(60_000);
    await client.settled();
    expect(client.all("input_audio_buffer.timeout_triggered")).toHaveLength(0);
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
      const type = "conversation.item.input_audio_transcription.completed";
      if (client.all(type).length <= i) {
        late++;
        await client.next(type);
      }
      const completed = client.all(type)[i];
      expect(completed).toMatchObject({ item_id, transcript: "Hello.", usage: { type: "tokens" } });
    }
    expect(late).toBeGreaterThan(0);
    expect(late).toBeLessThan(turns);
    expectWellFormed(client);
  }, 30_000);
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
    expect(item).toMatchObject({
      type: "function_call",
      name: "escalate",
      status: "completed",
      call_id: done.call_id,
    });
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
    expect((await client.next("error")).error.message).toBe(
      "Tool call ID 'call_x' not found in conversation.",
    );
  });
});
