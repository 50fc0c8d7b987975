import { afterEach, expect, test } from "bun:test";
import { APP, conferenceTwiml, NUMBER, startWorld, TestPhone, type World } from "./harness.ts";

const CALLER = "+15550142";
const HUMAN = "+15550100";
/** The AI's speech as the agent, and as the coach. */
const [AGENT_BYTE, COACH_BYTE] = [0x33, 0x44];
const [AGENT, COACH] = [1, 2];

let world: World;
let phone: TestPhone | null = null;
afterEach(async () => {
  phone?.close();
  phone = null;
  await world.stop();
});

/** Plays `byte` into the call of the stream for 100 ms, and waits until it has been played. */
async function play(byte: number): Promise<void> {
  const socket = await world.customer.until(
    () => world.customer.media.find((m) => m.messages.some((message) => message.event === "start")),
    "a media stream",
  );
  const streamSid = socket.messages.find((m) => m.event === "start")?.["streamSid"];
  const payload = Buffer.alloc(160 * 5, byte).toString("base64");
  socket.ws?.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
  socket.ws?.send(JSON.stringify({ event: "mark", streamSid, mark: { name: `played ${byte}` } }));
  await world.customer.until(
    () => socket.messages.some((m) => JSON.stringify(m).includes(`played ${byte}"`)),
    "the mark",
  );
}

function marked(byte: number): number {
  return byte === AGENT_BYTE ? AGENT : byte === COACH_BYTE ? COACH : 0;
}

test("a stream's marks reach the ears of those it reaches: the coach's the coached alone", async () => {
  world = await startWorld({ taintOf: marked });
  const { customer, carrier, client } = world;
  const joins = `${customer.origin}/joins`;
  const stream = `${customer.origin.replace("http", "ws")}/media`;
  customer
    .on(
      "/voice",
      conferenceTwiml("room", `beep="false" statusCallback="${joins}" statusCallbackEvent="join"`),
    )
    .on("/app", `<Response><Connect><Stream url="${stream}"/></Connect></Response>`);
  carrier.phones.setBehaviour(HUMAN, { behaviour: "answer", afterMs: 0 });
  phone = new TestPhone(carrier.url);
  await phone.dial(CALLER);
  await phone.event("answered");
  const add = (to: string, label: string) =>
    client.conferences("room").participants.create({ from: NUMBER, to, label, beep: "false" });
  const ai = await add(`app:${APP}`, "ai");
  const human = await add(HUMAN, "human");
  await customer.next("/joins", (fields) => fields.get("CallSid") === human.callSid);
  await play(AGENT_BYTE);
  await client
    .conferences(ai.conferenceSid)
    .participants("ai")
    .update({ coaching: true, callSidToCoach: human.callSid });
  await play(COACH_BYTE);
  expect(carrier.taints?.heardBy(CALLER)).toMatchObject({ mask: AGENT });
  expect(carrier.taints?.heardBy(CALLER).framesWith.slice(0, 2)).toEqual([5, 0]);
  expect(carrier.taints?.heardBy(HUMAN).framesWith[1]).toBe(5);
});

test("a caller who is alone with a stream hears its marks as well", async () => {
  world = await startWorld({ taintOf: marked });
  const stream = `${world.customer.origin.replace("http", "ws")}/media`;
  world.customer.on("/voice", `<Response><Connect><Stream url="${stream}"/></Connect></Response>`);
  phone = new TestPhone(world.carrier.url);
  await phone.dial(CALLER);
  await play(COACH_BYTE);
  expect(world.carrier.taints?.heardBy(CALLER)).toMatchObject({ mask: COACH });
});

test("nothing is traced unless it is asked for", async () => {
  world = await startWorld();
  expect(world.carrier.taints).toBeNull();
});
