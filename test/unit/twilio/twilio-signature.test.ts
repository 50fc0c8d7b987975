import { describe, expect, test } from "bun:test";
import { parse, stringify } from "node:querystring";
import fc from "fast-check";
import {
  getExpectedTwilioSignature,
  validateRequest,
  validateRequestWithBody,
} from "twilio/lib/webhooks/webhooks.js";
import {
  signTwilioRequest,
  verifyTwilioSignature,
  withBodySha256,
} from "../../../engine/http/twilio-signature.ts";

const authToken = "12345";
const vector = {
  authToken,
  url: "https://example.com/myapp.php?foo=1&bar=2",
  params: new URLSearchParams({
    CallSid: "CA1234567890ABCDE",
    Caller: "+15550100",
    Digits: "1234",
    From: "+15550100",
    To: "+15550123",
  }),
};
const vectorSignature = "Y+uQ3HI4zvGrG6A73zfb1ApQQ5E=";

const text = fc.string({ unit: "grapheme", maxLength: 20 });
const name = fc.string({
  unit: fc.constantFrom("A", "b", "Z", "a", "1", "_", "é", "-"),
  minLength: 1,
  maxLength: 8,
});
const pairs = fc.array(fc.tuple(name, text), { maxLength: 12 });
const host = fc.constantFrom(
  "h.example",
  "h.example:443",
  "h.example:80",
  "h.example:8443",
  "[::1]",
  "[::1]:8080",
);
const query = fc.constantFrom("", "?", "?a=1&b=2", "?q=it's", "?q=%27x%20y", "?x=ä", "?b=1&b=2&a=");
const url = fc
  .tuple(
    fc.constantFrom("https", "http"),
    host,
    fc.constantFrom("", "/", "/twilio/voice", "/a b", "/x/"),
    query,
  )
  .map(([scheme, authority, path, search]) => `${scheme}://${authority}${path}${search}`);

