import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { TapFrame } from "../../../../adapters/sandbox/model/server.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { MAX_APPEND_CHARS } from "../../../../adapters/sandbox/model/client-events.ts";
import { fromUlaw } from "../../../../adapters/sandbox/model/formats.ts";
import { Client, connect, connectPhone, silence, start, stopAll, TestHearing, tone } from "./helpers.ts";

afterEach(stopAll);

const realtime = (url: string, query = "?model=gpt-realtime-2.1") =>
  `${url.replace("http", "ws")}/realtime${query}`;
const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

describe("the door", () => {
  test("is closed with 401 without the key or with a wrong one", async () => {
    const model = await start({ apiKey: "sk-not-a-real-key" });
    for (const headers of [{}, bearer("sk-wrong")] as Record<string, string>[]) {
      const response = await fetch(`${model.url}/realtime?model=m`, { headers });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ error: { code: "invalid_api_key" } });
      expect((await new Client(realtime(model.url), headers).closing()).code).toBe(1006);
    }
    await new Client(realtime(model.url), bearer("sk-not-a-real-key")).next("session.created");
    expect(model.counters()).toMatchObject({ unauthorized: 4, opened: 1 });
  });

  test("takes the key as a subprotocol, as the SDK's browser class sends it", async () => {
    const model = await start({ apiKey: "sk-not-a-real-key" });
    const protocols = ["realtime", "openai-insecure-api-key.sk-not-a-real-key"];
    const socket = new WebSocket(realtime(model.url), protocols);
    const first = await new Promise<string>((resolve, reject) => {
      socket.onmessage = (message) => resolve(String(message.data));
      socket.onclose = () => reject(new Error("closed"));
    });
    expect(socket.protocol).toBe("realtime");
    expect(first).toContain("session.created");
    socket.close();
  });

  test("knows no other path, and no plain GET", async () => {
    const { url } = await start();
    expect((await fetch(`${url}/chat/completions`)).status).toBe(404);
    expect((await fetch(`${url}/realtime?model=m`)).status).toBe(426);
    expect((await fetch(`${url}/realtime?intent=transcription`)).status).toBe(400);
  });

  test("a missing model is an error and close 4000", async () => {
    const { url } = await start();
    const client = new Client(realtime(url, ""));
    expect((await client.closing()).code).toBe(4000);
    expect(client.all("error")[0]?.error.code).toBe("missing_model");
  });

  test("lets in no more sessions than the bound, and again when one has left", async () => {
    const model = await start({ maxSessions: 1 });
    const first = await connect(model);
    expect((await new Client(realtime(model.url)).closing()).code).toBe(1006);
    expect(model.counters()).toMatchObject({ full: 1, sessions: 1 });
    first.close();
    await first.closing();
    await connect(model);
  });

  test("an unknown persona is refused by name", async () => {
    await expect(start({ persona: "nobody" })).rejects.toThrow("there is no persona 'nobody'");
  });
});

describe("stop", () => {
  test("closes every session with 1001, frees the port and leaves no timer", async () => {
    const clock = new VirtualClock();
    const model = await start({ clock });
    const client = await connectPhone(model);
    client.send({ type: "response.create" });
    await client.next("response.created");
    expect(clock.pendingTimers).toBeGreaterThan(0);
    await model.stop();
    expect((await client.closing()).code).toBe(1001);
    expect(clock.pendingTimers).toBe(0);
    expect(model.sessions()).toEqual([]);
    await expect(fetch(`${model.url}/realtime`)).rejects.toThrow();
  });

  test("a client that leaves takes its timers with it", async () => {
    const clock = new VirtualClock();
    const model = await start({ clock });
    const client = await connectPhone(model);
    client.send({ type: "response.create" });
    await client.next("response.created");
    client.close();
    await client.closing();
    const witness = await connect(model);
    await witness.settled();
    expect(model.sessions()).toHaveLength(1);
    // The witness's own expiry.
    expect(clock.pendingTimers).toBe(1);
  });
});

describe("the tap", () => {
  test("has the exact bytes of each session in order", async () => {
    const frames: TapFrame[] = [];
    const model = await start({ tap: (frame) => frames.push(frame) });
    const [one, two] = [await connect(model), await connect(model)];
    const odd = '{ "type":"input_audio_buffer.clear" , "event_id":"é"}';
    one.raw(odd);
    await one.next("input_audio_buffer.cleared");
    await two.settled();
    const [first] = model.sessions();
    const mine = frames.filter((f) => f.sessionId === first?.id);
    expect(mine.filter((f) => f.direction === "in").map((f) => f.data)).toEqual([odd]);
    const sent = mine.filter((f) => f.direction === "out").map((f) => JSON.parse(String(f.data)));
    expect(sent).toEqual(one.events);
    expect(mine.findIndex((f) => f.direction === "in")).toBe(2);
  });

  test("that throws does no harm", async () => {
    const model = await start({
      tap: () => {
        throw new Error("tap");
      },
    });
    await connect(model);
    expect(model.counters()["tapFailures"]).toBeGreaterThan(0);
  });
});

