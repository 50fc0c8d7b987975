/** The cutting of media messages against `JSON.parse`, over every change to them that came to mind. */
import { expect, test } from "bun:test";
import { InboundTimeline, SILENCE_FRAME_BASE64 } from "../../../engine/media/inbound-timeline.ts";
import { MediaTextReader, cutMark, parseStreamMessage } from "../../../engine/media/media-text.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { setUp } from "./leg-setup.ts";

const SID = "MZ1";
const MESSAGES = 100_000;
const ids = seededIds(20_261_126);
const below = (n: number): number => Math.floor(ids.random() * n);
const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;

function payloadOf(size: number): string {
  return Uint8Array.from({ length: size }, () => below(256)).toBase64();
}

/** Made once: random bytes are slow, and it is the text around them that matters. */
const PAYLOADS = Array.from({ length: 512 }, (_, i) => payloadOf(i < 384 ? 160 : 1 + below(400)));

type Fields = Record<string, unknown>;

function usual(): Fields {
  const sequence = below(pick([10, 1000, 1_000_000]));
  return {
    event: "media",
    sequenceNumber: String(sequence + 1),
    media: {
      track: "inbound",
      chunk: String(sequence),
      timestamp: String(sequence * 20),
      payload: pick(PAYLOADS),
    },
    streamSid: SID,
  };
}

const mediaOf = (message: Fields): Fields => message["media"] as Fields;
const payload = (message: Fields): string => mediaOf(message)["payload"] as string;

const SCRAPS = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  " ",
  "\t",
  "\n",
  "\r",
  "\u0000",
  "\u007f",
  "\u2028",
  "é",
  "𝄞",
  "\ud800",
  "=",
  "==",
  "/",
  "+",
  "-",
  "_",
  "A",
  "0",
  "9",
  "1e3",
  ".5",
  "null",
  "true",
  "\\/",
  "\\u0041",
  '\\"',
  "%41",
  '","payload":"AAAA',
  '"streamSid":"MZ2",',
  '"event":"stop",',
  '"__proto__":{"payload":"AAAA"},',
  "//",
  "/**/",
  "\ufeff",
  `"},"streamSid":"${SID}"}`,
  '","media":{"track":"inbound","chunk":"1',
];

/** Changes to the text: what a broken line or a hostile sender might do. */
const TEXT_CHANGES: readonly ((text: string) => string)[] = [
  (text) => {
    const at = below(text.length);
    return splice(text, at, 1, String.fromCharCode(text.charCodeAt(at) ^ (1 << below(8))));
  },
  (text) => splice(text, below(text.length), 0, pick(SCRAPS)),
  (text) => splice(text, below(text.length), 1, pick(SCRAPS)),
  (text) => splice(text, below(text.length), 1 + below(4), ""),
  (text) => text.slice(0, below(text.length)),
  (text) => text.slice(below(text.length)),
  (text) => text + pick(SCRAPS),
  (text) => pick(SCRAPS) + text,
  (text) => text + text,
  (text) => {
    const at = below(text.length);
    return splice(text, at, 0, text.slice(at, at + 1 + below(60)));
  },
  (text) => {
    const at = below(text.length - 1);
    return splice(text, at, 2, `${text[at + 1]}${text[at]}`);
  },
  // An escape that stands for the character itself.
  (text) => {
    const at = below(text.length);
    return splice(text, at, 1, `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`);
  },
  (text) => text.replaceAll("/", "\\/"),
  (text) =>
    text.replaceAll(pick([":", ",", "{", "}"]), (mark) => pick([` ${mark}`, `${mark} `, `\n${mark}\t`])),
  (text) => text.replace(/"(\d+)"/, "$1"),
  (text) => text.replace(/"(\d+)"(?!.*"\d+")/s, "$1"),
  (text) => text.toUpperCase(),
];

function splice(text: string, at: number, remove: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + remove);
}

const NUMBERS: readonly unknown[] = [
  "",
  "0",
  "007",
  "00000000000000000",
  "999999999999999",
  "9999999999999999",
  "1".repeat(40),
  "-1",
  "+1",
  "1.0",
  "1e3",
  " 1",
  "1 ",
  "٣",
  "0x10",
  5,
  -5,
  1.5,
  1e21,
  null,
  true,
  {},
  [],
  ["20"],
  "NaN",
];

