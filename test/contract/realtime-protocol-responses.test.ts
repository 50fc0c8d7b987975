/** The sandbox model, held to the Realtime GA protocol and its traps, through the types of the openai package: responses and truncation. */
import { afterEach, describe, expect, test } from "bun:test";
import { VirtualClock } from "../../engine/platform/clock.ts";
import { connectPhone, silence, start, stopAll, tone } from "../unit/sandbox/model/helpers.ts";
import {
  ACTIVE,
  audioBytes,
  expectWellFormed,
  FAST,
  sayExactly,
  spokenItem,
} from "../unit/sandbox/model/protocol.ts";

afterEach(stopAll);

describe("responses", () => {
  test("come in the order of the protocol, faster than real time, in deltas of many sizes", async () => {
    const clock = new VirtualClock();
    const client = await connectPhone(await start({ clock, persona: "long-talker" }));
    client.send({ type: "response.create" });
    let tookMs = 0;
    for (await client.settled(); client.all("response.done").length === 0; await client.settled()) {
      clock.advance(100);
      tookMs += 100;
    }
    const item = client.all("response.done")[0]?.response.output?.[0];
    const bytes = audioBytes(client, item?.id ?? "");
    expect(bytes / 8).toBeGreaterThan(10_000);
    expect(tookMs).toBeLessThan(bytes / 8 / 5);
    const sizes = client.all("response.output_audio.delta").map((d) => d.delta.length);
    expect(new Set(sizes).size).toBeGreaterThan(5);
    const kinds = client.types().slice(client.types().indexOf("response.created"));
    const firsts = [...new Set(kinds)].filter((kind) => kind !== "error");
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

  test("a turn that ends while its interruption winds down is answered after it", async () => {
    const clock = new VirtualClock();
    const client = await connectPhone(await start({ clock, faults: ACTIVE }));
    client.send(sayExactly("A rather long sentence to keep it busy"));
    await client.settled();
    clock.advance(100);
    await client.next("response.output_audio.delta");
    client.speak(tone(200, 440));
    client.speak(silence(600));
    await client.next("input_audio_buffer.committed");
    await client.settled();
    expect(client.all("response.created")).toHaveLength(1);
    clock.advance(100);
    expect((await client.next("response.done")).response.status).toBe("cancelled");
    await client.next("response.created");
    expect(client.all("error").every((e) => e.error.code === "invalid_event")).toBe(true);
  });

  test("a failure is response.done failed, without an error event", async () => {
    const failResponse = {
      code: "insufficient_quota",
      message: "You exceeded your current quota.",
      times: 1,
    };
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
        input: [{ type: "message", role: "user", content: [{ type: "input_text", text: "My arm hurts." }] }],
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
    expect(model.sessions()[0]?.items.find((i) => i.item.id === item_id)).toMatchObject({
      heldMs: 100,
      text: "",
    });
    client.send({ ...truncate, audio_end_ms: 101 });
    expect((await client.next("error")).error.message).toBe(
      "Audio content of 100ms is already shorter than 101ms",
    );
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
