/** What an escalation needs of the carrier: a page that is accepted by key, and the ways out of the room. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { ULAW_SILENCE } from "../../../../engine/media/g711.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { APP, conferenceTwiml, NUMBER, startWorld, TestPhone, type Received, type World } from "./harness.ts";

const CALLER = "+15550142";
const HUMAN = "+15550100";

let world: World;
let phones: TestPhone[];
beforeEach(async () => {
  world = await startWorld();
  phones = [];
});
afterEach(async () => {
  for (const phone of phones) phone.close();
  await world.stop();
  expect(world.carrier.state().pending).toMatchObject({ timers: 0, webhooks: 0, callbacks: 0, ticking: 0 });
});

function newPhone(): TestPhone {
  const phone = new TestPhone(world.carrier.url);
  phones.push(phone);
  return phone;
}

async function registered(number: string): Promise<TestPhone> {
  const phone = newPhone();
  await phone.send({ type: "register", number });
  // Refused, and answered after the registration: the number is this phone's from now on.
  await phone.send({ type: "answer" });
  await phone.event("error");
  return phone;
}

function event(name: string, label: string): Promise<Received> {
  return world.customer.next(
    "/conf",
    (f) => f.get("StatusCallbackEvent") === name && f.get("ParticipantLabel") === label,
  );
}

async function caller(): Promise<TestPhone> {
  const callbacks = `statusCallback="${world.customer.origin}/conf" statusCallbackEvent="join leave hold"`;
  world.customer.on("/voice", conferenceTwiml("room", `participantLabel="caller" beep="false" ${callbacks}`));
  const phone = newPhone();
  await phone.dial(CALLER);
  await event("participant-join", "caller");
  return phone;
}

/** TwiML of a page, as far as the keys go: 1 leads into the room, `*` out of it, 1 back in. */
function serveMenu(): void {
  const ask = (action: string): string =>
    `<Response><Gather numDigits="1" timeout="60" action="${action}"><Say>Press a key.</Say></Gather></Response>`;
  const room = conferenceTwiml("room", `participantLabel="human" beep="false"`);
  const withStar = room.replace("<Dial>", `<Dial hangupOnStar="true" action="/left">`);
  world.customer.on("/page", ask("/accepted")).on("/accepted", withStar);
  world.customer.on("/left", ask("/back")).on("/back", withStar);
}

/** A key counts from the moment a `<Gather>` runs, which is later than the request for its TwiML. */
async function pressWhenAsked(phone: TestPhone, digits: string): Promise<void> {
  await phone.until(() => phone.lastFrame.some((code) => code !== ULAW_SILENCE), "the words of a Gather");
  await phone.send({ type: "digits", digits });
  phone.lastFrame = new Uint8Array(0);
}

test("a star takes a paged person out of the room and to the Dial's action, and a key brings them back", async () => {
  await caller();
  const human = await registered(HUMAN);
  serveMenu();
  const page = await world.client.calls.create({
    to: HUMAN,
    from: NUMBER,
    url: `${world.customer.origin}/page`,
    machineDetection: "Enable",
  });
  await human.event("incoming");
  await human.send({ type: "answer" });
  expect((await world.customer.next("/page")).fields.get("AnsweredBy")).toBe("human");
  await pressWhenAsked(human, "1");
  await event("participant-join", "human");
  // Other keys mean nothing in a room.
  await human.send({ type: "digits", digits: "12#" });
  await human.send({ type: "digits", digits: "*" });
  const left = await event("participant-leave", "human");
  expect([left.fields.get("ReasonParticipantLeft"), left.fields.get("ParticipantCallStatus")]).toEqual([
    "participant_hung_up",
    "in-progress",
  ]);
  const action = await world.customer.next("/left");
  expect([action.fields.get("DialCallStatus"), action.fields.get("CallStatus")]).toEqual([
    "answered",
    "in-progress",
  ]);
  await pressWhenAsked(human, "1");
  expect((await world.customer.next("/back")).fields.get("Digits")).toBe("1");
  expect((await event("participant-join", "human")).fields.get("CallSid")).toBe(page.sid);
  await human.send({ type: "hangup" });
  const gone = await event("participant-leave", "human");
  expect(gone.fields.get("ParticipantCallStatus")).toBe("completed");
});

