import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MediaTextReader, parseStreamMessage } from "../../../engine/media/media-text.ts";

const SID = "MZ0123456789abcdef0123456789abcdef";

function media(bytes: Uint8Array, timestamp: number, seq = 3): string {
  return JSON.stringify({
    event: "media",
    sequenceNumber: String(seq + 1),
    media: {
      track: "inbound",
      chunk: String(seq),
      timestamp: String(timestamp),
      payload: bytes.toBase64(),
    },
    streamSid: SID,
  });
}

const MUTATIONS = [
  '"',
  "\\",
  "{",
  "}",
  ",",
  ":",
  " ",
  "\n",
  "=",
  "/",
  "+",
  "A",
  "0",
  "9",
  "-",
  "é",
  "\u0000",
  "null",
];

describe("cutting media messages without parsing them", () => {
  test("the messages Twilio sends take the fast path and give what JSON.parse gives", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 400 }),
        fc.nat({ max: 4_000_000_000 }),
        fc.nat(),
        (bytes, timestamp, seq) => {
          const reader = new MediaTextReader(SID);
          const text = media(bytes, timestamp, seq);
          expect(reader.cut(text)).toBe(true);
          const parsed = JSON.parse(text);
          expect(reader.payload).toBe(parsed.media.payload);
          expect(reader.payloadBytes).toBe(bytes.length);
          expect(reader.timestampMs).toBe(timestamp);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("of 20000 mutated messages, those it takes are those JSON.parse reads the same way", () => {
    const base = media(
      Uint8Array.from({ length: 160 }, (_, i) => i),
      5000,
    );
    const reader = new MediaTextReader(SID);
    let taken = 0;
    const edit = fc.record({
      at: fc.nat({ max: base.length }),
      remove: fc.nat({ max: 3 }),
      insert: fc.constantFrom("", ...MUTATIONS),
    });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        let text = base;
        for (const e of edits) text = text.slice(0, e.at) + e.insert + text.slice(e.at + e.remove);
        if (!reader.cut(text)) return;
        taken++;
        const message = parseStreamMessage(text);
        if (message?.event !== "media") throw new Error(`taken, but not a media message: ${text}`);
        expect(message.streamSid).toBe(SID);
        expect(message.track).toBe("inbound");
        expect(message.payload).toBe(reader.payload);
        expect(message.payloadBytes).toBe(reader.payloadBytes);
        expect(message.timestampMs).toBe(reader.timestampMs);
        expect(Uint8Array.fromBase64(reader.payload).length).toBe(reader.payloadBytes);
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  test("another order of fields, other track, escaped payload or foreign stream is left to the parser", () => {
    const reader = new MediaTextReader(SID);
    const good = JSON.parse(media(new Uint8Array(3).fill(255), 20));
    const { streamSid, ...rest } = good;
    expect(reader.cut(JSON.stringify({ streamSid, ...rest }))).toBe(false);
    expect(reader.cut(JSON.stringify({ ...good, media: { ...good.media, track: "outbound" } }))).toBe(false);
    expect(reader.cut(JSON.stringify({ ...good, streamSid: "MZother" }))).toBe(false);
    // "////" is the base64 of ff ff ff, and JSON may escape each slash.
    const escaped = JSON.stringify(good).replaceAll("/", "\\/");
    expect(reader.cut(escaped)).toBe(false);
    const parsed = parseStreamMessage(escaped);
    expect(parsed?.event === "media" ? parsed.payload : null).toBe("////");
  });
});

describe("parsing by the book", () => {
  test("reads every event of the documentation", () => {
    const read = (value: unknown) => parseStreamMessage(JSON.stringify(value));
    expect(read({ event: "connected", protocol: "Call", version: "1.0.0" })).toEqual({ event: "connected" });
    expect(read({ event: "mark", sequenceNumber: "4", streamSid: SID, mark: { name: "g1:2" } })).toEqual({
      event: "mark",
      streamSid: SID,
      name: "g1:2",
    });
    expect(read({ event: "dtmf", streamSid: SID, dtmf: { track: "inbound_track", digit: "#" } })).toEqual({
      event: "dtmf",
      streamSid: SID,
      digit: "#",
    });
    expect(read({ event: "stop", streamSid: SID, stop: {} })).toEqual({ event: "stop", streamSid: SID });
    expect(read({ event: "novelty" })).toEqual({ event: "unknown", name: "novelty" });
  });

  test("refuses what is not a message, or a known event in an unknown shape", () => {
    const bad = [
      "",
      "{",
      "null",
      "[]",
      "7",
      '"media"',
      "{}",
      '{"event":7}',
      '{"event":"media"}',
      '{"event":"media","media":{"payload":7}}',
      '{"event":"media","media":{"payload":""}}',
      '{"event":"media","media":{"payload":"a b="}}',
      '{"event":"mark","mark":null}',
      '{"event":"dtmf","dtmf":{"digit":"12"}}',
    ];
    for (const text of bad) expect(parseStreamMessage(text)).toBeNull();
  });

  test("a timestamp may be a number, and one that is no time is told apart", () => {
    const at = (timestamp: unknown) => {
      const m = parseStreamMessage(JSON.stringify({ event: "media", media: { payload: "/w==", timestamp } }));
      return m?.event === "media" ? m.timestampMs : null;
    };
    expect(at("40")).toBe(40);
    expect(at(40)).toBe(40);
    for (const odd of [undefined, "x", "", null, "-1", "1e9"]) expect(at(odd)).toBeNaN();
  });
});
