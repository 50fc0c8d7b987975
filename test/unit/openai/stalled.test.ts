/** A model that is connected and says nothing is found out, and given up when a fresh socket is no better. */
import { afterEach, expect, test } from "bun:test";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { FakeRealtime } from "./fake-realtime.ts";

const STALLED_AFTER_MS = 12_000;
let fake: FakeRealtime;
afterEach(async () => {
  await fake.stop();
});

test("an answer that never begins ends the session, and the second time for good", async () => {
  fake = new FakeRealtime();
  const clock = new VirtualClock();
  const session = fake.open({ clock });
  await fake.sink.nth("ready");
  session.respond("Say hello.");
  await fake.settled(session);
  clock.advance(STALLED_AFTER_MS - 1);
  expect(fake.sink.all("reconnecting")).toEqual([]);
  clock.advance(1);
  expect(fake.sink.all("reconnecting")).toHaveLength(1);
  clock.advance(1000);
  // The greeting is still wanted: the new socket is asked for it.
  await fake.sink.nth("ready", 2);
  const next = await fake.peer(1);
  await fake.until(() => next.of("response.create").length === 1, "the greeting is asked for again");
  expect(next.of("response.create")).toMatchObject([{ response: { instructions: "Say hello." } }]);
  clock.advance(STALLED_AFTER_MS);
  expect(fake.sink.all("failed")).toMatchObject([{ code: "server_error" }]);
});

test("an answer that goes on, and a caller who goes on speaking, stall nothing", async () => {
  fake = new FakeRealtime();
  const clock = new VirtualClock();
  const session = fake.open({ clock });
  await fake.sink.nth("ready");
  const peer = await fake.peer();
  session.respond("Tell a story.");
  await fake.until(() => peer.of("response.create").length === 1, "response.create");
  peer.responseCreated("r1");
  await fake.sink.nth("responseStarted");
  clock.advance(STALLED_AFTER_MS - 1);
  peer.audio("r1", "i1", 100);
  await fake.sink.nth("audio");
  clock.advance(STALLED_AFTER_MS - 1);
  peer.responseDone("r1");
  await fake.sink.nth("responseDone");
  clock.advance(10 * STALLED_AFTER_MS);
  peer.send({ type: "input_audio_buffer.speech_started", audio_start_ms: 0, item_id: "u1" });
  await fake.sink.nth("speechStarted");
  clock.advance(10 * STALLED_AFTER_MS);
  expect(fake.sink.all("reconnecting")).toEqual([]);
  session.close();
  expect(clock.pendingTimers).toBe(0);
});

test("the caller's turn that went unanswered is answered on the next socket", async () => {
  fake = new FakeRealtime();
  const clock = new VirtualClock();
  const session = fake.open({ clock });
  await fake.sink.nth("ready");
  const peer = await fake.peer();
  peer.send({ type: "input_audio_buffer.committed", item_id: "u1", previous_item_id: null });
  await fake.settled(session);
  clock.advance(STALLED_AFTER_MS);
  expect(fake.sink.all("reconnecting")).toHaveLength(1);
  clock.advance(1000);
  await fake.sink.nth("ready", 2);
  const next = await fake.peer(1);
  await fake.until(() => next.of("response.create").length === 1, "an answer is asked for");
  session.close();
});

test("arguments of a tool that take long to write are work, and no stall", async () => {
  fake = new FakeRealtime();
  const clock = new VirtualClock();
  const session = fake.open({ clock });
  await fake.sink.nth("ready");
  const peer = await fake.peer();
  peer.responseCreated("r1");
  await fake.sink.nth("responseStarted");
  for (let i = 0; i < 4; i++) {
    clock.advance(STALLED_AFTER_MS - 1);
    peer.send({
      type: "response.function_call_arguments.delta",
      response_id: "r1",
      item_id: "f1",
      output_index: 0,
      call_id: "c1",
      delta: "{",
    });
    await fake.settled(session);
  }
  expect(fake.sink.all("reconnecting")).toEqual([]);
  session.close();
});

for (const code of ["server_error", "inference_error", undefined]) {
  test(`answers that fail one after another (${code ?? "without a code"}) end the session`, async () => {
    fake = new FakeRealtime();
    const session = fake.open();
    await fake.sink.nth("ready");
    const peer = await fake.peer();
    for (const id of ["r1", "r2", "r3"]) {
      peer.responseCreated(id);
      peer.responseDone(
        id,
        "failed",
        code === undefined ? undefined : { type: "error", code, message: "no" },
      );
    }
    await fake.sink.nth("reconnecting");
    session.close();
  });
}
