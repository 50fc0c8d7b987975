/** What would leave a caller unanswered, and what the model or the row would not know. */
import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { callerSpoke, requestOf, toldTo, openReady, type Peer } from "./fake-realtime.ts";

describe("an answer that had begun without a word when the socket was lost", () => {
  test("is asked for again as it was wanted", async () => {
    const { fake, session, peer } = await openReady();
    session.respond("Greet the caller.");
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    peer.responseCreated("r1", requestOf(peer));
    await fake.sink.nth("responseStarted");
    peer.close(1011);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.until(() => next.of("response.create").length === 1, "response.create");
    await fake.settled(session);
    expect(next.of("response.create")).toMatchObject([{ response: { instructions: "Greet the caller." } }]);
    expect(toldTo(next)).toEqual([]);
  });

  test("is told as one that the caller still waits for, not as one that was being spoken", async () => {
    const { fake, session, peer } = await openReady();
    callerSpoke(peer, "u1");
    peer.responseCreated("r1");
    await fake.sink.nth("responseStarted");
    peer.close(1011);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.until(() => next.of("response.create").length === 1, "response.create");
    await fake.settled(session);
    expect(toldTo(next)).toMatchObject([expect.stringContaining("may be lost")]);
    expect(next.of("response.create")).toHaveLength(1);
  });
});

test("what a lost socket left to be answered is not answered twice when the caller speaks again", async () => {
  const { fake, session, peer } = await openReady();
  callerSpoke(peer, "u1");
  peer.close(1011);
  await fake.sink.nth("ready", 2);
  const next = await fake.peer(1);
  await fake.until(() => next.of("response.create").length === 1, "response.create");
  next.responseCreated("r1", requestOf(next));
  callerSpoke(next, "u2");
  next.responseDone("r1", "cancelled");
  next.responseCreated("r2");
  next.audio("r2", "i2", 100);
  next.responseDone("r2");
  await fake.sink.nth("responseDone", 2);
  await fake.settled(session);
  expect(next.of("response.create")).toHaveLength(1);
});

describe("a socket that died without a word", () => {
  test("has heard nothing for a while: the next one asks what was said meanwhile", async () => {
    const clock = new VirtualClock();
    const { fake, session } = await openReady({}, { clock, heartbeatMs: 10_000 });
    // No pong can come between the two.
    clock.advance(10_000);
    await Promise.resolve();
    clock.advance(10_000);
    expect(await fake.sink.nth("reconnecting")).toMatchObject({ code: "connection_lost" });
    clock.advance(1000);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.until(() => next.of("response.create").length === 1, "response.create");
    expect(toldTo(next)).toMatchObject([expect.stringContaining("may be lost")]);
    session.close();
  });
});

describe("an answer that ends without a word", () => {
  for (const reason of ["content_filter", "max_output_tokens"]) {
    test(`for ${reason} is asked for again, and not for ever`, async () => {
      const clock = new VirtualClock();
      const { fake, session, peer } = await openReady({}, { clock });
      callerSpoke(peer, "u1");
      peer.responseCreated("r0");
      const end = (id: string): void =>
        peer.send({
          type: "response.done",
          response: { id, status: "incomplete", status_details: { type: "incomplete", reason } },
        });
      end("r0");
      for (let n = 1; n <= 2; n++) {
        await fake.sink.nth("responseDone", n);
        clock.advance(5000);
        await fake.until(() => peer.of("response.create").length === n, "response.create");
        peer.responseCreated(`r${n}`, requestOf(peer));
        end(`r${n}`);
      }
      // Nobody listens to silence: another session may do better.
      await fake.sink.nth("reconnecting");
      session.close();
    });
  }

  test("is tried as often again after one that the caller cut off: those were not failures in a row", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    const server_error = { type: "server_error", message: "no" };
    let asked = 0;
    const again = async (): Promise<void> => {
      asked++;
      await fake.until(() => peer.of("response.create").length === asked, "response.create");
    };
    for (let turn = 0; turn < 3; turn++) {
      peer.responseCreated(`a${turn}`);
      peer.responseDone(`a${turn}`, "failed", server_error);
      await fake.sink.nth("responseDone", 3 * turn + 1);
      clock.advance(5000);
      await again();
      peer.responseCreated(`b${turn}`, requestOf(peer));
      peer.responseDone(`b${turn}`, "failed", server_error);
      await fake.sink.nth("responseDone", 3 * turn + 2);
      clock.advance(5000);
      await again();
      peer.responseCreated(`c${turn}`, requestOf(peer));
      peer.audio(`c${turn}`, `i${turn}`, 100);
      peer.responseDone(`c${turn}`, "cancelled");
      await fake.sink.nth("responseDone", 3 * turn + 3);
    }
    expect(fake.sink.all("reconnecting")).toEqual([]);
    session.close();
  });

  test("but with some, or with a tool call, is left as it is", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    peer.responseDone("r1", "incomplete");
    peer.responseCreated("r2");
    peer.functionCall("r2", "c1");
    peer.responseDone("r2", "incomplete");
    await fake.sink.nth("responseDone", 2);
    clock.advance(5000);
    await fake.settled(session);
    expect(peer.of("response.create")).toEqual([]);
  });
});

