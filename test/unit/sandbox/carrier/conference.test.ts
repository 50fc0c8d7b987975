import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  APP,
  conferenceTwiml,
  NUMBER,
  startWorld,
  TestPhone,
  type MediaSocket,
  type Received,
  type World,
} from "./harness.ts";

const ALL = "start end join leave mute hold modify announcement";
const HUMAN = "+15550100";

let world: World;
let phones: TestPhone[];
beforeEach(async () => {
  world = await startWorld();
  phones = [];
  world.carrier.phones.setBehaviour(HUMAN, { behaviour: "answer", afterMs: 0 });
  const media = world.customer.origin.replace("http", "ws");
  world.customer.on("/app", `<Response><Connect><Stream url="${media}/media"/></Connect></Response>`);
});
afterEach(async () => {
  for (const phone of phones) phone.close();
  await world.stop();
  const { calls, conferences, streams, pending } = world.carrier.state();
  expect({ calls, conferences, streams, pending }).toEqual({
    calls: [],
    conferences: [],
    streams: [],
    pending: { queuedCalls: 0, timers: 0, webhooks: 0, callbacks: 0, ticking: 0 },
  });
});

function callerTwiml(extra = ""): string {
  return conferenceTwiml(
    "room",
    `participantLabel="caller" beep="false" statusCallback="${world.customer.origin}/conf" statusCallbackEvent="${ALL}" ${extra}`,
  );
}

async function caller(twiml = callerTwiml('endConferenceOnExit="true"')): Promise<[TestPhone, string]> {
  world.customer.on("/voice", twiml);
  const phone = new TestPhone(world.carrier.url);
  phones.push(phone);
  return [phone, await phone.dial(`+1555014${phones.length}`)];
}

function event(name: string, label?: string): Promise<Received> {
  return world.customer.next(
    "/conf",
    (f) =>
      f.get("StatusCallbackEvent") === name && (label === undefined || f.get("ParticipantLabel") === label),
  );
}

async function add(label: string, options: Record<string, unknown> = {}) {
  const created = await world.client.conferences("room").participants.create({
    from: NUMBER,
    to: label === "ai" ? `app:${APP}` : HUMAN,
    label,
    beep: "false",
    earlyMedia: false,
    ...options,
  });
  return created;
}

async function room(): Promise<{
  conferenceSid: string;
  phone: TestPhone;
  callerSid: string;
  aiSid: string;
}> {
  const [phone, callerSid] = await caller();
  await event("participant-join", "caller");
  const ai = await add("ai");
  await event("participant-join", "ai");
  return { conferenceSid: ai.conferenceSid, phone, callerSid, aiSid: ai.callSid };
}

const participants = (sid: string) => world.client.conferences(sid).participants;

/** The media socket of the AI leg, once it has started. */
async function stream(): Promise<MediaSocket> {
  return await world.customer.until(
    () => world.customer.media.find((m) => m.messages.some((message) => message.event === "start")),
    "a media stream",
  );
}

