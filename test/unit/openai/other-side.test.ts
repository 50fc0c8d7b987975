/** When the model changes sides, from the person whom it coached back to the caller. */
import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { callerSpoke, toldTo, openReady } from "./fake-realtime.ts";

describe("a tool call that was made for the other side", () => {
  test("does not run when the coach is the agent again: its goodbye would end the caller's call", async () => {
    const { fake, session, peer } = await openReady();
    session.speakAs("coach");
    callerSpoke(peer, "u1");
    peer.responseCreated("r1");
    await fake.sink.nth("responseStarted");
    session.speakAs("agent");
    peer.functionCall("r1", "c1");
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    expect(fake.sink.all("toolCall")).toEqual([]);
    // The model must not wait for a result, and nothing is to be said of it.
    expect(peer.of("conversation.item.create")).toMatchObject([
      { item: { type: "function_call_output", call_id: "c1" } },
    ]);
    expect(peer.of("response.create")).toEqual([]);
  });

  test("nor when its answer begins only after the change", async () => {
    const { fake, session, peer } = await openReady();
    session.speakAs("coach");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    await fake.sink.nth("speechStarted");
    session.speakAs("agent");
    peer.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "u1" });
    peer.responseCreated("r1");
    peer.functionCall("r1", "c1");
    peer.responseDone("r1", "cancelled");
    callerSpoke(peer, "u2");
    peer.responseCreated("r2");
    peer.functionCall("r2", "c2");
    await fake.sink.nth("toolCall");
    expect(fake.sink.all("toolCall")).toMatchObject([{ callId: "c2" }]);
    session.close();
  });

  test("one of an answer that the caller talked into runs: they are still there", async () => {
    const { fake, peer } = await openReady();
    peer.responseCreated("r1");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.functionCall("r1", "c1");
    peer.responseDone("r1", "cancelled");
    expect(await fake.sink.nth("toolCall")).toMatchObject({ callId: "c1" });
  });
});

describe("what was for the other side, when the socket is lost around the change", () => {
  test("is not asked for again of the person who has left", async () => {
    const { fake, session, peer } = await openReady();
    session.speakAs("coach");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    await fake.sink.nth("speechStarted");
    session.speakAs("agent");
    peer.close(1011);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.settled(session);
    expect(toldTo(next)).toEqual([]);
    expect(next.of("response.create")).toEqual([]);
  });

  test("nor when they had said it already", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    session.speakAs("coach");
    callerSpoke(peer, "u1");
    await fake.settled(session);
    session.speakAs("agent");
    clock.advance(5000);
    peer.close(1011);
    await fake.sink.nth("reconnecting");
    clock.advance(1000);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.settled(session);
    expect(toldTo(next)).toEqual([]);
    expect(next.of("response.create")).toEqual([]);
  });

  test("nor gone on with, when the change comes while no socket is there", async () => {
    const { fake, session, peer } = await openReady();
    session.speakAs("coach");
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    await fake.sink.nth("audio");
    fake.sink.onEvent = (event) => {
      if (event.type !== "reconnecting") return;
      session.speakAs("agent");
      session.respond("Say that you are back.");
    };
    peer.close(1011);
    await fake.sink.nth("ready", 2);
    const next = await fake.peer(1);
    await fake.until(() => next.of("response.create").length === 1, "response.create");
    await fake.settled(session);
    expect(toldTo(next)).toEqual([]);
    expect(next.of("response.create")).toMatchObject([
      { response: { instructions: "Say that you are back." } },
    ]);
  });

  test("and what failed is not tried again", async () => {
    const clock = new VirtualClock();
    const { fake, session, peer } = await openReady({}, { clock });
    session.speakAs("coach");
    peer.responseCreated("r1");
    peer.responseDone("r1", "failed", { type: "server_error", message: "no" });
    await fake.sink.nth("responseDone");
    session.speakAs("agent");
    clock.advance(5000);
    await fake.settled(session);
    expect(peer.of("response.create")).toEqual([]);
  });
});

test("what was to be told to the caller is not told to the person whom the model coaches from now on", async () => {
  const { fake, session, peer } = await openReady();
  peer.responseCreated("r1");
  await fake.sink.nth("responseStarted");
  session.respond("Somebody is coming.");
  session.speakAs("coach");
  peer.responseDone("r1");
  await fake.sink.nth("responseDone");
  await fake.settled(session);
  expect(peer.of("response.create")).toEqual([]);
});
