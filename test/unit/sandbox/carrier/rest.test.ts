import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ACCOUNT, APP, NUMBER, startWorld, TOKEN, type World } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world.stop();
});

const GOOD = { From: NUMBER, To: "+15550100", Label: "human" };

describe("authentication and routing", () => {
  test("a wrong token is refused with 401 and code 20003", async () => {
    const response = await fetch(`${world.carrier.url}/2010-04-01/Accounts/${ACCOUNT}/Calls.json`, {
      headers: { authorization: `Basic ${btoa(`${ACCOUNT}:wrong`)}` },
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      code: 20003,
      message: "Authenticate",
      more_info: "https://www.twilio.com/docs/errors/20003",
      status: 401,
    });
  });

  test("an API key works only with its secret", async () => {
    const keyed = await startWorld({ apiKey: "SK0123", apiSecret: "fake-secret" });
    const ask = (pair: string): Promise<Response> =>
      fetch(`${keyed.carrier.url}/2010-04-01/Accounts/${ACCOUNT}/Calls.json`, {
        headers: { authorization: `Basic ${btoa(pair)}` },
      });
    expect((await ask("SK0123:fake-secret")).status).toBe(200);
    expect((await ask("SK0123:other")).status).toBe(401);
    await keyed.stop();
  });

  test("unknown resources are 404 with code 20404, known ones refuse other methods with 405", async () => {
    const unknown = await world.rest("GET", "Fax.json");
    expect([unknown.status, unknown.json.code]).toEqual([404, 20404]);
    const wrongMethod = await world.rest("DELETE", "Messages.json");
    expect([wrongMethod.status, wrongMethod.json.code]).toEqual([405, 20004]);
    expect((await world.rest("GET", "Calls")).status).toBe(404);
  });

  test("a request that asks to close the connection is told so", async () => {
    const response = await fetch(`${world.carrier.url}/2010-04-01/Accounts/${ACCOUNT}/Calls.json`, {
      headers: { authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}`, connection: "close" },
    });
    expect(response.headers.get("connection")).toBe("close");
  });
});

describe("validation of participants", () => {
  const cases: readonly [string, Record<string, string>, number, string][] = [
    ["an unknown name", { ...GOOD, Url: "http://127.0.0.1/x" }, 20001, "Unknown parameter: Url"],
    ["a bad boolean", { ...GOOD, Muted: "yes" }, 20001, "Invalid parameter Muted"],
    ["a bad enum", { ...GOOD, Beep: "onJoin" }, 20001, "Invalid parameter Beep"],
    ["a number out of range", { ...GOOD, Timeout: "4" }, 20001, "Invalid parameter Timeout"],
    ["a bad sid", { ...GOOD, CallSidToCoach: "human" }, 20001, "Invalid parameter CallSidToCoach"],
    ["a bad URL", { ...GOOD, StatusCallback: "/relative" }, 21205, "Invalid parameter StatusCallback"],
    ["a bad event", { ...GOOD, StatusCallbackEvent: "initiated rung" }, 20001, "StatusCallbackEvent"],
    ["no To", { From: NUMBER }, 21201, "Required parameter To"],
    ["no From", { To: "+15550100" }, 21213, "Required parameter From"],
    ["a To that is nothing", { ...GOOD, To: "TW0123" }, 21211, "Invalid parameter To"],
    ["a From of somebody else", { ...GOOD, From: "+15550199" }, 21210, "not yet verified"],
    ["a client calling a phone", { ...GOOD, From: "client:ai" }, 21212, "Invalid parameter From"],
    ["another App", { ...GOOD, To: `app:AP${"f".repeat(32)}` }, 21218, "not a TwiML App"],
    ["a long custom parameter", { ...GOOD, To: `app:${APP}?k=${"x".repeat(800)}` }, 21211, "exceed 800"],
    ["a label that is too long", { ...GOOD, Label: "x".repeat(129) }, 16023, "128"],
    ["a label like a sid", { ...GOOD, Label: `CA${"0".repeat(32)}` }, 16024, "call sid"],
    ["a label with a slash", { ...GOOD, Label: "a/b" }, 16024, "slash"],
    ["coaching nobody", { ...GOOD, Coaching: "true" }, 16002, "CallSidToCoach"],
    ["coaching somebody absent", { ...GOOD, CallSidToCoach: `CA${"0".repeat(32)}` }, 16028, "to coach"],
  ];
  for (const [what, form, code, message] of cases) {
    test(`${what} is refused with ${code}`, async () => {
      const { status, json } = await world.rest("POST", "Conferences/room-of-errors/Participants.json", form);
      expect({ status, code: json.code }).toEqual({ status: 400, code });
      expect(json.message).toContain(message);
      expect(json.status).toBe(400);
      expect(world.carrier.state().conferences).toEqual([]);
    });
  }

  test("a conference sid that is not active is refused, and a name is not enough to fetch", async () => {
    const gone = await world.rest("POST", `Conferences/CF${"0".repeat(32)}/Participants.json`, GOOD);
    expect([gone.status, gone.json.code]).toEqual([404, 20404]);
    const byName = await world.rest("GET", "Conferences/room/Participants.json");
    expect([byName.status, byName.json.code]).toEqual([404, 20404]);
  });
});

describe("validation of calls and messages", () => {
  const url = "http://127.0.0.1:1/twiml";
  const cases: readonly [string, string, Record<string, string>, number][] = [
    ["a call to nowhere", "Calls", { From: NUMBER, Url: url }, 21201],
    ["a call without TwiML", "Calls", { From: NUMBER, To: "+15550100" }, 21205],
    ["a call with a label", "Calls", { From: NUMBER, To: "+15550100", Url: url, Label: "x" }, 20001],
    [
      "a call with a bad detection",
      "Calls",
      { From: NUMBER, To: "+15550100", Url: url, MachineDetection: "true" },
      20001,
    ],
    ["long TwiML", "Calls", { From: NUMBER, To: "+15550100", Twiml: "x".repeat(4001) }, 20001],
    ["a message to nobody", "Messages", { From: NUMBER, Body: "hi" }, 21604],
    ["a message from nobody", "Messages", { To: "+15550100", Body: "hi" }, 21603],
    ["a message from another number", "Messages", { From: "+15550199", To: "+15550100", Body: "hi" }, 21606],
    ["an empty message", "Messages", { From: NUMBER, To: "+15550100", Body: "" }, 21602],
    ["a long message", "Messages", { From: NUMBER, To: "+15550100", Body: "x".repeat(1601) }, 21617],
    [
      "a message with a bad callback",
      "Messages",
      { From: NUMBER, To: "+15550100", Body: "x", StatusCallback: "x" },
      21609,
    ],
  ];
  for (const [what, resource, form, code] of cases) {
    test(`${what} is refused with ${code}`, async () => {
      const { status, json } = await world.rest("POST", `${resource}.json`, form);
      expect({ status, code: json.code }).toEqual({ status: 400, code });
    });
  }

  test("a single-valued parameter must not be repeated, and the body must be a form", async () => {
    const twice = await world.rest("POST", "Messages.json", "To=%2B15550100&To=%2B15550101");
    expect(twice.json.message).toContain("To is given more than once");
    const response = await fetch(`${world.carrier.url}/2010-04-01/Accounts/${ACCOUNT}/Messages.json`, {
      method: "POST",
      headers: {
        authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}`,
        "content-type": "application/json",
      },
      body: "{}",
    });
    expect(response.status).toBe(400);
  });
});