/** Changes to the message: other values, keys and orders, all of it good JSON. */
const FIELD_CHANGES: readonly ((message: Fields) => Fields)[] = [
  (m) => Object.fromEntries(Object.entries(m).toSorted(() => ids.random() - 0.5)),
  (m) => ({ ...m, media: Object.fromEntries(Object.entries(mediaOf(m)).toSorted(() => ids.random() - 0.5)) }),
  (m) => ({ ...m, sequenceNumber: pick(NUMBERS) }),
  (m) => ({ ...m, media: { ...mediaOf(m), chunk: pick(NUMBERS) } }),
  (m) => ({ ...m, media: { ...mediaOf(m), timestamp: pick(NUMBERS) } }),
  (m) => ({ ...m, media: { ...mediaOf(m), track: pick(["outbound", "Inbound", "inbound ", "", null, 1]) } }),
  (m) => ({ ...m, streamSid: pick(["MZ2", "mz1", "MZ1 ", "MZ10", "", null, 1, ["MZ1"]]) }),
  (m) => ({ ...m, event: pick(["Media", "mark", "stop", "dtmf", "start", "connected", "other", 1, null]) }),
  (m) => ({ ...m, media: pick([null, [], "x", 1, {}, { ...mediaOf(m), media: mediaOf(m) }]) }),
  (m) => ({
    ...m,
    media: { ...mediaOf(m), payload: pick([null, 1, [], {}, "", " ", "=", "====", "A", "AA", "AAA"]) },
  }),
  (m) => repayload(m, (text) => text.replace(/=+$/, "")),
  (m) => repayload(m, (text) => `${text}=`),
  (m) => repayload(m, (text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  (m) =>
    repayload(m, (text) =>
      splice(text, below(text.length), 0, pick([" ", "\n", "\t", "\r\n", "    ", "\f"])),
    ),
  (m) => repayload(m, (text) => `  ${text.replace(/=+$/, "")}`),
  (m) =>
    repayload(m, (text) =>
      splice(text, below(text.length), 1, pick(["=", "é", "\u0000", '"', "\\", "ÿ", "-", "Ā"])),
    ),
  (m) => repayload(m, (text) => text.repeat(1 + below(4))),
  (m) => repayload(m, (text) => text.slice(0, below(text.length))),
  (m) => ({ ...m, more: 1 }),
  (m) => ({ more: { ...m }, ...m }),
  (m) => ({ ...m, media: { ...mediaOf(m), more: "x" } }),
  (m) => omit(m, pick(Object.keys(m))),
  (m) => ({ ...m, media: omit(mediaOf(m), pick(Object.keys(mediaOf(m)))) }),
];

function repayload(message: Fields, change: (text: string) => string): Fields {
  return { ...message, media: { ...mediaOf(message), payload: change(payload(message)) } };
}

function omit(message: Fields, key: string): Fields {
  return Object.fromEntries(Object.entries(message).filter(([name]) => name !== key));
}

/** Key by key as JSON text, one of the keys twice. */
function doubled(message: Fields): string {
  const key = pick(Object.keys(message));
  const other = JSON.stringify(pick([message[key], "x", 1, null, { payload: "AAAA" }]));
  const once = JSON.stringify(message);
  const extra = `${JSON.stringify(pick([key, "__proto__", "constructor", "toString"]))}:${other}`;
  return pick([`{${extra},${once.slice(1)}`, `${once.slice(0, -1)},${extra}}`]);
}

function changed(): string {
  let message = usual();
  const kind = below(10);
  if (kind === 0) return JSON.stringify(message);
  if (kind === 1) return doubled(message);
  if (kind === 2)
    return JSON.stringify({ ...message, media: 0 }).replace(":0", `:${doubled(mediaOf(message))}`);
  if (kind < 6) {
    message = pick(FIELD_CHANGES)(message);
    return JSON.stringify(message);
  }
  let text = JSON.stringify(message);
  for (let n = 1 + below(3); n > 0 && text.length > 2; n--) text = pick(TEXT_CHANGES)(text);
  return text;
}

/** What the message says, by the parser alone. */
function read(text: string): { payload: string; bytes: Uint8Array; timestampMs: number } | null {
  try {
    const { event, media, streamSid } = JSON.parse(text);
    if (event !== "media" || streamSid !== SID || media.track !== "inbound") return null;
    const bytes = Uint8Array.fromBase64(media.payload, { lastChunkHandling: "loose" });
    return { payload: media.payload, bytes, timestampMs: Number(media.timestamp) };
  } catch {
    return null;
  }
}

test(`of ${MESSAGES} changed messages, those cut say what JSON.parse says`, () => {
  const reader = new MediaTextReader(SID);
  let cut = 0;
  for (let i = 0; i < MESSAGES; i++) {
    const text = changed();
    if (!reader.cut(text)) continue;
    cut++;
    const said = read(text);
    const same =
      said !== null &&
      said.payload === reader.payload &&
      said.bytes.length === reader.payloadBytes &&
      said.timestampMs === reader.timestampMs &&
      // What goes on into other JSON text must not need an escape there.
      JSON.stringify(said.payload).length === said.payload.length + 2 &&
      said.bytes.toBase64().length === said.payload.length;
    if (!same) throw new Error(`cut as ${reader.timestampMs} ${reader.payload}: ${text}`);
  }
  expect(cut).toBeGreaterThan(MESSAGES / 10);
  expect(cut).toBeLessThan(MESSAGES / 2);
});

test(`of ${MESSAGES} changed marks, those cut are what the parser takes them for`, () => {
  let cut = 0;
  for (let i = 0; i < MESSAGES; i++) {
    const name = pick([`g${below(3)}:${below(1000)}`, `g${below(3)}:${below(1000)}`, "greeting", "", "g1:x"]);
    const mark = { event: "mark", sequenceNumber: String(below(100_000)), streamSid: SID, mark: { name } };
    let text = JSON.stringify(mark);
    for (let n = below(3); n > 0 && text.length > 2; n--) text = pick(TEXT_CHANGES)(text);
    const found = cutMark(text, SID);
    if (found === null) continue;
    cut++;
    const message = parseStreamMessage(text);
    if (message?.event !== "mark" || message.name !== found || message.streamSid !== SID)
      throw new Error(`cut as ${found}: ${text}`);
  }
  expect(cut).toBeGreaterThan(MESSAGES / 10);
  expect(cut).toBeLessThan(MESSAGES / 2);
  expect(
    cutMark('{"event":"mark","sequenceNumber":"4","streamSid":"MZ2","mark":{"name":"g0:1"}}', SID),
  ).toBeNull();
});

test("whatever is not cut gets the parser's verdict", () => {
  const { leg } = setUp();
  let audio = "";
  leg.listen({
    audio: (base64) => {
      if (base64 !== SILENCE_FRAME_BASE64) audio = base64;
    },
    dtmf: () => undefined,
    itemHeard: () => undefined,
  });
  const timeline = new InboundTimeline();
  const expected = { inMessages: 0, inBytes: 0, inBad: 0, inUnknown: 0, inOtherTrack: 0 };
  for (let i = 0; i < MESSAGES / 4; i++) {
    const text = changed();
    const message = parseStreamMessage(text);
    audio = "";
    leg.onText(text);
    let wanted = "";
    if (!message || message.event === "connected" || message.event === "start") expected.inBad++;
    else if (message.event === "unknown") expected.inUnknown++;
    else if (message.streamSid !== SID) expected.inBad++;
    else if (message.event === "media" && message.track !== "inbound") expected.inOtherTrack++;
    else if (message.event === "media") {
      expected.inMessages++;
      expected.inBytes += message.payloadBytes;
      timeline.silenceBefore(message.timestampMs, message.payloadBytes);
      wanted = message.payload;
    }
    if (audio !== wanted) throw new Error(`heard "${audio}" instead of "${wanted}" of ${text}`);
  }
  expect(leg.counters()).toMatchObject({ ...expected, ...timeline.counters });
  expect(Object.values(expected).every((count) => count > 100)).toBe(true);
});
