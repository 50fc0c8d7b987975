import { describe, expect, test } from "bun:test";
import { TwilioGuard } from "../../../engine/http/twilio-guard.ts";
import { signTwilioRequest } from "../../../engine/http/twilio-signature.ts";
import { keptLog } from "../call/support.ts";

const ORIGIN = "https://voice.example";
const AUTH_TOKEN = "a-token-for-tests-only";

function make() {
  const { log, lines } = keptLog();
  return { guard: new TwilioGuard({ authToken: AUTH_TOKEN, origin: ORIGIN, log }), lines };
}

interface Post {
  readonly path?: string;
  readonly fields?: Record<string, string>;
  readonly signed?: string;
  readonly headers?: Record<string, string>;
}

/** A POST as it reaches us behind a proxy: by another name than the one Twilio signed. */
function post({
  path = "/twilio/voice",
  fields = {},
  signed = `${ORIGIN}${path}`,
  headers = {},
}: Post): Request {
  const params = new URLSearchParams(fields);
  const signature = signTwilioRequest({ authToken: AUTH_TOKEN, url: signed, params });
  return new Request(`http://10.0.0.7:8080${path}`, {
    method: "POST",
    body: params,
    headers: { "x-twilio-signature": signature, ...headers },
  });
}

describe("a POST", () => {
  test("that is signed for the public URL opens to its form, its query and its retry token", async () => {
    const { guard } = make();
    const opened = await guard.open(
      post({
        path: "/twilio/human?call=CA1&label=a%20b",
        fields: { From: "+15550100", Digits: "1" },
        headers: { "i-twilio-idempotency-token": "t1" },
      }),
    );
    if (opened instanceof Response) throw new Error(`refused with ${opened.status}`);
    expect(Object.fromEntries(opened.form)).toEqual({ From: "+15550100", Digits: "1" });
    expect(opened.query.get("label")).toBe("a b");
    expect(opened.idempotencyToken).toBe("t1");
  });

  test("without a retry token has none", async () => {
    expect(await make().guard.open(post({}))).toMatchObject({ idempotencyToken: null });
  });

  const wrong: readonly (readonly [string, Post])[] = [
    [
      "signed for the name of the request instead of the public one",
      { signed: "http://10.0.0.7:8080/twilio/voice" },
    ],
    ["signed for another path", { signed: `${ORIGIN}/twilio/sms` }],
    ["signed without its query", { path: "/twilio/human?call=CA1", signed: `${ORIGIN}/twilio/human` }],
    ["with a wrong signature", { headers: { "x-twilio-signature": "bm90IGl0" } }],
    ["with an empty signature", { headers: { "x-twilio-signature": "" } }],
  ];
  for (const [what, how] of wrong) {
    test(`${what} is refused and named without its content`, async () => {
      const { guard, lines } = make();
      const answer = await guard.open(post({ fields: { From: "+15550100" }, ...how }));
      expect((answer as Response).status).toBe(403);
      expect(await (answer as Response).text()).toContain("PUBLIC_URL");
      expect(guard.counters).toEqual({ refusedSignature: 1, refusedBody: 0, lostBody: 0 });
      expect(lines).toMatchObject([{ event: "twilio.refused", reason: "signature" }]);
      expect(JSON.stringify(lines)).not.toContain("15550100");
    });
  }

  test("with a field that was not signed is refused", async () => {
    const { guard } = make();
    const request = post({ fields: { Digits: "2" } });
    const forged = new Request(request, { method: "POST", body: new URLSearchParams({ Digits: "1" }) });
    expect(((await guard.open(forged)) as Response).status).toBe(403);
  });

  test("that is too large is refused by its length, and by its content when the length is not told", async () => {
    const { guard } = make();
    const fields = { Body: "x".repeat(64 * 1024) };
    expect(((await guard.open(post({ fields }))) as Response).status).toBe(413);
    const announced = post({ headers: { "content-length": "70000" } });
    expect(((await guard.open(announced)) as Response).status).toBe(413);
    expect(guard.counters).toEqual({ refusedSignature: 0, refusedBody: 2, lostBody: 0 });
  });
});

test("a body that ends before its end is counted, and is nobody's fault here", async () => {
  const { guard, lines } = make();
  const body = new ReadableStream({ pull: (stream) => stream.error(new Error("the connection was closed")) });
  const broken = new Request(post({}), { method: "POST", body });
  expect(((await guard.open(broken)) as Response).status).toBe(400);
  expect(guard.counters.lostBody).toBe(1);
  expect(lines).toEqual([]);
});

describe("an upgrade", () => {
  const upgrade = (url: string): Request => {
    const signature = signTwilioRequest({ authToken: AUTH_TOKEN, url });
    return new Request("http://10.0.0.7:8080/twilio/media", { headers: { "x-twilio-signature": signature } });
  };

  test("is allowed when it is signed for the wss URL, with or without a slash at its end", () => {
    const { guard } = make();
    expect(guard.allowsUpgrade(upgrade("wss://voice.example/twilio/media"))).toBe(true);
    expect(guard.allowsUpgrade(upgrade("wss://voice.example/twilio/media/"))).toBe(true);
    expect(guard.counters.refusedSignature).toBe(0);
  });

  test("is refused when it is signed for another host, or not at all", () => {
    const { guard, lines } = make();
    expect(guard.allowsUpgrade(upgrade("wss://other.example/twilio/media"))).toBe(false);
    expect(guard.allowsUpgrade(new Request("http://10.0.0.7:8080/twilio/media"))).toBe(false);
    expect(guard.counters.refusedSignature).toBe(2);
    expect(lines.map((line) => line["path"])).toEqual(["/twilio/media", "/twilio/media"]);
  });
});