describe("audio formats", () => {
  test.each([
    ["audio/pcm", 6],
    ["audio/pcma", 1],
    ["audio/pcmu", 1],
  ] as const)("%s comes out with %d bytes per telephone sample, exactly as spoken", async (type, factor) => {
    const client = await connect(await start({ faults: { firstAudioDelayMs: 0, deltaIntervalMs: 0 } }));
    const audio = { output: { format: { type } } };
    client.raw(JSON.stringify({ type: "session.update", session: { type: "realtime", audio } }));
    await client.next("session.updated");
    client.send({ type: "response.create", response: { instructions: 'Say exactly: "Hello there"' } });
    await client.next("response.done");
    const deltas = client.all("response.output_audio.delta").map((d) => Uint8Array.fromBase64(d.delta));
    const spoken = tone("Hello there".length * 60, 300);
    const got = Buffer.concat(deltas);
    expect(got.length).toBe(spoken.length * factor);
    expect(got.equals(Buffer.from(fromUlaw(type, spoken)))).toBe(true);
  });

  test("speech appended at 24 kHz is understood when its samples are kept", async () => {
    const hearing = new TestHearing();
    // No sample is zero, which two μ-law codes stand for.
    const speech = Uint8Array.from({ length: 4800 }, (_, i) => 0x90 + ((i * 7) % 48));
    hearing.note("Hello.", speech);
    const client = await connect(await start({ hearing, persona: "echo-text" }));
    const pcm = fromUlaw("audio/pcm", speech);
    for (let at = 0; at < pcm.length; at += 960) client.append(pcm.subarray(at, at + 960));
    client.append(new Uint8Array(48 * 700));
    await client.next("input_audio_buffer.committed");
    const { transcript } = await client.next("response.output_audio_transcript.done");
    expect(transcript).toBe("Hello.");
  });
});

test("speech that cannot be made fails the response, not the session", async () => {
  const speech = { say: async () => Promise.reject(new Error("no voice")), close: () => undefined };
  const client = await connectPhone(await start({ speech }));
  client.send({ type: "response.create" });
  expect((await client.next("response.done")).response.status).toBe("failed");
  client.send({ type: "response.create", response: { output_modalities: ["text"] } });
  expect((await client.next("response.done")).response.status).toBe("completed");
});

test("what the caller said over an answer survives a change of instructions in mid-speech", async () => {
  const client = await connectPhone(await start());
  client.speak(tone(300, 440));
  const { item_id } = await client.next("input_audio_buffer.speech_started");
  client.send({ type: "session.update", session: { type: "realtime", instructions: "Be brief." } });
  await client.next("session.updated");
  client.speak(silence(600));
  expect((await client.next("input_audio_buffer.committed")).item_id).toBe(item_id);
  client.send({ type: "conversation.item.retrieve", item_id });
  const { item } = await client.next("conversation.item.retrieved");
  expect(item).toMatchObject({ role: "user", content: [{ type: "input_audio", audio: expect.any(String) }] });
});

test("an append of more than 15 MiB is refused and the session goes on", async () => {
  const client = await connect(await start());
  const audio = "A".repeat(MAX_APPEND_CHARS + 4);
  client.send({ type: "input_audio_buffer.append", event_id: "evt_big", audio });
  expect((await client.next("error")).error).toMatchObject({ param: "audio", event_id: "evt_big" });
  client.send({ type: "input_audio_buffer.append", audio: "not base64!" });
  expect((await client.next("error")).error).toMatchObject({ code: "invalid_value", param: "audio" });
  await client.settled();
});

test("no client event, however wrong, breaks the model", async () => {
  const types = [
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "output_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.delete",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
  ];
  const model = await start({ faults: { firstAudioDelayMs: 0, deltaIntervalMs: 0 } });
  const client = await connect(model);
  const noise = fc.sample(
    fc.record(
      {
        type: fc.oneof(fc.constantFrom(...types), fc.string()),
        event_id: fc.oneof(fc.string(), fc.anything()),
        session: fc.object({ key: fc.constantFrom("type", "audio", "input", "tools", "format") }),
        audio: fc.oneof(fc.base64String(), fc.string(), fc.anything()),
        item: fc.object({ key: fc.constantFrom("type", "role", "content", "id", "output") }),
        item_id: fc.anything(),
        content_index: fc.anything(),
        audio_end_ms: fc.anything(),
        response: fc.object({ key: fc.constantFrom("input", "conversation", "metadata", "tools") }),
      },
      { requiredKeys: ["type"] },
    ),
    { numRuns: 1500, seed: 11 },
  );
  for (const event of noise) {
    const text = JSON.stringify(event, (_, v: unknown) => (typeof v === "bigint" ? String(v) : v));
    if (text) client.raw(text);
  }
  await client.settled();
  expect(model.sessions()[0]?.counters).toMatchObject({ internalErrors: 0, timerFailures: 0 });
  expect(model.counters()).toMatchObject({ failures: 0 });
  expect(client.closed).toBeNull();
});