test("without hangupOnStar a star is a key like any other", async () => {
  const phone = await caller();
  await world.client.conferences("room").participants.create({ from: NUMBER, to: HUMAN, label: "late" });
  await phone.send({ type: "digits", digits: "*" });
  await phone.send({ type: "hangup" });
  const left = await event("participant-leave", "caller");
  expect(left.fields.get("ParticipantCallStatus")).toBe("completed");
});

test("a page that still rings is stopped by Status=completed, and the phone is told", async () => {
  const human = await registered(HUMAN);
  const page = await world.client.calls.create({
    to: HUMAN,
    from: NUMBER,
    twiml: "<Response/>",
    statusCallback: `${world.customer.origin}/status`,
  });
  await human.event("incoming");
  expect((await world.client.calls(page.sid).update({ status: "completed" })).status).toBe("canceled");
  await human.event("cancelled");
  const { fields } = await world.customer.next("/status");
  expect([fields.get("CallStatus"), fields.get("CallDuration")]).toEqual(["canceled", "0"]);
});

test("a phone that nobody has rings for its Timeout and five seconds, and is then not answered", async () => {
  await world.stop();
  const clock = new VirtualClock();
  world = await startWorld({ clock });
  const page = await world.client.calls.create({
    to: "+15550166",
    from: NUMBER,
    twiml: "<Response/>",
    timeout: 25,
    statusCallback: `${world.customer.origin}/status`,
    statusCallbackEvent: ["ringing", "completed"],
  });
  clock.advance(1);
  await world.customer.next("/status", (f) => f.get("CallStatus") === "ringing");
  clock.advance(29_900);
  expect((await world.client.calls(page.sid).fetch()).status).toBe("ringing");
  clock.advance(200);
  const { fields } = await world.customer.next("/status", (f) => f.get("CallStatus") !== "ringing");
  expect([fields.get("CallStatus"), fields.get("SipResponseCode")]).toEqual(["no-answer", "487"]);
});

/** 20 ms frames of a sound file whose frames have these codes. */
function wav(codes: readonly number[]): Response {
  const data = codes.flatMap((code) => Array.from({ length: 160 }, () => code));
  const file = new Uint8Array(44 + data.length);
  const view = new DataView(file.buffer);
  for (const [at, text] of [
    [0, "RIFF"],
    [8, "WAVEfmt "],
    [36, "data"],
  ] as const) {
    file.set(new TextEncoder().encode(text), at);
  }
  const [riffBytes, formatBytes, rateHz] = [36 + data.length, 16, 8000];
  view.setUint32(4, riffBytes, true);
  view.setUint32(16, formatBytes, true);
  // Format 7 is μ-law, one channel, one byte a sample.
  view.setUint16(20, 7, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rateHz, true);
  view.setUint32(28, rateHz, true);
  view.setUint16(32, 1, true);
  view.setUint16(34, 8, true);
  view.setUint32(40, data.length, true);
  file.set(data, 44);
  return new Response(file, { headers: { "content-type": "audio/wav" } });
}

async function holdRoom(): Promise<[TestPhone, (update: Record<string, unknown>) => Promise<unknown>]> {
  world.customer.on("/app", `<Response><Pause length="600"/></Response>`);
  const phone = await caller();
  const ai = await world.client
    .conferences("room")
    .participants.create({ from: NUMBER, to: `app:${APP}`, label: "ai", beep: "false", earlyMedia: false });
  await event("participant-join", "ai");
  return [phone, (u) => world.client.conferences(ai.conferenceSid).participants("caller").update(u)];
}

const hears = (phone: TestPhone, code: number): Promise<boolean> =>
  phone.until(() => phone.lastFrame.every((byte) => byte === code), `a frame of ${code}`);

