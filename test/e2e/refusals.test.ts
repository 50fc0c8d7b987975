/** Wrong input from outside is refused by name, changes nothing, and harms no other call. */
import { describe, expect, test } from "bun:test";
import { signTwilioRequest } from "../../engine/http/twilio-signature.ts";
import { begin, call, ended, stateOf } from "../support/steps.ts";
import { CALLER, NUMBER, type World } from "../support/world.ts";

const SID = `CA${"0".repeat(31)}7`;
const ACCOUNT = `AC${"0".repeat(31)}1`;
const CLOSE_POLICY = 1008;

async function post(
  world: World,
  path: string,
  fields: Record<string, string>,
  sign = true,
): Promise<Response> {
  const url = `${world.engine.origin}${path}`;
  const params = new URLSearchParams(fields);
  const signature = sign
    ? signTwilioRequest({ authToken: world.authToken, url, params })
    : "bm90IGEgc2lnbmF0dXJlIGF0IGFs";
  return await fetch(url, { method: "POST", headers: { "x-twilio-signature": signature }, body: params });
}

const voiceFields = { CallSid: SID, AccountSid: ACCOUNT, From: CALLER, To: NUMBER, CallStatus: "ringing" };

interface Closed {
  readonly code: number;
  readonly opened: boolean;
}

/** Opens a signed (or unsigned) media socket, sends what it is given and waits until it is closed. */
async function media(world: World, messages: readonly (string | Uint8Array)[], sign = true): Promise<Closed> {
  const url = `${world.engine.origin.replace("http", "ws")}/twilio/media`;
  const signature = sign ? signTwilioRequest({ authToken: world.authToken, url }) : "";
  const socket = new WebSocket(url, { headers: { "x-twilio-signature": signature } } as unknown as string[]);
  let opened = false;
  socket.addEventListener("open", () => {
    opened = true;
    for (const message of messages) socket.send(message);
  });
  return await new Promise((resolve) => {
    socket.addEventListener("close", (event) => resolve({ code: event.code, opened }));
  });
}

const connected = JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" });
const startWith = (token: string): string =>
  JSON.stringify({
    event: "start",
    sequenceNumber: "1",
    streamSid: `MZ${"0".repeat(32)}`,
    start: {
      streamSid: `MZ${"0".repeat(32)}`,
      accountSid: ACCOUNT,
      callSid: SID,
      tracks: ["inbound"],
      mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 },
      customParameters: { token },
    },
  });

describe("a webhook", () => {
  test("with a wrong signature gets 403 and begins nothing", async () => {
    const world = await begin();
    expect((await post(world, "/twilio/voice", voiceFields, false)).status).toBe(403);
    expect(world.engine.supervisor.size).toBe(0);
  });

  test("that is signed for another origin gets 403", async () => {
    const world = await begin();
    const params = new URLSearchParams(voiceFields);
    const signature = signTwilioRequest({
      authToken: world.authToken,
      url: "https://other.example/twilio/voice",
      params,
    });
    const url = `${world.engine.origin}/twilio/voice`;
    const answer = await fetch(url, {
      method: "POST",
      headers: { "x-twilio-signature": signature },
      body: params,
    });
    expect(answer.status).toBe(403);
  });

  test("without the fields it needs is refused by their names", async () => {
    const world = await begin();
    const answer = await post(world, "/twilio/voice", { From: CALLER });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("CallSid: is required");
  });

  test("about an unknown call gets 204", async () => {
    const world = await begin();
    const fields = {
      ConferenceSid: `CF${"0".repeat(32)}`,
      FriendlyName: `af-${SID}`,
      StatusCallbackEvent: "participant-leave",
      CallSid: SID,
      SequenceNumber: "4",
    };
    expect((await post(world, `/twilio/conference?call=${SID}`, fields)).status).toBe(204);
  });

  test("of an AI leg with a key that nobody issued hangs up", async () => {
    const world = await begin();
    const answer = await post(world, "/twilio/ai-leg", { ...voiceFields, session: "guessed" });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("<Hangup/>");
  });

  test("repeated for one call begins one call", async () => {
    const world = await begin();
    const first = await (await post(world, "/twilio/voice", voiceFields)).text();
    const second = await (await post(world, "/twilio/voice", voiceFields)).text();
    expect(second).toBe(first);
    expect(world.engine.supervisor.size).toBe(1);
  });

  test("that is too large, or of the wrong method, is refused", async () => {
    const world = await begin();
    const large = await post(world, "/twilio/voice", { ...voiceFields, Extra: "x".repeat(70_000) });
    expect(large.status).toBe(413);
    expect((await fetch(`${world.engine.origin}/twilio/voice`)).status).toBe(405);
  });
});

