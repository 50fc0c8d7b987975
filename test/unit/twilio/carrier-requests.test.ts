import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { CallListInstanceCreateOptions } from "twilio/lib/rest/api/v2010/account/call.js";
import type { ParticipantListInstanceCreateOptions } from "twilio/lib/rest/api/v2010/account/conference/participant.js";
import { createTwilioCarrier, type TwilioCarrierOptions } from "../../../adapters/twilio/carrier.ts";
import { participantOptions } from "../../../adapters/twilio/requests.ts";
import { CarrierError, ConfigError } from "../../../engine/errors.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { Carrier, CreateCall, CreateParticipant, ParticipantPatch } from "../../../engine/ports.ts";
import {
  AC,
  CA,
  CA2,
  CF,
  apiError,
  conferenceJson,
  conferencesJson,
  hurriedClock,
  participantJson,
  startFakeTwilio,
  type FakeTwilio,
  type SeenRequest,
} from "./fake-twilio.ts";

const authToken = "fake-auth-token";

/** Every field the port has, so that none escapes the comparison with the SDK's own types. */
const fullParticipant: Required<CreateParticipant> = {
  conference: "af-1",
  to: "app:AP00000000000000000000000000000000?session=s_1",
  from: "+15550100",
  label: "ai",
  muted: true,
  startConferenceOnEnter: true,
  endConferenceOnExit: false,
  beep: false,
  earlyMedia: false,
  coaching: true,
  callSidToCoach: CA2,
  jitterBufferSize: "small",
  region: "ie1",
  timeoutS: 30,
  timeLimitS: 3600,
  machineDetection: "Enable",
  record: true,
  statusCallback: "https://h.example/call#rc=3&rp=all",
  statusCallbackEvents: ["initiated", "ringing", "answered", "completed"],
  conferenceStatusCallback: "https://h.example/conf",
  conferenceStatusCallbackEvents: ["start", "end", "join", "leave"],
};
const fullPatch: Required<ParticipantPatch> = {
  muted: false,
  hold: false,
  coaching: true,
  callSidToCoach: CA2,
  endConferenceOnExit: false,
  announceUrl: "https://h.example/say",
};
const fullCall: Omit<Required<CreateCall>, "twiml"> = {
  to: "+15550101",
  from: "+15550100",
  url: "https://h.example/page",
  timeoutS: 20,
  machineDetection: "DetectMessageEnd",
  statusCallback: "https://h.example/call",
  statusCallbackEvents: ["answered", "completed"],
};

// What is built has the SDK's names and types, or this file does not compile.
participantOptions(fullParticipant) satisfies ParticipantListInstanceCreateOptions;
({ to: "x", from: "y", statusCallbackEvent: ["answered"] }) satisfies CallListInstanceCreateOptions;

let fake: FakeTwilio;
let carrier: Carrier;

function create(over: Partial<TwilioCarrierOptions> = {}): Carrier {
  return createTwilioCarrier({
    accountSid: AC,
    authToken,
    baseUrl: fake.baseUrl,
    callsPerSecond: 100,
    clock: hurriedClock(),
    ids: seededIds(1),
    log: silentLog,
    timeoutMs: 60_000,
    ...over,
  });
}

beforeEach(async () => {
  fake = await startFakeTwilio();
  carrier = create();
});

afterEach(async () => {
  await carrier.close();
  await fake.stop();
});

/** Property names of an options interface of the package, as form names, with their declared types. */
async function declared(module: string, name: string): Promise<Map<string, string>> {
  const path = Bun.resolveSync(`twilio/lib/rest/api/v2010/account/${module}.js`, import.meta.dir);
  const source = await Bun.file(path.replace(/\.js$/, ".d.ts")).text();
  const body = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? "";
  const found = [...body.matchAll(/^ {4}(\w+)\??: (.+);$/gm)];
  return new Map(found.map(([, key = "", type = ""]) => [key.replace(/^./, (c) => c.toUpperCase()), type]));
}

function expectDeclared(request: SeenRequest | undefined, types: Map<string, string>): void {
  expect(types.size).toBeGreaterThan(5);
  const form = request?.form ?? [];
  expect(form.length).toBeGreaterThan(0);
  for (const [name, value] of form) {
    const type = types.get(name);
    if (type === undefined) throw new Error(`the twilio package knows no ${name}`);
    if (type === "boolean") expect(value).toMatch(/^(true|false)$/);
    if (type === "number") expect(value).toMatch(/^\d+$/);
    const repeated = form.filter(([other]) => other === name).length > 1;
    if (repeated) expect(type).toBe("Array<string>");
  }
}

