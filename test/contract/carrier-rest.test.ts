/**
 * The sandbox carrier as seen by the real `twilio` package: every operation that the package has for the
 * resources we use, with every parameter it can send, and every field that it reads out of an answer.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import twilio from "twilio";
import type { Table } from "../../adapters/sandbox/carrier/rest/parameters.ts";
import * as tables from "../../adapters/sandbox/carrier/rest/tables.ts";
import {
  APP,
  conferenceTwiml,
  NUMBER,
  startWorld,
  TestPhone,
  type World,
} from "../unit/sandbox/carrier/harness.ts";

const SILENT_NUMBER = "+15550166";

let world: World;
let client: twilio.Twilio;
let hook: string;
beforeAll(async () => {
  world = await startWorld();
  ({ client } = world);
  hook = `${world.customer.origin}/hook`;
  world.carrier.phones.setBehaviour("+15550100", { behaviour: "answer", afterMs: 0 });
});
afterAll(async () => {
  await world.stop();
});

/** No field may be missing: the package turns a missing one into `undefined`, or into an invalid date. */
function expectComplete(instance: { toJSON(): Record<string, unknown> }): void {
  for (const [name, value] of Object.entries(instance.toJSON())) {
    expect([name, value === undefined]).toEqual([name, false]);
    if (value instanceof Date) expect([name, Number.isNaN(value.getTime())]).toEqual([name, false]);
  }
}

const everyCallParameter = {
  statusCallback: "http://127.0.0.1:1/status",
  statusCallbackMethod: "POST",
  statusCallbackEvent: ["initiated", "ringing", "answered", "completed"],
  timeout: 30,
  record: false,
  recordingChannels: "dual",
  recordingStatusCallback: "http://127.0.0.1:1/recording",
  recordingStatusCallbackMethod: "GET",
  recordingStatusCallbackEvent: ["in-progress", "completed"],
  recordingTrack: "both",
  trim: "do-not-trim",
  sipAuthUsername: "user",
  sipAuthPassword: "fake",
  byoc: `BY${"0".repeat(32)}`,
  callerId: NUMBER,
  callReason: "on call",
  callToken: "fake",
  clientNotificationUrl: "http://127.0.0.1:1/push",
  timeLimit: 3600,
  machineDetection: "DetectMessageEnd",
  machineDetectionTimeout: 20,
  machineDetectionSpeechThreshold: 2400,
  machineDetectionSpeechEndThreshold: 1200,
  machineDetectionSilenceTimeout: 5000,
};

describe("calls", () => {
  test("create takes every parameter of the package, and the answer is complete", async () => {
    const call = await client.calls.create({
      ...everyCallParameter,
      to: SILENT_NUMBER,
      from: NUMBER,
      url: `${hook}#rc=2`,
      method: "GET",
      fallbackUrl: hook,
      fallbackMethod: "POST",
      sendDigits: "1w#",
      asyncAmd: "true",
      asyncAmdStatusCallback: hook,
      asyncAmdStatusCallbackMethod: "POST",
    });
    expectComplete(call);
    expect([call.status, call.direction, call.to, call.apiVersion]).toEqual([
      "queued",
      "outbound-api",
      SILENT_NUMBER,
      "2010-04-01",
    ]);
    expect(call.dateCreated).toBeInstanceOf(Date);
    const fetched = await client.calls(call.sid).fetch();
    expectComplete(fetched);
    const updated = await client.calls(call.sid).update({ status: "completed" });
    expectComplete(updated);
    expect(updated.status).toBe("canceled");
  });

  test("create takes TwiML as the package's own object", async () => {
    const response = new twilio.twiml.VoiceResponse();
    response.pause({ length: 600 });
    const call = await client.calls.create({ to: "+15550100", from: NUMBER, twiml: response });
    const next = new twilio.twiml.VoiceResponse();
    next.hangup();
    let status = (await client.calls(call.sid).fetch()).status;
    while (status !== "in-progress") status = (await client.calls(call.sid).fetch()).status;
    await client.calls(call.sid).update({ twiml: next });
    while (status !== "completed") status = (await client.calls(call.sid).fetch()).status;
    const ended = await client.calls(call.sid).fetch();
    expectComplete(ended);
    expect([ended.endTime instanceof Date, ended.duration]).toEqual([true, expect.stringMatching(/^\d+$/)]);
  });

  test("list pages through all calls that fit", async () => {
    const calls = await client.calls.list({ from: NUMBER, pageSize: 1, startTimeAfter: new Date(0) });
    expect(calls.length).toBe(1);
    const all = await client.calls.list({ from: NUMBER, pageSize: 1 });
    expect(all.length).toBe(2);
    for (const call of all) expectComplete(call);
    expect(await client.calls.list({ status: "busy" })).toEqual([]);
    expect(await client.calls.list({ startTimeAfter: new Date("2999-01-01") })).toEqual([]);
  });
});

