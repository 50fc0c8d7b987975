import { afterEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { FakeRealtime, created, updated, type Json, type Peer } from "./fake-realtime.ts";

let fake: FakeRealtime;
afterEach(() => fake.stop());

const texts = (peer: Peer): unknown[] =>
  peer.of("conversation.item.create").map((event) => {
    const item = event["item"] as { role?: string; content?: { text: string }[] };
    return `${item.role}: ${item.content?.[0]?.text}`;
  });

function speak(peer: Peer, responseId: string, itemId: string, text: string): void {
  const at = { response_id: responseId, item_id: itemId, output_index: 0, content_index: 0 };
  peer.responseCreated(responseId);
  peer.send({ type: "response.output_audio_transcript.delta", ...at, delta: text });
  peer.audio(responseId, itemId, 1000);
}

describe("a lost session", () => {
  test("that expired is rebuilt with what was said", async () => {
    fake = new FakeRealtime();
    const session = fake.open();
    await fake.sink.nth("ready");
    const peer = await fake.peer();
    speak(peer, "r1", "i1", "one two three four");
    peer.responseDone("r1");
    await fake.sink.nth("responseDone");
    session.interrupt([
      { responseId: "r1", itemId: "i1", contentIndex: 0, heardMs: 500, heardErrorMs: 0, receivedMs: 1000 },
    ]);
    session.addText("system", "A note.");
    peer.send({
      type: "error",
      error: { type: "invalid_request_error", code: "session_expired", message: "60" },
    });
    expect(await fake.sink.nth("reconnecting")).toMatchObject({ code: "session_expired", retryable: true });
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.settled(session);
    expect(texts(next)).toEqual(["assistant: one two", "system: A note."]);
    expect(next.of("response.create")).toEqual([]);
  });

  test("that was a coach's is rebuilt with its whispers as notes that the caller did not hear them", async () => {
    fake = new FakeRealtime();
    const session = fake.open();
    await fake.sink.nth("ready");
    const peer = await fake.peer();
    session.speakAs("coach");
    speak(peer, "r1", "i1", "Ask about the left arm.");
    peer.responseDone("r1");
    await fake.sink.nth("responseDone");
    session.speakAs("agent");
    speak(peer, "r2", "i2", "I am back.");
    peer.responseDone("r2");
    await fake.sink.nth("responseDone", 2);
    peer.close(1011);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.settled(session);
    expect(texts(next)).toEqual([
      expect.stringMatching(/^system: .*the caller did not hear it: Ask about the left arm\.$/),
      "assistant: I am back.",
    ]);
  });

  test("is the agent again: the coached person's last words are not answered to the caller", async () => {
    fake = new FakeRealtime();
    const session = fake.open();
    await fake.sink.nth("ready");
    const peer = await fake.peer();
    session.speakAs("coach");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    await fake.sink.nth("speechStarted");
    session.speakAs("agent");
    session.speakAs("agent");
    peer.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "u1" });
    speak(peer, "r1", "i1", "Goodbye.");
    await fake.sink.nth("responseStarted");
    await fake.settled(session);
    expect(peer.of("response.cancel")).toMatchObject([{ response_id: "r1" }]);
    expect(fake.sink.all("audio")).toEqual([]);
  });

  test("is configured anew with the instructions of that time", async () => {
    fake = new FakeRealtime();
    const session = fake.open();
    await fake.sink.nth("ready");
    expect(await session.setInstructions("The later role.")).toBe(true);
    (await fake.peer()).close(1011);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    expect(next.received[0]).toMatchObject({
      type: "session.update",
      session: { instructions: "The later role." },
    });
    expect(next.of("session.update")).toHaveLength(1);
  });

  test("in the middle of an answer goes on with it", async () => {
    fake = new FakeRealtime();
    const session = fake.open();
    await fake.sink.nth("ready");
    const peer = await fake.peer();
    speak(peer, "r1", "i1", "one two three");
    await fake.sink.nth("audio");
    peer.close(1011);
    expect(await fake.sink.nth("responseDone")).toEqual({ responseId: "r1", status: "failed", usage: null });
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.until(() => next.of("response.create").length > 0, "response.create");
    await fake.settled(session);
    expect(texts(next)[0]).toBe("assistant: one two three");
    expect(texts(next)[1]).toContain("Go on from where you were cut off");
  });

  test("loses no request and no tool result made meanwhile", async () => {
    fake = new FakeRealtime({ refuse: (n) => (n === 1 ? 503 : null) });
    const session = fake.open();
    await fake.sink.nth("ready");
    const peer = await fake.peer();
    peer.responseCreated("r1");
    peer.functionCall("r1", "c1");
    peer.responseDone("r1");
    await fake.sink.nth("responseDone");
    fake.sink.onEvent = (event) => {
      if (event.type !== "reconnecting") return;
      session.toolResult("c1", "seven", { respond: true });
      session.respond("say it");
      session.addText("user", "Typed meanwhile.");
    };
    peer.close(1001);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.until(() => next.of("response.create").length > 0, "response.create");
    await fake.settled(session);
    expect(texts(next)).toEqual(["system: Tool call lookup({}) returned: seven", "user: Typed meanwhile."]);
    expect(next.of("response.create")).toMatchObject([{ response: { instructions: "say it" } }]);
    expect(fake.sink.all("warning")).toEqual([]);
  });

  const speech = [
    { type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" },
    { type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "u1" },
  ] as const;

  for (const [when, events] of [
    ["before the caller was answered", speech],
    ["while the caller spoke", speech.slice(0, 1)],
  ] as const) {
    test(`${when} asks on the new one`, async () => {
      fake = new FakeRealtime();
      const session = fake.open();
      await fake.sink.nth("ready");
      const peer = await fake.peer();
      for (const event of events) peer.send(event);
      peer.close(1011);
      await fake.sink.nth("ready", 2);
      const next = await fake.peer(1);
      await fake.until(() => next.of("response.create").length > 0, "response.create");
      await fake.settled(session);
      expect(texts(next)[0]).toContain("may be lost");
    });
  }
});