describe("answers", () => {
  test("creating a participant answers 201 with every field, status queued and a string queue_time", async () => {
    const { status, json } = await world.rest("POST", "Conferences/room%20one/Participants.json", {
      ...GOOD,
      To: "+15550177",
      Muted: "true",
      StartConferenceOnEnter: "false",
      EndConferenceOnExit: "true",
    });
    expect(status).toBe(201);
    expect(json).toEqual({
      account_sid: ACCOUNT,
      call_sid: expect.stringMatching(/^CA[0-9a-f]{32}$/),
      label: "human",
      conference_sid: expect.stringMatching(/^CF[0-9a-f]{32}$/),
      date_created: expect.stringMatching(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/),
      date_updated: expect.any(String),
      end_conference_on_exit: true,
      muted: true,
      hold: false,
      status: "queued",
      start_conference_on_enter: false,
      coaching: false,
      call_sid_to_coach: null,
      queue_time: expect.stringMatching(/^\d+$/),
      uri: `/2010-04-01/Accounts/${ACCOUNT}/Conferences/${json.conference_sid}/Participants/${json.call_sid}.json`,
    });
    const conference = await world.rest("GET", `Conferences/${json.conference_sid}.json`);
    expect(conference.json).toMatchObject({ friendly_name: "room one", status: "init", region: "us1" });
    const duplicate = await world.rest("POST", "Conferences/room%20one/Participants.json", GOOD);
    expect([duplicate.status, duplicate.json.code]).toEqual([400, 16025]);
    const removed = await world.rest("DELETE", `Conferences/${json.conference_sid}/Participants/human.json`);
    expect([removed.status, removed.json]).toEqual([204, null]);
    expect((await world.rest("GET", `Calls/${json.call_sid}.json`)).json.status).toBe("canceled");
  });

  test("creates wait for their turn in the calls-per-second queue", async () => {
    const slow = await startWorld({ callsPerSecond: 1 });
    const create = (n: number) =>
      slow.rest("POST", "Conferences/q/Participants.json", {
        From: NUMBER,
        To: `+1555017${n}`,
        Label: `p${n}`,
      });
    const times: number[] = [];
    for (let n = 0; n < 3; n++) times.push(Number((await create(n)).json.queue_time));
    expect(times[0]).toBe(0);
    expect(times[1]).toBeGreaterThan(500);
    expect(times[2]).toBeGreaterThan(times[1] as number);
    expect(slow.carrier.state().pending.queuedCalls).toBeGreaterThan(0);
    await slow.stop();
    expect(slow.carrier.state().pending).toEqual({
      queuedCalls: 0,
      timers: 0,
      webhooks: 0,
      callbacks: 0,
      ticking: 0,
    });
  });

  test("lists come in pages with Twilio's envelope", async () => {
    const paged = await startWorld({ callsPerSecond: 0.01 });
    for (let n = 0; n < 3; n++) {
      await paged.rest("POST", "Conferences/list/Participants.json", {
        From: NUMBER,
        To: "+15550170",
        Label: `p${n}`,
      });
    }
    const { json } = await paged.rest("GET", "Calls.json?PageSize=2&To=%2B15550170");
    expect(json.calls).toHaveLength(2);
    expect(json).toMatchObject({ page: 0, page_size: 2, start: 0, end: 1, previous_page_uri: null });
    expect(json.next_page_uri).toContain("Page=1");
    const last = await paged.rest("GET", "Calls.json?PageSize=2&Page=1&To=%2B15550170");
    expect(last.json.calls).toHaveLength(1);
    expect(last.json.next_page_uri).toBeNull();
    const bad = await paged.rest("GET", "Calls.json?Limit=2");
    expect(bad.json.message).toContain("Unknown parameter: Limit");
    await paged.stop();
  });

  test("an account at its limit of concurrent calls gets 16021 and 10004", async () => {
    const small = await startWorld({ concurrentCalls: 1, callsPerSecond: 0.01 });
    expect((await small.rest("POST", "Conferences/a/Participants.json", GOOD)).status).toBe(201);
    const participant = await small.rest("POST", "Conferences/b/Participants.json", GOOD);
    expect(participant.json.code).toBe(16021);
    const call = await small.rest("POST", "Calls.json", {
      From: NUMBER,
      To: "+15550100",
      Twiml: "<Response/>",
    });
    expect(call.json.code).toBe(10004);
    await small.stop();
  });
});

