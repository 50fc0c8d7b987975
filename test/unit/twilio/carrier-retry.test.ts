import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createTwilioCarrier, type TwilioCarrierOptions } from "../../../adapters/twilio/carrier.ts";
import { CarrierError } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { createLog, silentLog } from "../../../engine/platform/log.ts";
import type { Carrier } from "../../../engine/ports.ts";
import {
  AC,
  CA,
  CF,
  apiError,
  conferenceJson,
  conferencesJson,
  hurriedClock,
  participantJson,
  startFakeTwilio,
  type FakeTwilio,
} from "./fake-twilio.ts";

const authToken = "fake-auth-token";
const call = { to: "+15550101", from: "+15550100", url: "https://h.example/page" };
const text = { to: "+15550101", from: "+15550100", body: "x" };
const leg = { conference: "af-1", to: "app:AP1", from: "+15550100", label: "ai" };
const ref = { conferenceSid: CF, participant: "ai" };

let fake: FakeTwilio;
let clock: ReturnType<typeof hurriedClock>;
let carrier: Carrier;
const carriers: Carrier[] = [];

function create(over: Partial<TwilioCarrierOptions> = {}): Carrier {
  const made = createTwilioCarrier({
    accountSid: AC,
    authToken,
    baseUrl: fake.baseUrl,
    callsPerSecond: 100,
    clock,
    ids: seededIds(7),
    log: silentLog,
    timeoutMs: 60_000,
    ...over,
  });
  carriers.push(made);
  return made;
}

beforeEach(async () => {
  fake = await startFakeTwilio();
  clock = hurriedClock();
  carrier = create();
});

afterEach(async () => {
  for (const each of carriers.splice(0)) await each.close();
  await fake.stop();
});

async function failure(promise: Promise<unknown>): Promise<CarrierError> {
  const thrown = await promise.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof CarrierError)) throw thrown;
  return thrown;
}

const throttled = (headers?: Record<string, string>) => () =>
  apiError(429, 20429, "Too many requests", headers);
const unavailable = () => apiError(503, 20503, "Service unavailable");
const created = () => Response.json(participantJson(), { status: 201 });
/** The connection breaks after the request was read. */
const broken = () => "cut" as const;
const noConference = () => Response.json(conferencesJson());
const theConference = () => Response.json(conferencesJson(conferenceJson("af-1")));
const notFound = () => apiError(404, 20404, "The requested resource was not found");

describe("429", () => {
  test("is repeated for creates too, with growing full jitter", async () => {
    fake.script(throttled(), throttled(), throttled(), created);
    expect(await carrier.createParticipant(leg)).toMatchObject({ callSid: CA });
    expect(fake.seen).toHaveLength(4);
    const [first = 0, second = 0, third = 0] = clock.delays;
    expect(clock.delays).toHaveLength(3);
    expect(first).toBeLessThanOrEqual(500);
    expect(second).toBeLessThanOrEqual(1000);
    expect(third).toBeLessThanOrEqual(2000);
    expect(new Set(clock.delays).size).toBe(3);
    expect(carrier.counters()).toMatchObject({
      requests_createParticipant: 4,
      retries_createParticipant: 3,
      throttled: 3,
      budget_granted: 4,
    });
  });

  test("waits as long as Retry-After says, and not at all for one that is absurd", async () => {
    fake.script(throttled({ "retry-after": "3" }), throttled({ "retry-after": "86400" }), created);
    await carrier.createParticipant(leg);
    const [honoured = 0, own = 0] = clock.delays;
    expect(honoured).toBeGreaterThanOrEqual(3000);
    expect(honoured).toBeLessThanOrEqual(3250);
    expect(own).toBeLessThanOrEqual(1000);
  });

  test("is not repeated once the request was withdrawn", async () => {
    const abort = new AbortController();
    fake.script(() => {
      abort.abort();
      return throttled()();
    });
    expect(await failure(carrier.sendMessage(text, abort.signal))).toMatchObject({ ambiguous: false });
    expect(fake.seen).toHaveLength(1);
  });

  test("gives up after the attempts it has, retryable and not ambiguous", async () => {
    fake.otherwise = throttled();
    const error = await failure(carrier.createCall(call));
    expect(error).toMatchObject({
      status: 429,
      code: 20429,
      retryable: true,
      ambiguous: false,
      operation: "createCall",
    });
    expect(fake.seen).toHaveLength(5);
  });
});