describe("conferences and participants", () => {
  test("every operation works by friendly name, sid and label", async () => {
    world.customer.on("/voice", conferenceTwiml("contract room", 'participantLabel="caller" beep="false"'));
    const phone = new TestPhone(world.carrier.url);
    const callerSid = await phone.dial("+15550142");
    await phone.event("answered");
    const created = await client.conferences("contract room").participants.create({
      ...everyCallParameter,
      to: "+15550100",
      from: NUMBER,
      label: "on-call nurse",
      muted: false,
      beep: "onEnter",
      startConferenceOnEnter: true,
      endConferenceOnExit: false,
      waitUrl: "",
      waitMethod: "GET",
      earlyMedia: true,
      maxParticipants: 10,
      conferenceRecord: "do-not-record",
      conferenceTrim: "trim-silence",
      conferenceStatusCallback: hook,
      conferenceStatusCallbackMethod: "POST",
      conferenceStatusCallbackEvent: [
        "start",
        "end",
        "join",
        "leave",
        "mute",
        "hold",
        "modify",
        "speaker",
        "announcement",
      ],
      conferenceRecordingStatusCallback: hook,
      conferenceRecordingStatusCallbackMethod: "POST",
      conferenceRecordingStatusCallbackEvent: ["in-progress", "completed"],
      region: "ie1",
      coaching: true,
      callSidToCoach: callerSid,
      jitterBufferSize: "small",
      amdStatusCallback: hook,
      amdStatusCallbackMethod: "POST",
      callerDisplayName: "Nurse",
    });
    expectComplete(created);
    expect([created.status, typeof created.queueTime]).toEqual(["queued", "string"]);
    const conference = client.conferences(created.conferenceSid);
    let participant = await conference.participants("on-call nurse").fetch();
    while (participant.status !== "connected") {
      participant = await conference.participants("on-call nurse").fetch();
    }
    expectComplete(participant);
    expect(participant.callSidToCoach).toBe(callerSid);
    const updated = await conference.participants(created.callSid).update({
      muted: true,
      hold: true,
      holdUrl: hook,
      holdMethod: "GET",
      announceMethod: "GET",
      waitUrl: hook,
      waitMethod: "POST",
      beepOnExit: false,
      endConferenceOnExit: false,
      coaching: false,
      callSidToCoach: callerSid,
    });
    expectComplete(updated);
    expect([updated.muted, updated.hold, updated.coaching]).toEqual([true, true, false]);
    const listed = await conference.participants.list({
      muted: true,
      hold: true,
      coaching: false,
      pageSize: 1,
    });
    expect(listed.map((p) => p.label)).toEqual(["on-call nurse"]);
    expect((await conference.participants.list({ pageSize: 1 })).length).toBe(2);
    expectComplete(await conference.fetch());
    const found = await client.conferences.list({ friendlyName: "contract room", status: "in-progress" });
    expect(found.map((c) => c.sid)).toEqual([created.conferenceSid]);
    expect(await conference.participants("on-call nurse").remove()).toBe(true);
    const ended = await conference.update({ status: "completed" });
    expectComplete(ended);
    expect([ended.status, ended.reasonConferenceEnded]).toEqual(["completed", "conference-ended-via-api"]);
    expect(await client.conferences.list({ friendlyName: "contract room", status: "in-progress" })).toEqual(
      [],
    );
    phone.close();
  });

  test("a participant can be a TwiML App with custom parameters", async () => {
    const created = await client.conferences("app room").participants.create({
      from: NUMBER,
      to: `app:${APP}?session=s%201`,
      label: "ai",
    });
    expect((await world.customer.next("/app")).fields.get("session")).toBe("s 1");
    expectComplete(created);
  });

  test("errors reach the caller as RestException with status, code and a link", async () => {
    const error = await client
      .conferences(`CF${"0".repeat(32)}`)
      .participants("nobody")
      .fetch()
      .catch((e: unknown) => e);
    expect(error).toBeInstanceOf(twilio.RestException);
    expect(error).toMatchObject({
      status: 404,
      code: 20404,
      moreInfo: "https://www.twilio.com/docs/errors/20404",
    });
  });
});

