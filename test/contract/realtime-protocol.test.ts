/** The sandbox model, held to the Realtime GA protocol and its traps, through the types of the openai package: session, items, bad events. */
import { afterEach, describe, expect, test } from "bun:test";
import { VirtualClock } from "../../engine/platform/clock.ts";
import { Client, connect, connectPhone, start, stopAll, type Of } from "../unit/sandbox/model/helpers.ts";
import { expectWellFormed, FAST, spokenItem } from "../unit/sandbox/model/protocol.ts";

afterEach(stopAll);

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
      audio: {
        input: { format: { type: "audio/pcm", rate: 24_000 }, turn_detection: { type: "server_vad" } },
      },
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
      session: {
        type: "realtime",
        audio: { input: { turn_detection: { type: "semantic_vad", eagerness: "low" } } },
      },
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
    [
      { type: "realtime", output_modalities: ["audio", "text"] },
      "invalid_value",
      "session.output_modalities",
    ],
    [{ type: "realtime", instructions: 5 }, "invalid_type", "session.instructions"],
    [
      { type: "realtime", audio: { input: { turn_detection: { type: "server_vad", threshold: 1.5 } } } },
      "invalid_value",
      "session.audio.input.turn_detection.threshold",
    ],
    [
      {
        type: "realtime",
        audio: { input: { turn_detection: { type: "semantic_vad", idle_timeout_ms: 6000 } } },
      },
      "unknown_parameter",
      "session.audio.input.turn_detection.idle_timeout_ms",
    ],
    [{ type: "realtime", model: "gpt-realtime-1.5" }, "invalid_value", "session.model"],
    [
      { type: "realtime", tools: [{ type: "function", name: "a b" }] },
      "invalid_value",
      "session.tools[0].name",
    ],
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

describe("bad events", () => {
  test("are invalid_event, echo the client's event id, and leave the session open", async () => {
    const client = await connect(await start());
    client.raw("not json");
    client.raw(new TextEncoder().encode('{"type":"response.create"}'));
    client.raw("[]");
    client.raw(JSON.stringify({ type: "response.createe", event_id: "evt_typo" }));
    const errors = [];
    for (let i = 0; i < 4; i++) errors.push((await client.next("error")).error);
    expect(errors.map((e) => e.code)).toEqual(Array(4).fill("invalid_event"));
    expect(errors.map((e) => e.event_id)).toEqual([null, null, null, "evt_typo"]);
    client.raw(JSON.stringify({ type: "conversation.item.delete", event_id: "evt_missing" }));
    const { error } = await client.next("error");
    expect(error).toMatchObject({
      code: "missing_required_parameter",
      param: "item_id",
      event_id: "evt_missing",
    });
    client.send({ type: "session.update", session: { type: "realtime", instructions: "still here" } });
    await client.next("session.updated");
  });
});