describe("speech that goes on to come after all that came before was heard", () => {
  test("is cut off at what was heard: the model must not believe that it said the rest", async () => {
    const { fake, session, peer } = await openReady();
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 400);
    await fake.sink.nth("audio");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.audio("r1", "i1", 600);
    const item = { id: "i1", type: "message", status: "incomplete" };
    peer.send({ type: "response.output_item.done", response_id: "r1", output_index: 0, item });
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    expect(peer.of("conversation.item.truncate")).toMatchObject([{ item_id: "i1", audio_end_ms: 400 }]);
  });

  test("and where the engine says that less was heard, at that", async () => {
    const { fake, session, peer } = await openReady();
    fake.sink.onEvent = (event) => {
      if (event.type !== "responseDone") return;
      session.interrupt([
        { responseId: "r1", itemId: "i1", contentIndex: 0, heardMs: 100, heardErrorMs: 0, receivedMs: 400 },
      ]);
    };
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 400);
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.audio("r1", "i1", 600);
    const item = { id: "i1", type: "message", status: "incomplete" };
    peer.send({ type: "response.output_item.done", response_id: "r1", output_index: 0, item });
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    expect(peer.of("conversation.item.truncate")).toMatchObject([{ item_id: "i1", audio_end_ms: 100 }]);
  });
});

describe("the caller's turn that no answer follows", () => {
  test("because it was the other side's is not waited for", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    session.speakAs("coach");
    peer.responseCreated("r1");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    await fake.sink.nth("speechStarted");
    session.speakAs("agent");
    peer.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "u1" });
    peer.send({ type: "input_audio_buffer.committed", item_id: "u1", previous_item_id: null });
    const code = "conversation_already_has_active_response";
    peer.send({ type: "error", error: { type: "invalid_request_error", code, message: "busy" } });
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    clock.advance(60_000);
    expect(fake.sink.all("reconnecting")).toEqual([]);
    session.close();
  });

  test("is found out also when an older answer ends in between", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    peer.responseCreated("r1");
    callerSpoke(peer, "u1");
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    clock.advance(18_000);
    expect(fake.sink.all("reconnecting")).toHaveLength(1);
    session.close();
  });

  test("because of an error that names nothing is asked to be answered", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    callerSpoke(peer, "u1");
    peer.send({ type: "error", error: { type: "server_error", code: null, message: "sorry" } });
    await fake.sink.nth("warning");
    clock.advance(3000);
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    session.close();
  });

  test("and if the answer comes all the same, it is the only one", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    callerSpoke(peer, "u1");
    peer.send({ type: "error", error: { type: "server_error", code: null, message: "sorry" } });
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    peer.responseDone("r1");
    await fake.sink.nth("responseDone");
    clock.advance(5000);
    await fake.settled(session);
    expect(peer.of("response.create")).toEqual([]);
  });
});

describe("an answer that is written instead of spoken", () => {
  const written = (peer: Peer, responseId: string, itemId: string): void => {
    const content = [{ type: "output_text", text: "Hello." }];
    const item = { id: itemId, type: "message", role: "assistant", status: "completed", content };
    peer.send({ type: "response.output_item.done", response_id: responseId, output_index: 0, item });
    peer.responseDone(responseId);
  };

  test("is taken back and asked for again: nobody hears it", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    callerSpoke(peer, "u1");
    peer.responseCreated("r1");
    written(peer, "r1", "i1");
    expect(await fake.sink.nth("warning")).toMatchObject({ code: "protocol_error" });
    await fake.settled(session);
    clock.advance(1000);
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    expect(peer.of("conversation.item.delete")).toMatchObject([{ item_id: "i1" }]);
    session.close();
  });

  test("time and again is no use to a caller: the session is given up", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    session.respond("Greet the caller.");
    for (let n = 1; n <= 3; n++) {
      await fake.until(() => peer.of("response.create").length === n, "response.create");
      peer.responseCreated(`r${n}`, requestOf(peer));
      written(peer, `r${n}`, `i${n}`);
      await fake.sink.nth("responseDone", n);
      clock.advance(5000);
    }
    await fake.sink.nth("reconnecting");
    session.close();
  });

  test("beside one that is spoken, or that the caller cut off, is left as it is", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    written(peer, "r1", "i2");
    peer.responseCreated("r2");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    written(peer, "r2", "i3");
    await fake.sink.nth("responseDone", 2);
    await fake.settled(session);
    clock.advance(5000);
    expect(peer.of("response.create")).toEqual([]);
  });
});

test("a turn whose words could not be written down leaves a trace where they would stand", async () => {
  const { fake, session, peer } = await openReady();
  callerSpoke(peer, "u1");
  peer.send({
    type: "conversation.item.input_audio_transcription.failed",
    item_id: "u1",
    content_index: 0,
    error: { type: "server_error", code: null, message: "no" },
  });
  expect(await fake.sink.nth("userText")).toEqual({ itemId: "u1", text: "[not transcribed]" });
  expect(session.history()).toEqual([{ role: "user", text: "[not transcribed]" }]);
  expect(fake.counters()["transcriptionsFailed"]).toBe(1);
});
