import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  MessageWriter,
  parseServerMessage,
  signUpgrade,
} from "../../../../adapters/sandbox/carrier/media/stream-messages.ts";

const SID = `MZ${"a".repeat(32)}`;

test("any audio survives the way through a media message, whatever its length", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2_000 }), (ulaw) => {
      const text = JSON.stringify({ event: "media", streamSid: SID, media: { payload: ulaw.toBase64() } });
      expect(parseServerMessage(text, SID)).toEqual({ event: "media", ulaw });
    }),
  );
});

test("no text makes the parser throw, and nothing with another sid gets through", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      expect(parseServerMessage(text, SID)).toBeNull();
    }),
  );
});

test("a message longer than ten minutes of audio is not even parsed", () => {
  const payload = "A".repeat(6_500_000);
  expect(
    parseServerMessage(JSON.stringify({ event: "media", streamSid: SID, media: { payload } }), SID),
  ).toBeNull();
});

test("media written by hand is the JSON it should be, for any frame", () => {
  const writer = new MessageWriter({ accountSid: "AC", callSid: "CA", streamSid: SID });
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 160, maxLength: 160 }), fc.nat(), (frame, timestampMs) => {
      const message = JSON.parse(writer.media(frame, timestampMs));
      expect(message).toEqual({
        event: "media",
        sequenceNumber: String(writer.chunks),
        media: {
          track: "inbound",
          chunk: String(writer.chunks),
          timestamp: String(timestampMs),
          payload: frame.toBase64(),
        },
        streamSid: SID,
      });
    }),
  );
});

test("the signature of an upgrade is the HMAC-SHA1 of the URL as configured", () => {
  const expected = new Bun.CryptoHasher("sha1", "fake")
    .update("wss://example.com/twilio/media")
    .digest("base64");
  expect(signUpgrade("fake", "wss://example.com/twilio/media")).toBe(expected);
  expect(signUpgrade("fake", "wss://example.com/twilio/media/")).not.toBe(expected);
});
