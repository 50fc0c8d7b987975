/** `<Start><Stream>`: what a leg says, streamed to a server beside whatever becomes of the leg. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type MediaSocket, startWorld, TestPhone, type World } from "./harness.ts";

let world: World;
let phone: TestPhone;
beforeEach(async () => {
  world = await startWorld();
  phone = new TestPhone(world.carrier.url);
});
afterEach(async () => {
  phone.close();
  await world.stop();
  expect(world.carrier.state()).toMatchObject({ calls: [], streams: [] });
});

const media = (): string => world.customer.origin.replace("http", "ws");
const start = (attributes = "", name = "leg"): string =>
  `<Start><Stream name="${name}" url="${media()}/media" ${attributes}><Parameter name="token" value="t"/></Stream></Start>`;
const STAY = `<Say loop="0">on and on</Say>`;

async function forkOf(answer: string): Promise<MediaSocket> {
  world.customer.on("/voice", `<Response>${answer}</Response>`);
  await phone.dial("+15550142");
  return await world.customer.until(
    () => world.customer.media.find(({ messages }) => messages.some(({ event }) => event === "start")),
    "the fork",
  );
}

const payloadsOf = ({ messages }: MediaSocket): string[] =>
  messages.flatMap(({ event, ["media"]: sent }) =>
    event === "media" ? [(sent as { payload: string }).payload] : [],
  );

/** Says it until the fork has it. */
async function heard(fork: MediaSocket, code: number): Promise<void> {
  const payload = Buffer.alloc(160, code).toString("base64");
  await world.customer.until(
    () => {
      phone.speak(code);
      return payloadsOf(fork).includes(payload);
    },
    `0x${code.toString(16)} on the fork`,
  );
}

const alerts = (): number[] => world.carrier.state().alerts.map(({ code }) => code);
const statuses = (): (string | null)[] =>
  world.customer.all.filter(({ path }) => path === "/stream").map(({ fields }) => fields.get("StreamEvent"));

describe("a fork", () => {
  test("has what the leg says, silence too, and none of what it hears", async () => {
    const fork = await forkOf(`${start('track="inbound_track"')}${STAY}`);
    expect(fork.messages[0]).toEqual({ event: "connected", protocol: "Call", version: "1.0.0" });
    expect(fork.messages[1]?.["start"]).toMatchObject({
      tracks: ["inbound"],
      customParameters: { token: "t" },
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
    });
    await phone.until(() => phone.lastFrame.every((byte) => byte === "on and on".length), "the <Say>");
    await heard(fork, 0x21);
    const silence = Buffer.alloc(160, 0xff).toString("base64");
    const said = Buffer.alloc(160, 0x21).toString("base64");
    expect([...new Set(payloadsOf(fork))].sort()).toEqual([said, silence].sort());
  });

  test("goes on in a conference, and ends with the call", async () => {
    const room = `<Dial><Conference>room</Conference></Dial>`;
    const fork = await forkOf(
      `${start(`statusCallback="${world.customer.origin}/stream"`)}<Say>hi</Say>${room}`,
    );
    await heard(fork, 0x21);
    await world.customer.until(() => {
      phone.speak(0x22);
      return world.carrier.state().conferences.length === 1 && payloadsOf(fork).length > 0;
    }, "the conference");
    await heard(fork, 0x23);
    await phone.send({ type: "hangup" });
    await world.customer.until(() => fork.closed && statuses().length === 2, "the end");
    expect(fork.messages.at(-1)?.event).toBe("stop");
    expect(statuses()).toEqual(["stream-started", "stream-stopped"]);
    expect(alerts()).toEqual([]);
    // Every frame has a number and a time that follow on.
    const times = fork.messages
      .filter(({ event }) => event === "media")
      .map(({ ["media"]: sent }) => Number((sent as { timestamp: string }).timestamp));
    expect(times.every((ms, i) => i === 0 || ms > (times[i - 1] as number))).toBe(true);
  });

  test("is stopped by its name, and by no other, while the call goes on", async () => {
    const fork = await forkOf(
      `${start()}<Say>one</Say><Stop><Stream name="another"/></Stop><Say>two</Say><Stop><Stream name="leg"/></Stop>${STAY}`,
    );
    await world.customer.until(() => fork.closed, "the end of the fork");
    expect(fork.messages.at(-1)?.event).toBe("stop");
    await phone.until(() => phone.lastFrame.every((byte) => byte === "on and on".length), "the next verb");
    expect(alerts()).toEqual([]);
  });

  test("takes nothing from its server, and when that closes it the leg does not notice", async () => {
    const fork = await forkOf(`${start()}${STAY}`);
    const streamSid = fork.messages[1]?.["streamSid"];
    const payload = Buffer.alloc(1600, 0x33).toString("base64");
    fork.ws?.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
    await world.customer.until(() => {
      phone.speak(0x21);
      return alerts().includes(31951);
    }, "the warning");
    fork.ws?.close(1000);
    await phone.until(() => world.carrier.state().streams.length === 0, "the end of the fork");
    const frames = phone.frames;
    await phone.until(() => phone.frames > frames + 5, "the <Say>, on and on");
    expect(phone.lastFrame).toEqual(new Uint8Array(160).fill("on and on".length));
  });

  for (const [what, verbs, code] of [
    ["a query in its URL", () => `<Start><Stream url="${media()}/media?a=1"/></Start>`, 31920],
    ["a track that there is not", () => start('track="sideways"'), 31941],
    ["a track that this carrier does not have", () => start('track="both_tracks"'), 12100],
    ["a name that is taken", () => start() + start(), 12200],
    ["four others beside it", () => [1, 2, 3, 4, 5].map((n) => start("", `leg-${n}`)).join(""), 12200],
  ] as const) {
    test(`with ${what} is an alert, and the next verb follows`, async () => {
      world.customer.on("/voice", `<Response>${verbs()}${STAY}</Response>`);
      await phone.dial("+15550142");
      await phone.until(() => phone.frames && phone.lastFrame[0] === "on and on".length, "the next verb");
      expect(alerts()).toEqual([code]);
    });
  }

  test("whose server is not there is told of as failed, and the next verb follows", async () => {
    const status = `statusCallback="${world.customer.origin}/stream"`;
    const stream = `<Start><Stream url="ws://127.0.0.1:1/media" ${status}/></Start>`;
    world.customer.on("/voice", `<Response>${stream}${STAY}</Response>`);
    await phone.dial("+15550142");
    expect((await world.customer.next("/stream")).fields.get("StreamEvent")).toBe("stream-error");
    await phone.until(() => phone.frames && phone.lastFrame[0] === "on and on".length, "the next verb");
    expect(alerts()).toEqual([31920]);
  });
});
