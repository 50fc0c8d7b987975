/** What the engine wants said, and what must not be said in its place. */
import { describe, expect, test } from "bun:test";
import { requestOf, openReady, type Peer } from "./fake-realtime.ts";

describe("what the engine wants said", () => {
  const stop = (peer: Peer): void => {
    peer.send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: 900, item_id: "u1" });
    peer.responseCreated("r2");
    peer.audio("r2", "i2", 100);
    peer.responseDone("r2");
  };

  test("is said after the caller's turn when they spoke before a word of it was out", async () => {
    const { fake, session, peer } = await openReady();
    session.respond("Nobody could be reached.");
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    peer.responseCreated("r1", requestOf(peer));
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    expect(peer.of("response.create")).toHaveLength(1);
    stop(peer);
    await fake.until(() => peer.of("response.create").length === 2, "response.create");
    expect(peer.of("response.create")[1]).toMatchObject({
      response: { instructions: "Nobody could be reached." },
    });
    session.close();
  });

  test("also when it had been asked for and not begun as they cut in on what came before", async () => {
    const { fake, session, peer } = await openReady();
    fake.sink.onEvent = (event) => {
      if (event.type === "speechStarted") session.interrupt([{ responseId: "r0", ...unheard }]);
    };
    peer.responseCreated("r0");
    peer.audio("r0", "i1", 100);
    peer.responseDone("r0");
    await fake.sink.nth("responseDone");
    session.respond("Nobody could be reached.");
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.responseCreated("r1", requestOf(peer));
    peer.responseDone("r1", "cancelled");
    await fake.sink.nth("responseDone", 2);
    stop(peer);
    await fake.until(() => peer.of("response.create").length === 2, "response.create");
    await fake.settled(session);
    expect(peer.of("response.create")).toHaveLength(2);
  });

  test("does not talk over a caller who begins to speak as it is asked for", async () => {
    const { fake, session, peer } = await openReady();
    session.respond("Nobody could be reached.");
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.responseCreated("r1", requestOf(peer));
    await fake.until(() => peer.of("response.cancel").length === 1, "response.cancel");
    peer.responseDone("r1", "cancelled");
    stop(peer);
    await fake.until(() => peer.of("response.create").length === 2, "response.create");
    await fake.settled(session);
    expect(fake.sink.all("audio")).toMatchObject([{ responseId: "r2" }]);
    expect(peer.of("response.create")).toHaveLength(2);
  });

  test("is not said again once a word of it was out, nor after the engine itself has cut it", async () => {
    const { fake, session, peer } = await openReady();
    session.respond("Nobody could be reached.");
    await fake.until(() => peer.of("response.create").length === 1, "response.create");
    peer.responseCreated("r1", requestOf(peer));
    peer.audio("r1", "i1", 100);
    peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
    peer.responseDone("r1", "cancelled");
    stop(peer);
    await fake.sink.nth("responseDone", 2);
    session.respond("Somebody is coming.");
    await fake.until(() => peer.of("response.create").length === 2, "response.create");
    peer.responseCreated("r3", requestOf(peer));
    await fake.sink.nth("responseStarted", 3);
    session.interrupt([]);
    peer.responseDone("r3", "cancelled");
    await fake.sink.nth("responseDone", 3);
    await fake.settled(session);
    expect(peer.of("response.create")).toHaveLength(2);
  });

  const unheard = { itemId: "i1", contentIndex: 0, heardMs: 0, heardErrorMs: 0, receivedMs: 100 };

  test("is said after an answer that turns out at its end to have been heard by nobody", async () => {
    const { fake, session, peer } = await openReady();
    fake.sink.onEvent = (event) => {
      if (event.type === "responseDone") session.interrupt([{ responseId: "r1", ...unheard }]);
    };
    peer.responseCreated("r1");
    peer.audio("r1", "i1", 100);
    await fake.sink.nth("audio");
    session.respond("The line is back.");
    peer.responseDone("r1");
    await fake.sink.nth("responseDone");
    await fake.settled(session);
    expect(peer.of("conversation.item.delete")).toMatchObject([{ item_id: "i1" }]);
    expect(peer.of("response.create")).toMatchObject([{ response: { instructions: "The line is back." } }]);
  });
});