test("a caller on hold hears the sound file of HoldUrl over and over, and the room again after it", async () => {
  const [phone, update] = await holdRoom();
  world.customer.on("/music", () => wav([0x21, 0x22]));
  await update({ hold: true, holdUrl: `${world.customer.origin}/music` });
  expect((await event("participant-hold", "caller")).fields.get("Hold")).toBe("true");
  expect((await world.customer.next("/music")).method).toBe("GET");
  for (let round = 0; round < 3; round++) {
    await hears(phone, 0x21);
    await hears(phone, 0x22);
  }
  await update({ hold: false });
  await event("participant-unhold", "caller");
  await hears(phone, 0xff);
});

test("the TwiML of a HoldUrl is played once, unless it redirects to itself; without one there is music", async () => {
  const [phone, update] = await holdRoom();
  const { origin } = world.customer;
  world.customer.on("/once", "<Response><Say>once</Say></Response>");
  await update({ hold: true, holdUrl: `${origin}/once` });
  await hears(phone, "once".length);
  await hears(phone, 0xff);
  world.customer.on(
    "/again",
    `<Response><Say>again</Say><Pause/><Redirect>${origin}/again</Redirect></Response>`,
  );
  await update({ hold: true, holdUrl: `${origin}/again` });
  for (let round = 0; round < 2; round++) {
    await hears(phone, "again".length);
    await hears(phone, 0xff);
  }
  await update({ hold: true });
  await phone.until(() => new Set(phone.lastFrame).size > 2, "music");
});

test("a HoldUrl that cannot be had is an alert, and the music plays", async () => {
  const [phone, update] = await holdRoom();
  world.customer.on("/missing", () => new Response("no", { status: 404 }));
  await update({ hold: true, holdUrl: `${world.customer.origin}/missing` });
  await world.customer.next("/missing");
  await phone.until(() => world.carrier.state().alerts.some((alert) => alert.code === 11200), "the alert");
  await phone.until(() => new Set(phone.lastFrame).size > 2, "music");
});

test("an SMS that a person sends without a phone comes signed to the number, and the reply is in their inbox", async () => {
  world.customer.on("/sms", "<Response><Message>you have it</Message></Response>");
  const url = `${world.carrier.url}/sandbox`;
  const post = (body: object) => fetch(`${url}/sms`, { method: "POST", body: JSON.stringify(body) });
  expect((await post({ from: HUMAN, body: "1" })).status).toBe(204);
  const request = await world.customer.next("/sms");
  expect([request.fields.get("From"), request.fields.get("To"), request.fields.get("Body")]).toEqual([
    HUMAN,
    NUMBER,
    "1",
  ]);
  expect(request.headers.get("x-twilio-signature")).toBeTruthy();
  const inbox = async (): Promise<{ body: string }[]> =>
    (await fetch(`${url}/messages?number=${encodeURIComponent(HUMAN)}`)).json() as Promise<
      { body: string }[]
    >;
  let messages = await inbox();
  while (messages.length === 0) messages = await inbox();
  expect(messages).toMatchObject([{ from: NUMBER, body: "you have it" }]);
  expect((await post({ from: "555", body: "1" })).status).toBe(400);
});

test("a phone is told over HTTP what to do at each ring", async () => {
  const body = JSON.stringify({
    number: HUMAN,
    behaviour: "busy",
    afterMs: 0,
    later: [{ behaviour: "answer", afterMs: 0, presses: [{ afterMs: 1, key: "1" }], hangUpAfterMs: 1 }],
  });
  expect((await fetch(`${world.carrier.url}/sandbox/numbers`, { method: "POST", body })).status).toBe(204);
  serveMenu();
  const statuses: (string | null)[] = [];
  for (let ring = 0; ring < 2; ring++) {
    await world.client.calls.create({
      to: HUMAN,
      from: NUMBER,
      url: `${world.customer.origin}/page`,
      statusCallback: `${world.customer.origin}/status`,
    });
    statuses.push((await world.customer.next("/status")).fields.get("CallStatus"));
  }
  expect(statuses).toEqual(["busy", "completed"]);
});
