import { afterEach, expect, test } from "bun:test";
import { Client, connect, connectPhone, silence, start, stopAll, tone } from "./helpers.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";

afterEach(stopAll);

const realtime = (url: string) => `${url.replace("http", "ws")}/realtime?model=m`;
const faultsUrl = (url: string) => `${new URL(url).origin}/sandbox/faults`;

test("an upgrade is refused as often as told, then let in", async () => {
  const model = await start({ faults: { refuseUpgrade: { status: 503, times: 2 } } });
  for (let i = 0; i < 2; i++) expect((await new Client(realtime(model.url)).closing()).code).toBe(1006);
  await connect(model);
  expect(model.counters()["refused"]).toBe(2);
});

test("a session is closed at once, after a time or after appends, with or without a code", async () => {
  const clock = new VirtualClock();
  const model = await start({ clock });
  model.faults.set({ close: { afterMs: 0, code: 1011, times: 1 } });
  expect((await new Client(realtime(model.url)).closing()).code).toBe(1011);

  model.faults.set({ close: { afterMs: 500, code: null, times: 1 } });
  const timed = await connect(model);
  clock.advance(499);
  await timed.settled();
  clock.advance(1);
  expect((await timed.closing()).code).toBe(1006);

  model.faults.set({ close: { afterAppends: 3, times: 1 } });
  const appending = await connect(model);
  appending.append(silence(20));
  appending.append(silence(20));
  await appending.settled();
  appending.append(silence(20));
  expect((await appending.closing()).code).toBe(1011);
  await (await connect(model)).settled();
});

test("another format is echoed and used", async () => {
  const client = await connectPhone(await start({ faults: { echoFormat: "audio/pcm" } }));
  const updated = client.all("session.updated")[0];
  expect(updated?.session).toMatchObject({
    audio: {
      input: { format: { type: "audio/pcm" } },
      output: { format: { type: "audio/pcm", rate: 24_000 } },
    },
  });
});

test("session.update is never answered and has no effect", async () => {
  const model = await start({ faults: { ignoreSessionUpdate: true } });
  const client = await connect(model);
  client.send({ type: "session.update", session: { type: "realtime", instructions: "changed" } });
  await client.settled();
  expect(client.all("session.updated")).toHaveLength(0);
  expect(model.sessions()[0]?.config.instructions).not.toBe("changed");
});

test("a server_error event takes the place of a response", async () => {
  const client = await connect(await start({ faults: { serverError: { times: 1 } } }));
  client.send({ type: "response.create", event_id: "evt_1" });
  expect((await client.next("error")).error).toMatchObject({ type: "server_error", event_id: "evt_1" });
  expect(client.all("response.created")).toHaveLength(0);
  client.send({ type: "response.create" });
  await client.next("response.created");
});

test("the first audio is delayed", async () => {
  const clock = new VirtualClock();
  const client = await connectPhone(await start({ clock, faults: { firstAudioDelayMs: 3000 } }));
  client.send({ type: "response.create" });
  await client.next("response.created");
  await client.settled();
  clock.advance(2999);
  await client.settled();
  expect(client.all("response.output_audio.delta")).toHaveLength(0);
  clock.advance(1);
  await client.next("response.output_audio.delta");
});

test("a slow reader keeps the order, and gives up on a client that sends too much", async () => {
  const clock = new VirtualClock();
  const model = await start({ clock, faults: { slowReaderMs: 100 } });
  const client = await connect(model);
  const clear = (id: string) => client.raw(JSON.stringify({ type: "nonsense", event_id: id }));
  for (const id of ["a", "b", "c"]) clear(id);
  const witness = await connect(model);
  model.faults.set({ slowReaderMs: null });
  await witness.settled();
  expect(client.all("error")).toHaveLength(0);
  clock.advance(100);
  await client.next("error");
  clock.advance(100);
  clear("d");
  const order = [];
  clock.advance(100);
  for (let i = 0; i < 3; i++) order.push((await client.next("error")).error.event_id);
  expect(order).toEqual(["b", "c", "d"]);

  model.faults.set({ slowReaderMs: 600_000 });
  for (let i = 0; i < 5002; i++) client.raw("{}");
  expect((await client.closing()).code).toBe(1013);
});

test("a transcription fails", async () => {
  const client = await connectPhone(await start({ faults: { failTranscription: true } }));
  client.speak(tone(300, 440));
  client.speak(silence(600));
  const { item_id } = await client.next("input_audio_buffer.committed");
  const failed = await client.next("conversation.item.input_audio_transcription.failed");
  expect(failed).toMatchObject({ item_id, error: { code: "audio_unintelligible" } });
});

test("faults are set, read and cleared over HTTP, and a mistake is named", async () => {
  const model = await start();
  const post = (body: string, type = "application/json") =>
    fetch(faultsUrl(model.url), { method: "POST", body, headers: { "content-type": type } });
  const set = await post('{"firstAudioDelayMs":900}');
  expect(await set.json()).toMatchObject({ firstAudioDelayMs: 900, refuseUpgrade: null });
  await post('{"slowReaderMs":5}');
  expect(model.faults.current).toMatchObject({ firstAudioDelayMs: 900, slowReaderMs: 5 });
  for (const [body, name] of [
    ['{"firstAudioDelayMs":-1}', "firstAudioDelayMs"],
    ['{"nonsense":1}', "nonsense"],
    ['{"close":{}}', "close"],
    ["nonsense", "JSON"],
  ]) {
    const response = await post(body as string);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(name as string);
  }
  expect((await post("{}", "text/plain")).status).toBe(415);
  expect((await fetch(faultsUrl(model.url), { headers: { host: "evil.example" } })).status).toBe(403);
  expect((await fetch(faultsUrl(model.url), { method: "PUT" })).status).toBe(405);
  await fetch(faultsUrl(model.url), { method: "DELETE" });
  expect(await (await fetch(faultsUrl(model.url))).json()).toMatchObject({ slowReaderMs: null });
});