describe("a session that grows old", () => {
  const recycleAfterMs = 50 * 60_000;

  test("is replaced at a quiet moment; audio goes to the old one until then", async () => {
    let release = (): void => undefined;
    fake = new FakeRealtime({
      answer: (peer, event, index) => {
        if (event["type"] !== "session.update") return;
        if (index === 1 && peer.of("session.update").length === 1) release = () => updated(peer, event);
        else updated(peer, event);
      },
    });
    const clock = new VirtualClock();
    const session = fake.open({ clock }, { history: [{ role: "user", text: "Hello." }] });
    await fake.sink.nth("ready");
    const old = await fake.peer();
    clock.advance(recycleAfterMs);
    const next = await fake.peer(1);
    await fake.until(() => next.of("session.update").length === 1, "second session.update");
    session.appendAudio("AAAA");
    await fake.until(() => old.of("input_audio_buffer.append").length === 1, "audio on the old session");
    expect(fake.sink.all("ready")).toHaveLength(1);
    release();
    await fake.sink.nth("ready", 2);
    session.appendAudio("BBBB");
    await fake.until(() => next.of("input_audio_buffer.append").length === 1, "audio on the new session");
    await fake.until(() => old.closeCode !== null, "closed old session");
    expect(old.closeCode).toBe(1000);
    expect(texts(next)).toEqual(["user: Hello."]);
    expect(next.received.map((e) => e["type"]).slice(0, 3)).toEqual([
      "session.update",
      "conversation.item.create",
      "input_audio_buffer.append",
    ]);
    expect(fake.sink.all("reconnecting")).toEqual([]);
    expect(fake.counters()["recycles"]).toBe(1);
  });

  test("is kept while somebody speaks", async () => {
    fake = new FakeRealtime();
    const clock = new VirtualClock();
    const session = fake.open({ clock });
    await fake.sink.nth("ready");
    const old = await fake.peer();
    clock.advance(recycleAfterMs - 1000);
    old.responseCreated("r1");
    await fake.sink.nth("responseStarted");
    clock.advance(1000);
    const next = await fake.peer(1);
    await fake.until(() => next.of("session.update").length === 1, "second session.update");
    await fake.settled(session);
    expect(fake.sink.all("ready")).toHaveLength(1);
    old.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    old.responseDone("r1", "cancelled");
    await fake.settled(session);
    expect(fake.sink.all("ready")).toHaveLength(1);
    old.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "u1" });
    old.send({ type: "input_audio_buffer.committed", item_id: "u1", previous_item_id: null });
    old.responseCreated("r2");
    old.responseDone("r2");
    await fake.settled(session);
    expect(fake.sink.all("ready")).toHaveLength(1);
    old.send({
      type: "conversation.item.input_audio_transcription.completed",
      item_id: "u1",
      content_index: 0,
      transcript: "What I said.",
    });
    await fake.sink.nth("ready", 2);
    await fake.settled(session);
    expect(texts(next)).toEqual(["user: What I said."]);
  });

  test("is replaced in any case before it expires", async () => {
    const clock = new VirtualClock();
    const expiresAtS = Math.floor(clock.now() / 1000) + 3600;
    fake = new FakeRealtime({ onOpen: (peer) => created(peer, expiresAtS) });
    const session = fake.open({ clock });
    await fake.sink.nth("ready");
    const old = await fake.peer();
    old.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    await fake.sink.nth("speechStarted");
    clock.advance(recycleAfterMs);
    const next = await fake.peer(1);
    await fake.until(() => next.of("session.update").length === 1, "second session.update");
    // The new session is configured well within these round trips on the old one.
    for (let trip = 0; trip < 5; trip++) await fake.settled(session);
    clock.advance(5 * 60_000 - 1000);
    old.responseCreated("r1");
    await fake.sink.nth("responseStarted");
    clock.advance(999);
    expect(fake.sink.all("ready")).toHaveLength(1);
    clock.advance(1);
    expect(fake.sink.all("ready")).toHaveLength(2);
    expect(clock.now() / 1000).toBeLessThan(expiresAtS - 59);
    expect(fake.sink.all("responseDone")).toMatchObject([{ responseId: "r1", status: "failed" }]);
  });

  test("speech that is cut off after the change is replaced by what was heard", async () => {
    fake = new FakeRealtime();
    const clock = new VirtualClock();
    const session = fake.open({ clock });
    await fake.sink.nth("ready");
    const old = await fake.peer();
    speak(old, "r1", "i1", "one two three four");
    old.responseDone("r1");
    await fake.sink.nth("responseDone");
    clock.advance(recycleAfterMs);
    await fake.sink.nth("ready", 2);
    session.interrupt([
      { responseId: "r1", itemId: "i1", contentIndex: 0, heardMs: 500, heardErrorMs: 0, receivedMs: 1000 },
    ]);
    await fake.settled(session);
    const next = await fake.peer(1);
    expect(texts(next)).toEqual(["assistant: one two three four", "assistant: one two"]);
    const [whole, part] = next.of("conversation.item.create");
    const wholeId = (whole as { item: Json }).item["id"];
    expect(part?.["previous_item_id"]).toBe(wholeId);
    expect(next.of("conversation.item.delete")).toMatchObject([{ item_id: wholeId }]);
    expect(next.of("conversation.item.truncate")).toEqual([]);
  });

  test("survives when no new one can be had", async () => {
    fake = new FakeRealtime({ refuse: (n) => (n === 0 ? null : 503) });
    const clock = new VirtualClock();
    const session = fake.open({ clock });
    await fake.sink.nth("ready");
    clock.advance(recycleAfterMs);
    await fake.sink.nth("warning");
    await fake.settled(session);
    expect(fake.sink.all("failed")).toEqual([]);
    expect(fake.sink.all("reconnecting")).toEqual([]);
  });
});