describe("a conference", () => {
  test("of one waits, and starts with the second when one of them may start it", async () => {
    const [, callerSid] = await caller(callerTwiml('startConferenceOnEnter="false"'));
    const join = await event("participant-join", "caller");
    expect(Object.fromEntries(join.fields)).toEqual({
      ConferenceSid: expect.stringMatching(/^CF/),
      FriendlyName: "room",
      AccountSid: world.client.accountSid,
      SequenceNumber: "1",
      Timestamp: expect.stringMatching(/\+0000$/),
      StatusCallbackEvent: "participant-join",
      CallSid: callerSid,
      Muted: "false",
      Hold: "false",
      Coaching: "false",
      EndConferenceOnExit: "false",
      StartConferenceOnEnter: "false",
      ParticipantLabel: "caller",
    });
    const second = await add("human", { startConferenceOnEnter: false });
    await event("participant-join", "human");
    expect((await world.client.conferences(second.conferenceSid).fetch()).status).toBe("init");
    await add("ai");
    await event("conference-start");
    expect((await world.client.conferences(second.conferenceSid).fetch()).status).toBe("in-progress");
  });

  test("of one does not start, even when that one may start it", async () => {
    await caller();
    await event("participant-join", "caller");
    expect(world.carrier.state().conferences).toMatchObject([{ friendlyName: "room", status: "init" }]);
    await add("ai");
    await event("conference-start");
    expect(world.carrier.state().conferences).toMatchObject([{ status: "in-progress" }]);
  });

  test("keeps the callbacks, events and region of its first participant", async () => {
    await caller(callerTwiml('region="ie1"'));
    await event("participant-join", "caller");
    const ai = await add("ai", {
      region: "us2",
      conferenceStatusCallback: `${world.customer.origin}/other`,
      conferenceStatusCallbackEvent: ["join"],
    });
    await event("participant-join", "ai");
    expect((await world.client.conferences(ai.conferenceSid).fetch()).region).toBe("ie1");
    await participants(ai.conferenceSid)("ai").update({ muted: true });
    await event("participant-mute", "ai");
    expect(world.customer.all.some((r) => r.path === "/other")).toBe(false);
  });

  test("ends for all when one with endConferenceOnExit hangs up, and its name then means a new one", async () => {
    const { conferenceSid, phone, callerSid } = await room();
    const socket = await stream();
    await phone.send({ type: "hangup" });
    const left = await event("participant-leave", "caller");
    expect([left.fields.get("ReasonParticipantLeft"), left.fields.get("ParticipantCallStatus")]).toEqual([
      "participant_hung_up",
      "completed",
    ]);
    const other = await event("participant-leave", "ai");
    expect(other.fields.get("ReasonParticipantLeft")).toBe("moderator_ended_conference");
    const end = await event("conference-end");
    expect(Object.fromEntries(end.fields)).toMatchObject({
      ReasonConferenceEnded: "participant-with-end-conference-on-exit-left",
      CallSidEndingConference: callerSid,
      ParticipantLabelEndingConference: "caller",
    });
    await world.customer.until(() => socket.closed, "the stream to close");
    expect(socket.messages.at(-1)?.event).toBe("stop");
    const fetched = await world.client.conferences(conferenceSid).fetch();
    expect([fetched.status, fetched.callSidEndingConference]).toEqual(["completed", callerSid]);
    const gone = await participants(conferenceSid)("ai")
      .fetch()
      .catch((error) => error);
    expect([gone.status, gone.code]).toEqual([404, 20404]);
    expect((await add("ai")).conferenceSid).not.toBe(conferenceSid);
  });

  test("ended over REST ends the legs it had called and lets TwiML legs go on", async () => {
    world.customer.on("/after", "<Response><Hangup/></Response>");
    const twiml = callerTwiml().replace("<Dial>", `<Dial action="/after">`);
    await caller(twiml);
    await event("participant-join", "caller");
    const ai = await add("ai");
    await event("participant-join", "ai");
    await world.client.conferences(ai.conferenceSid).update({ status: "completed" });
    const left = await event("participant-leave", "ai");
    expect(left.fields.get("ReasonParticipantLeft")).toBe("conference_ended_via_api");
    expect((await event("conference-end")).fields.get("ReasonConferenceEnded")).toBe(
      "conference-ended-via-api",
    );
    expect((await world.customer.next("/after")).fields.get("DialCallStatus")).toBe("answered");
  });

  test("tells that nobody answered with participant_add_failed", async () => {
    const { conferenceSid } = await room();
    world.carrier.phones.setBehaviour(HUMAN, { behaviour: "busy", afterMs: 0 });
    await add("human");
    const left = await event("participant-leave", "human");
    expect([left.fields.get("ReasonParticipantLeft"), left.fields.get("ParticipantCallStatus")]).toEqual([
      "participant_add_failed",
      "busy",
    ]);
    expect((await participants(conferenceSid).list()).map((p) => p.label)).toEqual(["caller", "ai"]);
  });

  test("takes at most MaxParticipants", async () => {
    const { conferenceSid } = await room();
    const error = await participants(conferenceSid)
      .create({ from: NUMBER, to: HUMAN, maxParticipants: 2 })
      .catch((e) => e);
    expect([error.status, error.code]).toEqual([400, 16020]);
  });

  test("does not take a TwiML leg whose label is in use, nor one that coaches nobody", async () => {
    await room();
    const [second] = await caller(callerTwiml());
    await second.event("ended");
    const [third] = await caller(conferenceTwiml("room", `coach="CA${"0".repeat(32)}" beep="false"`));
    await third.event("ended");
    expect(world.carrier.state().alerts.map((a) => a.code)).toEqual([16025, 13240]);
  });
});