describe("a server that fails", () => {
  test("is asked again for reads, updates and deletes", async () => {
    fake.script(unavailable, () => Response.json(participantJson()));
    expect(await carrier.fetchParticipant(ref)).toMatchObject({ callSid: CA });
    fake.script(unavailable, unavailable, () => Response.json(participantJson({ muted: true })));
    expect(await carrier.updateParticipant(ref, { muted: true })).toMatchObject({ muted: true });
    fake.script(unavailable, notFound);
    expect(await carrier.removeParticipant(ref)).toBe("gone");
    expect(fake.seen).toHaveLength(7);
  });

  test("is not asked again to create a call, send a message, announce or redirect: it may have done it", async () => {
    fake.otherwise = unavailable;
    const attempts = [
      carrier.createCall(call),
      carrier.sendMessage(text),
      carrier.updateParticipant(ref, { announceUrl: "https://h.example/say" }),
      carrier.updateCall(CA, { twiml: "<Response/>" }),
    ];
    for (const attempt of attempts) {
      expect(await failure(attempt)).toMatchObject({ status: 503, retryable: true, ambiguous: true });
    }
    expect(fake.seen).toHaveLength(attempts.length);
    expect(carrier.counters()["ambiguous"]).toBe(attempts.length);
  });

  test("leaves a read unambiguous and a repeated update ambiguous when it never recovers", async () => {
    fake.otherwise = unavailable;
    expect(await failure(carrier.fetchCall(CA))).toMatchObject({ retryable: true, ambiguous: false });
    expect(await failure(carrier.updateCall(CA, { status: "completed" }))).toMatchObject({ ambiguous: true });
    expect(fake.seen).toHaveLength(10);
  });

  test("leaves an update ambiguous even when the repeated one is refused", async () => {
    fake.script(unavailable, () => apiError(400, 16028, "Coach target absent"));
    const error = await failure(carrier.updateParticipant(ref, { muted: true }));
    expect(error).toMatchObject({ code: 16028, retryable: false, ambiguous: true });
  });

  test("that answers with something else than JSON is not believed", async () => {
    const page = () => new Response("<html>welcome</html>", { headers: { "content-type": "text/html" } });
    fake.script(page);
    expect(await failure(carrier.createCall(call))).toMatchObject({
      status: 200,
      retryable: false,
      ambiguous: true,
    });
    fake.script(page, () => Response.json({ sid: CA, status: "ringing" }));
    expect(await carrier.fetchCall(CA)).toEqual({ callSid: CA, status: "ringing" });
    fake.script(() => Response.json({ sid: CA, status: "sleeping" }, { status: 201 }));
    const error = await failure(carrier.createCall(call));
    expect(error.ambiguous).toBe(true);
    expect(error.message).toContain("status");
  });

  test("a refusal is final and carries Twilio's code", async () => {
    fake.script(() => apiError(400, 21211, "The 'To' number +15550101 is not a valid phone number."));
    const error = await failure(carrier.createCall(call));
    expect(error).toMatchObject({ status: 400, code: 21211, retryable: false, ambiguous: false });
    expect(error.message).toContain("is not a valid phone number");
    expect(error.message).not.toContain("5550101");
    expect(fake.seen).toHaveLength(1);
  });

  test("a redirect is not followed", async () => {
    fake.script(() => new Response(null, { status: 302, headers: { location: fake.baseUrl } }));
    expect((await failure(carrier.fetchCall(CA))).message).toContain("TWILIO_API_BASE_URL");
    expect(fake.seen).toHaveLength(1);
  });
});