describe("the end", () => {
  test("leaves no timer and no socket, whatever was going on", async () => {
    const clock = new VirtualClock();
    fake = new FakeRealtime();
    const session = fake.open({ clock });
    await fake.sink.nth("ready");
    const peer = await fake.peer();
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    await fake.sink.nth("speechStarted");
    session.respond("a");
    const confirmed = session.setInstructions("b");
    session.close();
    expect(clock.pendingTimers).toBe(0);
    expect(await confirmed).toBe(false);
    await fake.until(() => peer.closeCode === 1000, "closed socket");
    const before = fake.sink.events.length;
    clock.advance(3_600_000);
    expect(fake.sink.events).toHaveLength(before);
    expect(fake.attempts).toBe(1);
  });

  test("while it waits to reconnect stops the attempts", async () => {
    const clock = new VirtualClock();
    fake = new FakeRealtime();
    const session = fake.open({ clock });
    await fake.sink.nth("ready");
    (await fake.peer()).close(1011);
    await fake.sink.nth("reconnecting");
    session.close();
    expect(clock.pendingTimers).toBe(0);
    clock.advance(60_000);
    expect(fake.attempts).toBe(1);
  });

  test("closes the wire even to a peer that answers no close", async () => {
    const closed = Promise.withResolvers<void>();
    const server = createServer((wire) => {
      wire.on("error", () => undefined);
      wire.on("close", () => closed.resolve());
      wire.once("data", (request) => {
        const key = /sec-websocket-key: (.*)\r\n/i.exec(String(request))?.[1] ?? "";
        const accept = new Bun.CryptoHasher("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
        const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
        wire.write([...lines, `Sec-WebSocket-Accept: ${accept.digest("base64")}`, "", ""].join("\r\n"));
        wire.write(Uint8Array.of(0x82, 0x00));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    fake = new FakeRealtime();
    const session = fake.open({ baseUrl: `http://127.0.0.1:${port}/v1` });
    // An empty binary frame: the socket is open.
    await fake.sink.nth("warning");
    session.close();
    await closed.promise;
    server.close();
  });

  test("can come from within the sink", async () => {
    const clock = new VirtualClock();
    fake = new FakeRealtime();
    const session = fake.open({ clock });
    fake.sink.onEvent = () => session.close();
    session.respond("never asked");
    const peer = await fake.peer();
    await fake.until(() => peer.closeCode !== null, "closed socket");
    expect(fake.sink.events.map((e) => e.type)).toEqual(["ready"]);
    expect(peer.of("response.create")).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