describe("participants", () => {
  test("are muted, held and told apart by label, with a callback for each change", async () => {
    const { conferenceSid, aiSid } = await room();
    const muted = await participants(conferenceSid)("ai").update({ muted: true });
    expect([muted.muted, muted.callSid, muted.queueTime as string | null]).toEqual([true, aiSid, null]);
    expect((await event("participant-mute", "ai")).fields.get("Muted")).toBe("true");
    await participants(conferenceSid)(aiSid).update({ muted: false, hold: true });
    await event("participant-unmute", "ai");
    expect((await event("participant-hold", "ai")).fields.get("Hold")).toBe("true");
    await participants(conferenceSid)("ai").update({ hold: false });
    await event("participant-unhold", "ai");
    await participants(conferenceSid)("ai").update({ endConferenceOnExit: true });
    expect((await event("participant-modify", "ai")).fields.get("EndConferenceOnExit")).toBe("true");
    expect((await participants(conferenceSid).list({ muted: true })).length).toBe(0);
  });

  test("coach only who is connected in the same conference", async () => {
    const { conferenceSid, aiSid } = await room();
    const absent = await participants(conferenceSid)("ai")
      .update({ coaching: true, callSidToCoach: `CA${"0".repeat(32)}` })
      .catch((e) => e);
    expect(absent.code).toBe(16028);
    const self = await participants(conferenceSid)("ai")
      .update({ coaching: true, callSidToCoach: aiSid })
      .catch((e) => e);
    expect(self.code).toBe(16028);
    const human = await add("human");
    await event("participant-join", "human");
    const coach = await participants(conferenceSid)("ai").update({
      coaching: true,
      callSidToCoach: human.callSid,
    });
    expect([coach.coaching, coach.callSidToCoach]).toEqual([true, human.callSid]);
    expect((await event("participant-modify", "ai")).fields.get("Coaching")).toBe("true");
    expect((await participants(conferenceSid).list({ coaching: true })).map((p) => p.label)).toEqual(["ai"]);
    const off = await participants(conferenceSid)("ai").update({
      coaching: false,
      callSidToCoach: human.callSid,
    });
    expect([off.coaching, off.callSidToCoach as string | null]).toEqual([false, null]);
  });

  test("that are removed leave at once, and their calls end", async () => {
    const { conferenceSid, aiSid } = await room();
    expect(await participants(conferenceSid)("ai").remove()).toBe(true);
    const left = await event("participant-leave", "ai");
    expect(left.fields.get("ReasonParticipantLeft")).toBe("participant_updated_via_api");
    expect((await world.client.calls(aiSid).fetch()).status).toBe("completed");
    const again = await participants(conferenceSid)("ai")
      .remove()
      .catch((e) => e);
    expect([again.status, again.code]).toEqual([404, 20404]);
    expect((await world.client.conferences(conferenceSid).fetch()).status).toBe("in-progress");
  });

  test("can be removed while they still ring", async () => {
    const { conferenceSid } = await room();
    const ringing = await add("late", { to: "+15550166" });
    expect((await participants(conferenceSid)("late").fetch()).callSid).toBe(ringing.callSid);
    await participants(conferenceSid)("late").remove();
    expect((await event("participant-leave", "late")).fields.get("ParticipantCallStatus")).toBe("canceled");
    expect((await world.client.calls(ringing.callSid).fetch()).status).toBe("canceled");
  });

  test("that are sent to other TwiML are out of the conference but still in their call", async () => {
    const { conferenceSid, aiSid } = await room();
    world.customer.on("/elsewhere", `<Response><Pause length="600"/></Response>`);
    await world.client.calls(aiSid).update({ url: `${world.customer.origin}/elsewhere` });
    await world.customer.next("/elsewhere");
    const left = await event("participant-leave", "ai");
    expect([left.fields.get("ReasonParticipantLeft"), left.fields.get("ParticipantCallStatus")]).toEqual([
      "participant_updated_via_api",
      "in-progress",
    ]);
    expect((await world.client.calls(aiSid).fetch()).status).toBe("in-progress");
    expect((await participants(conferenceSid).list()).map((p) => p.label)).toEqual(["caller"]);
  });

  test("with odd labels are found by the percent-encoded label", async () => {
    const { conferenceSid } = await room();
    await add("on call: nurse 1");
    await event("participant-join", "on call: nurse 1");
    expect((await participants(conferenceSid)("on call: nurse 1").fetch()).status).toBe("connected");
  });
});