describe("the network", () => {
  test("a refused connection was never processed: even a create is repeated, and the error is not ambiguous", async () => {
    const port = Number(new URL(fake.baseUrl).port);
    await fake.stop();
    const error = await failure(carrier.createCall(call));
    expect(error).toMatchObject({ status: 0, retryable: true, ambiguous: false });
    expect(error.message).not.toContain(String(port));
    expect(carrier.counters()).toMatchObject({ requests_createCall: 5, retries_createCall: 4 });
    fake = await startFakeTwilio();
  });

  test("a connection lost after the request leaves a create ambiguous and is repeated for a read", async () => {
    fake.script(broken);
    expect(await failure(carrier.createCall(call))).toMatchObject({ retryable: true, ambiguous: true });
    expect(fake.seen).toHaveLength(1);
    fake.script(broken, () => Response.json({ sid: CA, status: "ringing" }));
    expect(await carrier.fetchCall(CA)).toMatchObject({ status: "ringing" });
  });

  test("an answer that does not come in time is given up on by the clock, and is ambiguous for a create", async () => {
    const virtual = new VirtualClock();
    const patient = create({ clock: virtual, timeoutMs: 9_000, maxAttempts: 1 });
    const silent = Promise.withResolvers<Response>();
    fake.script(() => silent.promise);
    const failed = failure(patient.createCall(call));
    await fake.arrived(1);
    virtual.advance(8_999);
    expect(virtual.pendingTimers).toBe(1);
    virtual.advance(1);
    expect(await failed).toMatchObject({ status: 0, retryable: true, ambiguous: true });
    expect(virtual.pendingTimers).toBe(0);
    silent.resolve(new Response());
  });

  test("an answer that trickles without end is given up on as well", async () => {
    const virtual = new VirtualClock();
    const patient = create({ clock: virtual, timeoutMs: 9_000, maxAttempts: 1 });
    fake.script(() => "trickle");
    const failed = failure(patient.fetchCall(CA));
    await fake.arrived(1);
    virtual.advance(9_000);
    expect(await failed).toMatchObject({ status: 0, retryable: true, ambiguous: false });
  });
});