describe("what the adapter sends", () => {
  test("creating a participant uses only the package's parameters, and repeats the key of a list", async () => {
    fake.script(() => Response.json(participantJson(), { status: 201 }));
    await carrier.createParticipant(fullParticipant);
    const [request] = fake.seen;
    expectDeclared(request, await declared("conference/participant", "ParticipantListInstanceCreateOptions"));
    expect(request?.method).toBe("POST");
    expect(request?.path).toBe(`/2010-04-01/Accounts/${AC}/Conferences/af-1/Participants.json`);
    const { conference: _, ...sent } = fullParticipant;
    const form = new URLSearchParams([...(request?.form ?? [])] as [string, string][]);
    expect(form.getAll("StatusCallbackEvent")).toEqual([...sent.statusCallbackEvents]);
    expect(form.getAll("ConferenceStatusCallbackEvent")).toEqual([...sent.conferenceStatusCallbackEvents]);
    expect(Object.fromEntries(form)).toMatchObject({
      To: sent.to,
      From: sent.from,
      Label: "ai",
      Muted: "true",
      Beep: "false",
      EarlyMedia: "false",
      Coaching: "true",
      CallSidToCoach: CA2,
      JitterBufferSize: "small",
      Region: "ie1",
      Timeout: "30",
      TimeLimit: "3600",
      Record: "true",
      RecordingChannels: "dual",
      StatusCallback: sent.statusCallback,
    });
    // Every field of the port arrived: the lists more than once, the rest once; `record` makes two.
    expect(new Set(form.keys()).size).toBe(Object.keys(sent).length + 1);
  });

  test("updating a participant, by label, escapes the label and uses only the package's parameters", async () => {
    fake.script(() => Response.json(participantJson({ coaching: true, call_sid_to_coach: CA2 })));
    const ref = { conferenceSid: CF, participant: "on-call nurse #1 %é" };
    const updated = await carrier.updateParticipant(ref, fullPatch);
    expectDeclared(fake.seen[0], await declared("conference/participant", "ParticipantContextUpdateOptions"));
    expect(fake.seen[0]?.path).toEndWith(
      `/Conferences/${CF}/Participants/on-call%20nurse%20%231%20%25%C3%A9.json`,
    );
    expect(fake.seen[0]?.form).toHaveLength(Object.keys(fullPatch).length);
    expect(updated).toEqual({
      callSid: CA,
      conferenceSid: CF,
      label: "ai",
      muted: false,
      hold: false,
      coaching: true,
      callSidToCoach: CA2,
      status: "queued",
    });
  });

  test("creating and updating calls and sending messages use only the package's parameters", async () => {
    fake.script(
      () => Response.json({ sid: CA, status: "queued" }, { status: 201 }),
      () => Response.json({ sid: CA, status: "in-progress" }),
      () => Response.json({ sid: `SM${"5".repeat(32)}`, status: "queued" }, { status: 201 }),
    );
    expect(await carrier.createCall(fullCall)).toEqual({ callSid: CA, status: "queued" });
    expectDeclared(fake.seen[0], await declared("call", "CallListInstanceCreateOptions"));
    expect(fake.seen[0]?.path).toBe(`/2010-04-01/Accounts/${AC}/Calls.json`);
    expect(await carrier.updateCall(CA, { twiml: "<Response/>" })).toEqual({
      callSid: CA,
      status: "in-progress",
    });
    expectDeclared(fake.seen[1], await declared("call", "CallContextUpdateOptions"));
    const message = {
      to: "+15550101",
      from: "+15550100",
      body: "1 & 2 ä",
      statusCallback: "https://h.example/m",
    };
    expect(await carrier.sendMessage(message)).toEqual({
      messageSid: `SM${"5".repeat(32)}`,
      status: "queued",
    });
    expectDeclared(fake.seen[2], await declared("message", "MessageListInstanceCreateOptions"));
    expect(new Map(fake.seen[2]?.form).get("Body")).toBe("1 & 2 ä");
  });

  test("authenticates with the account, or with the API key and its secret", async () => {
    fake.otherwise = () => Response.json({ sid: CA, status: "ringing" });
    await carrier.fetchCall(CA);
    const withKey = create({ apiKey: "SKfake", apiSecret: "fake-secret" });
    await withKey.fetchCall(CA);
    await withKey.close();
    const basic = fake.seen.map(({ authorization }) => atob(authorization.replace("Basic ", "")));
    expect(basic).toEqual([`${AC}:${authToken}`, "SKfake:fake-secret"]);
    expect(fake.seen[1]?.path).toBe(`/2010-04-01/Accounts/${AC}/Calls/${CA}.json`);
  });

  test("goes to the base URL with its path, whatever the environment says about regions", async () => {
    const before = { ...process.env };
    process.env["TWILIO_REGION"] = "nowhere1";
    process.env["TWILIO_EDGE"] = "nowhere";
    try {
      fake.otherwise = () => Response.json({ sid: CA, status: "ringing" });
      const prefixed = create({ baseUrl: `${fake.baseUrl}/some/prefix/`, region: "ie1" });
      await prefixed.fetchCall(CA);
      await prefixed.close();
      expect(fake.seen[0]?.path).toBe(`/some/prefix/2010-04-01/Accounts/${AC}/Calls/${CA}.json`);
    } finally {
      for (const name of ["TWILIO_REGION", "TWILIO_EDGE"]) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });
});

describe("what the adapter makes of answers", () => {
  test("lists every page of participants", async () => {
    const list = (participants: unknown[], next: string | null) =>
      Response.json({
        participants,
        next_page_uri: next,
        page: 0,
        page_size: 250,
        uri: "/x",
        end: 0,
        start: 0,
      });
    const nextPage = `/2010-04-01/Accounts/${AC}/Conferences/${CF}/Participants.json?Page=1&PageToken=t`;
    fake.script(
      () => list([participantJson()], nextPage),
      () => list([participantJson({ call_sid: CA2, label: null, status: "connected" })], null),
    );
    const found = await carrier.listParticipants(CF);
    expect(found.map(({ callSid, label }) => [callSid, label])).toEqual([
      [CA, "ai"],
      [CA2, null],
    ]);
    expect(fake.seen[1]?.query.get("PageToken")).toBe("t");
  });

  test("finds a conference that is in progress, one that waits, or none", async () => {
    fake.script(() => Response.json(conferencesJson(conferenceJson("af-1"))));
    expect(await carrier.findConference("af-1")).toBe(CF);
    expect(Object.fromEntries(fake.seen[0]?.query ?? [])).toMatchObject({
      FriendlyName: "af-1",
      Status: "in-progress",
    });
    fake.script(
      () => Response.json(conferencesJson(conferenceJson("af-1 other"))),
      () => Response.json(conferencesJson(conferenceJson("af-1", "init"))),
    );
    expect(await carrier.findConference("af-1")).toBe(CF);
    fake.otherwise = () => Response.json(conferencesJson());
    expect(await carrier.findConference("af-1")).toBeNull();
  });

  test("what has left is an answer, except when it was to be changed", async () => {
    fake.otherwise = () => apiError(404, 20404, "The requested resource was not found");
    const ref = { conferenceSid: CF, participant: "ai" };
    expect(await carrier.fetchParticipant(ref)).toBeNull();
    expect(await carrier.removeParticipant(ref)).toBe("gone");
    expect(await carrier.listParticipants(CF)).toEqual([]);
    expect(await carrier.endConference(CF)).toBe("gone");
    expect(await carrier.fetchCall(CA)).toBeNull();
    expect(await carrier.updateCall(CA, { status: "completed" })).toBeNull();
    const error = await carrier.updateParticipant(ref, { muted: true }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CarrierError);
    expect(error).toMatchObject({ status: 404, code: 20404, retryable: false, ambiguous: false });
    expect(fake.seen).toHaveLength(7);
  });

  test("removing answers 204 without a body, and ending a conference sets its status", async () => {
    fake.script(() => new Response(null, { status: 204 }));
    expect(await carrier.removeParticipant({ conferenceSid: CF, participant: CA })).toBe("removed");
    expect([fake.seen[0]?.method, fake.seen[0]?.path.endsWith(`/Participants/${CA}.json`)]).toEqual([
      "DELETE",
      true,
    ]);
    fake.script(() => Response.json(conferenceJson("af-1", "completed")));
    expect(await carrier.endConference(CF)).toBe("ended");
    expect(fake.seen[1]?.form).toEqual([["Status", "completed"]]);
  });

  test("a call that is over cannot be redirected: that is an answer; one that still rings is an error", async () => {
    const invalidState = () => apiError(400, 21220, "Call is not in-progress. Cannot redirect.");
    fake.script(invalidState, () => Response.json({ sid: CA, status: "completed" }));
    expect(await carrier.updateCall(CA, { twiml: "<Response/>" })).toBeNull();
    fake.script(invalidState, () => Response.json({ sid: CA, status: "ringing" }));
    await expect(carrier.updateCall(CA, { twiml: "<Response/>" })).rejects.toMatchObject({
      code: 21220,
      retryable: false,
    });
  });
});

describe("what the adapter refuses by itself", () => {
  const participant = { conference: "af-1", to: "+15550101", from: "+15550100", label: "nurse" };

  test("bad input, by field, before anything is sent and without touching the budget", async () => {
    const refused: [Promise<unknown>, RegExp][] = [
      [carrier.createParticipant({ ...participant, label: "a/b" }), /label/],
      [carrier.createParticipant({ ...participant, label: CA }), /label/],
      [carrier.createParticipant({ ...participant, to: "" }), /to is empty/],
      [carrier.createParticipant({ ...participant, conference: ".." }), /conference/],
      [carrier.createParticipant({ ...participant, timeoutS: 3 }), /timeoutS/],
      [carrier.createParticipant({ ...participant, coaching: true }), /callSidToCoach/],
      [carrier.createCall({ to: "+15550101", from: "+15550100" }), /url or twiml/],
      [carrier.fetchParticipant({ conferenceSid: "af-1", participant: "ai" }), /conferenceSid/],
      [carrier.fetchParticipant({ conferenceSid: CF, participant: "../x" }), /label/],
      [
        carrier.updateParticipant({ conferenceSid: CF, participant: CA }, { callSidToCoach: "ai" }),
        /callSidToCoach/,
      ],
      [carrier.fetchCall("../../Accounts"), /callSid/],
      [carrier.updateCall(CA, {}), /empty patch/],
      [carrier.sendMessage({ to: "+15550101", from: "+15550100", body: "" }), /body/],
    ];
    for (const [promise, message] of refused) {
      const error = await promise.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CarrierError);
      expect(error).toMatchObject({ status: 0, retryable: false, ambiguous: false });
      expect((error as CarrierError).message).toMatch(message);
    }
    expect(fake.seen).toHaveLength(0);
    expect(carrier.counters()["budget_granted"]).toBe(0);
  });

  test("options that cannot work, all at once and by the names of the environment", () => {
    const make = (): unknown =>
      create({ accountSid: "AC1", authToken: "", apiKey: "SKfake", callsPerSecond: 0 });
    expect(make).toThrow(ConfigError);
    for (const name of ["ACCOUNT_SID", "AUTH_TOKEN", "API_KEY", "CALLS_PER_SECOND"]) {
      expect(make).toThrow(`TWILIO_${name}`);
    }
  });
});

test("many requests share kept connections", async () => {
  fake.otherwise = () => Response.json({ sid: CA, status: "in-progress" });
  const all = await Promise.all(Array.from({ length: 300 }, () => carrier.fetchCall(CA)));
  expect(all.every((each) => each?.status === "in-progress")).toBe(true);
  expect(carrier.counters()["retries_fetchCall"]).toBeUndefined();
});

test("the SDK is not loaded before the first request", async () => {
  const script = `
    const { createTwilioCarrier } = await import("./adapters/twilio/carrier.ts");
    const loaded = () => Object.keys(require.cache).some((path) => path.includes("/node_modules/twilio/"));
    const carrier = createTwilioCarrier({ accountSid: "${AC}", authToken: "fake", ids: {}, log: {}, clock: {} });
    const before = loaded();
    await carrier.warm();
    console.log(before, loaded());`;
  const root = new URL("../../..", import.meta.url).pathname;
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: root, stdout: "pipe", stderr: "inherit" });
  expect((await new Response(child.stdout).text()).trim()).toBe("false true");
});