describe("audio", () => {
  test("of the AI's stream reaches the caller, and not when it is muted", async () => {
    const { conferenceSid, phone } = await room();
    const socket = await stream();
    const streamSid = socket.messages.find((m) => m.event === "start")?.["streamSid"];
    const payload = Buffer.alloc(160 * 50, 0x33).toString("base64");
    const heard = (): boolean => phone.lastFrame.every((code) => code === 0x33);
    socket.ws?.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
    await phone.until(heard, "the AI's voice");
    await participants(conferenceSid)("ai").update({ muted: true });
    await phone.until(() => !heard(), "silence");
  });

  test("of the room is not heard any more by a caller who was sent elsewhere", async () => {
    const [phone, callerSid] = await caller(callerTwiml());
    await event("participant-join", "caller");
    await add("ai");
    await event("conference-start");
    const socket = await stream();
    const streamSid = socket.messages.find((m) => m.event === "start")?.["streamSid"];
    const payload = Buffer.alloc(160 * 500, 0x33).toString("base64");
    socket.ws?.send(JSON.stringify({ event: "media", streamSid, media: { payload } }));
    const hearsRoom = (): boolean => phone.lastFrame[0] === 0x33;
    await phone.until(hearsRoom, "the room");
    await world.client.calls(callerSid).update({ twiml: `<Response><Pause length="600"/></Response>` });
    await phone.until(() => !hearsRoom(), "silence");
    for (let n = 0; n < 6; n++) {
      const before = phone.frames;
      await phone.until(() => phone.frames > before, "another frame");
      expect(hearsRoom()).toBe(false);
    }
  });

  test("of an announcement reaches the caller, and its end is told", async () => {
    const { conferenceSid, phone } = await room();
    world.customer.on("/news", "<Response><Say>news</Say></Response>");
    await world.client.conferences(conferenceSid).update({ announceUrl: `${world.customer.origin}/news` });
    await phone.until(() => phone.lastFrame.every((code) => code === 4), "the announcement");
    expect((await event("announcement-end")).fields.get("AnnounceUrl")).toContain("/news");
    await participants(conferenceSid)("caller").update({ announceUrl: `${world.customer.origin}/nothing` });
    const failed = await event("announcement-fail");
    expect(failed.fields.get("ReasonAnnouncementFailed")).toBeTruthy();
  });

  test("stops when the stream's socket is dropped, and the AI leg leaves", async () => {
    const { aiSid } = await room();
    await stream();
    world.carrier.faults.set({ mediaDrop: aiSid });
    await event("participant-leave", "ai");
    expect(world.carrier.state().streams).toEqual([]);
  });
});