/** The SDK takes an object whose repeated fields are arrays. */
function asObject(fields: readonly (readonly [string, string])[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = {};
  for (const [key, value] of fields) {
    const old = object[key];
    object[key] = old === undefined ? value : [...(Array.isArray(old) ? old : [old]), value];
  }
  return object;
}

describe("signTwilioRequest", () => {
  test("gives Twilio's published example", () => {
    expect(signTwilioRequest(vector)).toBe(vectorSignature);
  });

  test("agrees with the SDK on any URL and any fields, repeated ones included", () => {
    fc.assert(
      fc.property(url, pairs, (address, fields) => {
        const theirs = getExpectedTwilioSignature(authToken, address, asObject(fields));
        expect(signTwilioRequest({ authToken, url: address, params: fields })).toBe(theirs);
      }),
      { numRuns: 3000 },
    );
  });

  test("leaves out the fragment with connection overrides", () => {
    const plain = signTwilioRequest({ authToken, url: "https://h.example/cb?a=1" });
    expect(signTwilioRequest({ authToken, url: "https://h.example/cb?a=1#rc=3&rp=all" })).toBe(plain);
  });
});

describe("verifyTwilioSignature", () => {
  test("accepts Twilio's published example and nothing close to it", () => {
    expect(verifyTwilioSignature({ ...vector, signature: vectorSignature })).toBe(true);
    const params = new URLSearchParams(vector.params);
    params.set("Digits", "1235");
    expect(verifyTwilioSignature({ ...vector, params, signature: vectorSignature })).toBe(false);
    expect(verifyTwilioSignature({ ...vector, authToken: "12346", signature: vectorSignature })).toBe(false);
    expect(verifyTwilioSignature({ ...vector, url: `${vector.url}3`, signature: vectorSignature })).toBe(
      false,
    );
    expect(verifyTwilioSignature({ ...vector, params: undefined, signature: vectorSignature })).toBe(false);
  });

  test("decides as the SDK does, whichever form of the URL was signed", () => {
    fc.assert(
      fc.property(url, url, pairs, fc.boolean(), (signed, received, fields, sameUrl) => {
        const object = asObject(fields);
        const signature = getExpectedTwilioSignature(authToken, signed, object);
        const address = sameUrl ? signed : received;
        const theirs = validateRequest(authToken, signature, address, object);
        expect(verifyTwilioSignature({ authToken, signature, url: address, params: fields })).toBe(theirs);
      }),
      { numRuns: 4000 },
    );
  });

  test("accepts an escaped spelling of the URL exactly when the SDK does", () => {
    const raw = fc.tuple(host, fc.stringMatching(/^[a-z'()*!~ %ä[\]|]{0,12}$/), fc.boolean());
    fc.assert(
      fc.property(raw, fc.nat({ max: 2 }), ([authority, odd, inPath], spelling) => {
        const received = `https://${authority}/${inPath ? odd : ""}?q=${inPath ? "" : odd}&r=1`;
        const legacy =
          received.slice(0, received.indexOf("?") + 1) + stringify(parse(received.split("?")[1] ?? ""));
        const signed = [received, new URL(received).href, legacy][spelling] ?? received;
        const signature = getExpectedTwilioSignature(authToken, signed, {});
        const theirs = validateRequest(authToken, signature, received, {});
        expect(verifyTwilioSignature({ authToken, signature, url: received })).toBe(theirs);
      }),
      { numRuns: 2000 },
    );
    const signature = signTwilioRequest({ authToken, url: "https://h.example/x?q=it%27s" });
    expect(verifyTwilioSignature({ authToken, signature, url: "https://h.example/x?q=it's" })).toBe(true);
  });

  test("refuses a field added, removed or changed", () => {
    fc.assert(
      fc.property(url, pairs, name, text, (address, fields, key, value) => {
        const signature = signTwilioRequest({ authToken, url: address, params: fields });
        // Renaming to something no generated field has.
        const added = [...fields, [`${key}~`, value] as const];
        expect(verifyTwilioSignature({ authToken, signature, url: address, params: fields })).toBe(true);
        expect(verifyTwilioSignature({ authToken, signature, url: address, params: added })).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test("a missing or garbled header is refused without throwing", () => {
    const headers = [
      null,
      undefined,
      "",
      "x",
      vectorSignature.slice(1),
      `${vectorSignature}=`,
      "é".repeat(14),
      "\0",
    ];
    for (const signature of headers) expect(verifyTwilioSignature({ ...vector, signature })).toBe(false);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (signature, address) => {
        expect(verifyTwilioSignature({ authToken, signature, url: address, params: [] })).toBe(false);
      }),
    );
  });

  test("an empty token verifies nothing", () => {
    const signature = new Bun.CryptoHasher("sha1", "").update("https://h.example/").digest("base64");
    expect(verifyTwilioSignature({ authToken: "", signature, url: "https://h.example/" })).toBe(false);
  });
});

describe("the WebSocket upgrade", () => {
  const forms = [
    "wss://h.example/twilio/media",
    "wss://h.example/twilio/media/",
    "https://h.example/twilio/media",
    "https://h.example/twilio/media/",
    "wss://h.example:443/twilio/media",
  ];
  test.each(forms)("is accepted when Twilio signed %s", (signed) => {
    const signature = signTwilioRequest({ authToken, url: signed });
    for (const received of ["wss://h.example/twilio/media", "wss://h.example/twilio/media/"]) {
      expect(verifyTwilioSignature({ authToken, signature, url: received })).toBe(true);
    }
  });

  test("is refused when another path, host or port was signed", () => {
    const others = [
      "wss://h.example/twilio",
      "wss://h.example/twilio/media/x",
      "wss://i.example/twilio/media",
      "wss://h.example:8443/twilio/media",
      "wss://h.example/twilio/media?a=1",
    ];
    for (const signed of others) {
      const signature = signTwilioRequest({ authToken, url: signed });
      expect(verifyTwilioSignature({ authToken, signature, url: "wss://h.example/twilio/media" })).toBe(
        false,
      );
    }
  });

  test("of a sandbox on loopback keeps its port", () => {
    const url = "ws://127.0.0.1:8080/twilio/media";
    const signature = signTwilioRequest({ authToken, url });
    expect(verifyTwilioSignature({ authToken, signature, url })).toBe(true);
  });

  test("an https request does not get the slash and scheme forms", () => {
    const signature = signTwilioRequest({ authToken, url: "https://h.example/twilio/voice/" });
    expect(verifyTwilioSignature({ authToken, signature, url: "https://h.example/twilio/voice" })).toBe(
      false,
    );
  });
});

describe("a body that is not a form", () => {
  const body = '{"a":"ä"}';

  test("is bound by its hash in the URL, as in the SDK", () => {
    const address = withBodySha256("https://h.example/events?x=1", body);
    const signature = signTwilioRequest({ authToken, url: address });
    expect(validateRequestWithBody(authToken, signature, address, body)).toBe(true);
    expect(verifyTwilioSignature({ authToken, signature, url: address, rawBody: body })).toBe(true);
    const bytes = new TextEncoder().encode(body);
    expect(verifyTwilioSignature({ authToken, signature, url: address, rawBody: bytes })).toBe(true);
    expect(verifyTwilioSignature({ authToken, signature, url: address, rawBody: `${body} ` })).toBe(false);
    expect(verifyTwilioSignature({ authToken, signature, url: address })).toBe(false);
  });

  test("without a hash in the URL is not trusted", () => {
    const address = "https://h.example/events";
    const signature = signTwilioRequest({ authToken, url: address });
    expect(verifyTwilioSignature({ authToken, signature, url: address, rawBody: body })).toBe(false);
    expect(verifyTwilioSignature({ authToken, signature, url: address, rawBody: "" })).toBe(true);
  });
});