describe("messages", () => {
  test("create, fetch and list are complete", async () => {
    const created = await client.messages.create({
      to: "+15550101",
      from: NUMBER,
      body: "1 to take it",
      statusCallback: hook,
      provideFeedback: false,
      attempt: 1,
      validityPeriod: 600,
      smartEncoded: true,
      shortenUrls: false,
      riskCheck: "disable",
    });
    expectComplete(created);
    expectComplete(await client.messages(created.sid).fetch());
    const listed = await client.messages.list({ to: "+15550101" });
    expect(listed.map((m) => m.sid)).toEqual([created.sid]);
  });
});

describe("the account", () => {
  test("can be read, with its App and its numbers, and leads where it was told to", async () => {
    const { origin } = world.customer;
    world.carrier.configure({
      numbers: [{ number: NUMBER, voiceUrl: `${origin}/voice`, smsUrl: `${origin}/sms` }],
      appVoiceUrl: `${origin}/app`,
    });
    const account = await client.api.accounts(client.accountSid).fetch();
    expectComplete(account);
    expect([account.status, account.type]).toEqual(["active", "Full"]);
    const app = await client.applications(APP).fetch();
    expectComplete(app);
    expect([app.voiceUrl, app.voiceMethod]).toEqual([`${origin}/app`, "POST"]);
    const [number, ...others] = await client.incomingPhoneNumbers.list({ phoneNumber: NUMBER });
    if (!number) throw new Error("the number is not there");
    expectComplete(number);
    expect([number.voiceUrl, number.smsUrl, others]).toEqual([`${origin}/voice`, `${origin}/sms`, []]);
    expect(await client.incomingPhoneNumbers.list({ phoneNumber: SILENT_NUMBER })).toEqual([]);
    const other = client.applications(`AP${"9".repeat(32)}`).fetch();
    expect(await other.catch((error: unknown) => error)).toMatchObject({ status: 404, code: 20404 });
  });
});

describe("parameter tables", () => {
  const source = (file: string): string =>
    readFileSync(
      `${import.meta.dir}/../../node_modules/twilio/lib/rest/api/v2010/account/${file}.js`,
      "utf8",
    );
  /** The names that the body of the n-th function of a kind puts into a request. */
  const names = (file: string, kind: string): string[] => {
    const bodies = source(file).split(/\n {4}(?=(?:instance\.)?\w+(?: = function \w+)?\()/);
    const found = bodies.filter((body) => body.startsWith(kind)).join("\n");
    return [
      ...new Set([...found.matchAll(/data\["([^"]+)"\]/g)].map((match) => match[1] as string)),
    ].toSorted();
  };
  const cases: readonly [string, string, string, Table][] = [
    ["create a participant", "conference/participant", "instance.create ", tables.createParticipant],
    ["update a participant", "conference/participant", "update(", tables.updateParticipant],
    ["list participants", "conference/participant", "instance.page ", tables.listParticipants],
    ["update a conference", "conference", "update(", tables.updateConference],
    ["list conferences", "conference", "instance.page ", tables.listConferences],
    ["create a call", "call", "instance.create ", tables.createCall],
    ["update a call", "call", "update(", tables.updateCall],
    ["list calls", "call", "instance.page ", tables.listCalls],
    ["create a message", "message", "instance.create ", tables.createMessage],
    ["list messages", "message", "instance.page ", tables.listMessages],
    ["list numbers", "incomingPhoneNumber", "instance.page ", tables.listNumbers],
  ];
  for (const [what, file, kind, table] of cases) {
    test(`to ${what} are exactly those of the package`, () => {
      expect(Object.keys(table).toSorted()).toEqual(names(file, kind));
    });
  }
});

describe("retries of the package", () => {
  test("a 429 is retried when autoRetry is on, and the participant exists once", async () => {
    const retrying = twilio(client.accountSid, "not-a-real-token", { autoRetry: true, maxRetries: 3 });
    retrying.api.baseUrl = world.carrier.url;
    world.carrier.faults.set({ rest: { status: 429, times: 2, match: "Participants" } });
    const created = await retrying.conferences("retried").participants.create({
      from: NUMBER,
      to: SILENT_NUMBER,
      label: "human",
    });
    const listed = await client.conferences(created.conferenceSid).participants.list();
    expect(listed.map((p) => p.callSid)).toEqual([created.callSid]);
    await client.conferences(created.conferenceSid).update({ status: "completed" });
  });
});