describe("a media socket", () => {
  test("that is not signed is not opened", async () => {
    const world = await begin();
    expect((await media(world, [], false)).opened).toBe(false);
  });

  const wrong: Readonly<Record<string, readonly (string | Uint8Array)[]>> = {
    "with a token that nobody issued": [connected, startWith("guessed")],
    "with media before its start": [
      connected,
      JSON.stringify({ event: "media", media: { payload: "//8=" } }),
    ],
    "with text that is not JSON": ["hello"],
    "with binary frames": [new Uint8Array([1, 2, 3])],
    "with an oversize message": [connected, "x".repeat(60_000)],
  };
  for (const [what, messages] of Object.entries(wrong)) {
    test(`${what} is closed with 1008, and another call goes on`, async () => {
      const world = await begin();
      const { phone, callSid } = await call(world);
      expect(await media(world, messages)).toEqual({ code: CLOSE_POLICY, opened: true });
      expect(stateOf(world, callSid)).toBe("streaming");
      phone.hangUp();
      await ended(world, callSid);
    });
  }

  test("cannot use a token twice", async () => {
    const world = await begin();
    const { phone, callSid } = await call(world);
    const token = world.engine.gateway.issueToken({ callSid, legKey: "ai-9" });
    // The leg is not wanted, so the call refuses the stream; the token is gone all the same.
    expect((await media(world, [connected, startWith(token)])).code).toBe(CLOSE_POLICY);
    expect((await media(world, [connected, startWith(token)])).code).toBe(CLOSE_POLICY);
    expect(world.engine.gateway.counters()["refused"]).toBe(2);
    expect(stateOf(world, callSid)).toBe("streaming");
    phone.hangUp();
    await ended(world, callSid);
  });
});

describe("the API", () => {
  test("asks for the token when there is one", async () => {
    const world = await begin({ consoleToken: "a-token-of-length" });
    const url = `${world.engine.origin}/api/calls`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: "Bearer a-token-of-length" } })).status).toBe(200);
  });

  test("exchanges the token for a cookie that other origins cannot use", async () => {
    const world = await begin({ consoleToken: "a-token-of-length" });
    const { origin } = world.engine;
    const signIn = (token: string): Promise<Response> =>
      fetch(`${origin}/console/sign-in`, { method: "POST", body: new URLSearchParams({ token }) });
    expect((await signIn("wrong")).status).toBe(401);
    const cookie = (await signIn("a-token-of-length")).headers.get("set-cookie")?.split(";")[0] ?? "";
    expect((await fetch(`${origin}/api/calls`, { headers: { cookie } })).status).toBe(200);
    const foreign = { cookie, origin: "https://other.example" };
    expect((await fetch(`${origin}/api/calls`, { headers: foreign })).status).toBe(401);
  });

  test("without a token answers no name but loopback's", async () => {
    const world = await begin();
    const { origin } = world.engine;
    expect((await fetch(`${origin}/api/calls`)).status).toBe(200);
    expect((await fetch(`${origin}/api/calls`, { headers: { host: "rebound.example" } })).status).toBe(403);
    expect(
      (await fetch(`${origin}/api/calls`, { headers: { origin: "https://other.example" } })).status,
    ).toBe(403);
  });

  test("names the field that is wrong", async () => {
    const world = await begin();
    const ask = async (path: string, init?: RequestInit): Promise<string> => {
      const answer = await fetch(`${world.engine.origin}${path}`, init);
      expect(answer.status).toBe(400);
      return ((await answer.json()) as { error: string }).error;
    };
    expect(await ask("/api/calls?limit=0")).toStartWith("limit:");
    expect(await ask("/api/calls?state=asleep")).toStartWith("state:");
    expect(await ask("/api/calls?page=2")).toContain("page");
    expect(await ask("/api/calls/nothing")).toStartWith("callSid:");
    const command = (body: string): Promise<string> =>
      ask(`/api/calls/${SID}/commands`, { method: "POST", body });
    expect(await command("{")).toBe("the body is not JSON");
    expect(await command('{"command":"fly"}')).toStartWith("command:");
    expect(await command('{"command":"escalate","to":"0555"}')).toStartWith("to:");
  });

  test("knows which command is possible when", async () => {
    const world = await begin();
    const { phone, callSid } = await call(world);
    expect((await world.command(SID, { command: "hangup" })).status).toBe(404);
    const remove = await world.command(callSid, { command: "remove" });
    expect(remove.status).toBe(409);
    expect(await remove.text()).toContain("remove is not possible while the call is streaming: it needs ");
    expect((await world.command(callSid, { command: "hangup" })).status).toBe(202);
    expect((await ended(world, callSid)).endReason).toBe("operator_ended");
    expect(phone.state).toBe("idle");
  });

  test("serves a call's row and its log while it lives and after", async () => {
    const world = await begin();
    const { phone, callSid } = await call(world);
    const get = async (path: string) => await fetch(`${world.engine.origin}/api/calls${path}`);
    expect(await (await get(`/${callSid}`)).json()).toMatchObject({
      callSid,
      state: "streaming",
      endedAt: null,
    });
    phone.hangUp();
    await ended(world, callSid);
    const row = (await (await get(`/${callSid}`)).json()) as Record<string, unknown>;
    expect(row).toMatchObject({ callSid, state: "ended", endReason: "caller_hung_up", from: CALLER });
    expect(await (await get("")).json()).toEqual([row]);
    expect(await (await get("?state=streaming")).json()).toEqual([]);
    const lines = (await (await get(`/${callSid}/events`)).text()).trim().split("\n");
    const entries = lines.map((line) => JSON.parse(line) as { seq: number; name: string });
    expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, i) => i + 1));
    expect(entries.map((entry) => entry.name)).toContain("carrier.addAi");
    expect(entries.at(-1)?.name).toBe("log.closed");
    expect((await get(`/${SID}`)).status).toBe(404);
  });
});