describe("faults", () => {
  test("a 503 before the effect leaves nothing behind; one after it does the work and loses the answer", async () => {
    const { rest, carrier } = world;
    carrier.faults.set({ rest: { status: 503, times: 1, match: "Participants" } });
    const before = await rest("POST", "Conferences/f1/Participants.json", GOOD);
    expect([before.status, before.json.code]).toEqual([503, 20500]);
    expect(carrier.state().conferences).toEqual([]);
    carrier.faults.set({ rest: { status: 503, times: 1, match: "Participants", phase: "after" } });
    const after = await rest("POST", "Conferences/f1/Participants.json", GOOD);
    expect(after.status).toBe(503);
    const [conference] = carrier.state().conferences;
    expect(conference?.participants.map((p) => p.label)).toEqual(["human"]);
    expect((await rest("POST", `Conferences/${conference?.sid}.json`, { Status: "completed" })).status).toBe(
      200,
    );
  });

  test("a 429 is never processed and has code 20429", async () => {
    world.carrier.faults.set({ rest: { status: 429, times: 2, phase: "after" } });
    for (let n = 0; n < 2; n++) {
      const { status, json } = await world.rest("POST", "Conferences/f2/Participants.json", GOOD);
      expect([status, json.code]).toEqual([429, 20429]);
    }
    expect(world.carrier.state().conferences).toEqual([]);
    expect((await world.rest("GET", "Calls.json")).status).toBe(200);
  });

  test("a timeout after the effect holds the answer back until the client gives up", async () => {
    world.carrier.faults.set({ restTimeout: { times: 1, phase: "after", holdMs: 60_000 } });
    const abort = new AbortController();
    const lost = fetch(
      `${world.carrier.url}/2010-04-01/Accounts/${ACCOUNT}/Conferences/f3/Participants.json`,
      {
        method: "POST",
        headers: {
          authorization: `Basic ${btoa(`${ACCOUNT}:${TOKEN}`)}`,
          "content-type": "application/x-www-form-urlencoded",
        },
        body: new URLSearchParams(GOOD).toString(),
        signal: abort.signal,
      },
    ).catch(() => "gave up");
    let conferences = world.carrier.state().conferences;
    while (conferences.length === 0) {
      await fetch(`${world.carrier.url}/sandbox/state`);
      conferences = world.carrier.state().conferences;
    }
    abort.abort();
    expect(await lost).toBe("gave up");
    expect(conferences[0]?.friendlyName).toBe("f3");
    await world.rest("POST", `Conferences/${conferences[0]?.sid}.json`, { Status: "completed" });
  });

  test("the control endpoint sets faults, and refuses what it does not know by name", async () => {
    const post = (body: string): Promise<Response> =>
      fetch(`${world.carrier.url}/sandbox/faults`, { method: "POST", body });
    expect((await post('{"rest":{"status":500,"times":1}}')).status).toBe(204);
    expect((await world.rest("GET", "Calls.json")).status).toBe(500);
    const unknown = await post('{"rest":{"status":200}}');
    expect(unknown.status).toBe(400);
    expect(((await unknown.json()) as { error: string }).error).toContain("rest");
    expect((await post("{")).status).toBe(400);
    const other = await fetch(`${world.carrier.url}/sandbox/numbers`, {
      method: "POST",
      body: JSON.stringify({ number: "555", behaviour: "answer" }),
    });
    expect(((await other.json()) as { error: string }).error).toContain("number");
  });
});