describe("a participant whose creation is in doubt", () => {
  test("is found by its label and not created twice", async () => {
    fake.script(broken, theConference, () => Response.json(participantJson({ status: "connected" })));
    expect(await carrier.createParticipant(leg)).toMatchObject({ callSid: CA, status: "connected" });
    expect(fake.seen.map(({ method }) => method)).toEqual(["POST", "GET", "GET"]);
    expect(fake.seen[2]?.path).toEndWith(`/Conferences/${CF}/Participants/ai.json`);
    expect(carrier.counters()["reconciled"]).toBe(1);
  });

  test("is created again when it is not there, and at most three times", async () => {
    fake.script(unavailable, noConference, noConference, created);
    expect(await carrier.createParticipant(leg)).toMatchObject({ callSid: CA });
    expect(fake.seen.filter(({ method }) => method === "POST")).toHaveLength(2);
    fake.otherwise = (request) => (request.method === "POST" ? unavailable() : noConference());
    const error = await failure(carrier.createParticipant(leg));
    expect(error).toMatchObject({ status: 503, retryable: true, ambiguous: true });
    expect(fake.seen.filter(({ method }) => method === "POST")).toHaveLength(5);
  });

  test("counts as found when the label is in use on the second attempt", async () => {
    const inUse = () => apiError(400, 16025, "Label already in use");
    fake.script(unavailable, theConference, notFound, inUse, theConference, () =>
      Response.json(participantJson()),
    );
    expect(await carrier.createParticipant(leg)).toMatchObject({ callSid: CA });
    expect(fake.seen).toHaveLength(6);
  });

  test("is an error when the label was in use from the start: that leg is somebody else's", async () => {
    fake.script(() => apiError(400, 16025, "Label already in use"));
    expect(await failure(carrier.createParticipant(leg))).toMatchObject({ code: 16025, ambiguous: false });
    expect(fake.seen).toHaveLength(1);
  });

  test("stays in doubt when nobody can be asked", async () => {
    fake.otherwise = unavailable;
    const error = await failure(carrier.createParticipant({ ...leg, conference: CF }));
    expect(error).toMatchObject({ retryable: true, ambiguous: true, operation: "createParticipant" });
    expect(fake.seen.filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  test("stays in doubt when the second attempt is refused for another reason", async () => {
    fake.script(unavailable, noConference, noConference, () => apiError(400, 16020, "Conference full"));
    expect(await failure(carrier.createParticipant(leg))).toMatchObject({ code: 16020, ambiguous: true });
  });
});

describe("the budget", () => {
  test("holds creates back and lets everything else through", async () => {
    const virtual = new VirtualClock();
    const one = create({ clock: virtual, callsPerSecond: 1, maxBudgetQueue: 1, timeoutMs: 1_000_000 });
    fake.otherwise = ({ path, method }) =>
      Response.json(path.includes("Participants") ? participantJson() : { sid: CA, status: "queued" }, {
        status: method === "POST" ? 201 : 200,
      });
    await one.createCall(call);
    const second = one.createParticipant(leg);
    const refused = await failure(one.createCall(call));
    expect(refused).toMatchObject({ retryable: true, ambiguous: false, status: 0 });
    expect(refused.message).toContain("budget queue full");
    await one.fetchCall(CA);
    await one.updateParticipant(ref, { muted: true });
    await one.sendMessage(text);
    expect(fake.seen).toHaveLength(4);
    virtual.advance(1_100);
    expect(await second).toMatchObject({ callSid: CA });
    expect(one.counters()).toMatchObject({ budget_granted: 2, budget_delayed: 1, budget_refused: 1 });
  });

  test("serves the higher priority first when one is given", async () => {
    const virtual = new VirtualClock();
    const priorityOf = (input: { readonly to: string }): number => (input.to.startsWith("app:") ? 1 : 0);
    const one = create({ clock: virtual, callsPerSecond: 1, timeoutMs: 1_000_000, priorityOf });
    fake.otherwise = ({ path }) =>
      Response.json(path.includes("Participants") ? participantJson() : { sid: CA, status: "queued" }, {
        status: 201,
      });
    await one.createCall(call);
    const page = one.createCall(call);
    const agent = one.createParticipant(leg);
    virtual.advance(1_100);
    await agent;
    virtual.advance(1_100);
    await page;
    const order = fake.seen.map(({ path }) => (path.includes("Participants") ? "agent" : "call"));
    expect(order).toEqual(["call", "agent", "call"]);
  });
});

describe("close", () => {
  test("rejects what is in flight, what waits for the budget and what waits to be repeated", async () => {
    const virtual = new VirtualClock();
    const closing = create({ clock: virtual, callsPerSecond: 1, timeoutMs: 1_000_000 });
    const silent = Promise.withResolvers<Response>();
    fake.script(() => silent.promise, throttled());
    const inFlight = failure(closing.createCall(call));
    await fake.arrived(1);
    const queued = failure(closing.createCall(call));
    const repeating = failure(closing.fetchCall(CA));
    await fake.arrived(2);
    while (closing.counters()["retries_fetchCall"] !== 1)
      await new Promise((resolve) => setImmediate(resolve));
    await closing.close();
    expect(await inFlight).toMatchObject({ retryable: true, ambiguous: true });
    expect(await queued).toMatchObject({ retryable: true, ambiguous: false });
    expect(await repeating).toMatchObject({ retryable: true, ambiguous: false });
    expect(await failure(closing.fetchCall(CA))).toMatchObject({ retryable: true, ambiguous: false });
    expect(virtual.pendingTimers).toBe(0);
    silent.resolve(new Response());
  });

  test("works before anything was requested, and twice", async () => {
    const unused = create();
    await unused.close();
    await unused.close();
    expect(await failure(unused.createCall(call))).toMatchObject({ retryable: true });
    expect(fake.seen).toHaveLength(0);
  });
});

test("neither errors nor log lines contain credentials, numbers or addresses", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "debug", clock, write: (line) => void lines.push(line) });
  const token = "0123456789abcdef0123456789abcdef";
  const chatty = create({ log, authToken: token });
  const basic = btoa(`${AC}:${token}`);
  fake.script(
    () => apiError(401, 20003, `Authenticate: Basic ${basic} with ${token} is wrong`),
    () => apiError(400, 21219, "To +1 (555) 010-0101, sip:bob@h.example and client:alice are unverified"),
    unavailable,
    () => Response.json({ sid: CA, status: "queued" }),
  );
  const errors = [await failure(chatty.fetchCall(CA)), await failure(chatty.createCall(call))];
  await chatty.fetchCall(CA);
  const said = [...errors.map(String), ...lines].join("\n");
  expect(lines.length).toBeGreaterThanOrEqual(3);
  for (const secret of [token, basic, "5550101", "010-0101", "bob@", "alice"])
    expect(said).not.toContain(secret);
  expect(errors[0]?.message).toContain("check the Twilio credentials");
});

test("an account at its limit of calls at once refuses with a code of its own, which is not repeated here", async () => {
  for (const [code, make] of [
    [10_004, () => carrier.createCall(call)],
    [16_021, () => carrier.createParticipant(leg)],
  ] as const) {
    fake.script(() => apiError(400, code, "too many"));
    const error = await failure(make());
    expect(error).toMatchObject({ status: 400, code, retryable: true, ambiguous: false });
    expect(error.message).toContain("the account's limit of calls at once");
  }
  expect(carrier.counters()["concurrency_limited"]).toBe(2);
  expect(fake.seen).toHaveLength(2);
});
