import { describe, expect, test } from "bun:test";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { redact } from "../../../engine/platform/redact.ts";
import { Sealer } from "../../../engine/platform/seal.ts";
import { seededIds, systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { Log, LogFields, ProtectedFields } from "../../../engine/ports.ts";

const KEY = Uint8Array.fromHex(seededIds(1).sid("") + seededIds(2).sid(""));
const OTHER_KEY = Uint8Array.fromHex(seededIds(3).sid("") + seededIds(4).sid(""));

const FIELDS: ProtectedFields = {
  from: "+15550142",
  to: "+15550100",
  transcript: [
    {
      atMs: 10,
      speaker: "agent",
      text: "How can I help?",
      heardText: "How can",
      heardMs: 400,
      generatedMs: 900,
    },
    { atMs: 1500, speaker: "caller", text: "My chest hurts" },
  ],
  escalationReason: "chest pain",
  slots: { name: "Ann Chest", callbackNumber: null, weightKg: 55, insured: false },
};

const REDACTED: ProtectedFields = {
  from: "+•••••••42",
  to: "+•••••••00",
  transcript: [
    { atMs: 10, speaker: "agent", text: "[redacted]", heardMs: 400, generatedMs: 900 },
    { atMs: 1500, speaker: "caller", text: "[redacted]" },
  ],
  escalationReason: "[redacted]",
  slots: { name: "[redacted]", callbackNumber: null, weightKg: "[redacted]", insured: "[redacted]" },
};

function cipher(key: Uint8Array | null, log: Log = silentLog) {
  return createFieldCipher({ key, ids: systemIds, log });
}

/** Sealed with a call's own key, and that key as the database has it. */
function sealedFor(callSid: string, key = KEY) {
  const by = cipher(key);
  const sealed = by.seal(callSid, FIELDS);
  const keys = by.keys.unstored().map(([call_sid, key_id, wrapped]) => ({ call_sid, key_id, wrapped }));
  return { sealed, keys };
}

function opener(key: Uint8Array | null, keys: ReturnType<typeof sealedFor>["keys"], log?: Log) {
  const by = cipher(key, log);
  by.keys.learn(keys);
  return by;
}

function recordingLog(): { readonly log: Log; readonly warnings: LogFields[] } {
  const warnings: LogFields[] = [];
  return { warnings, log: { ...silentLog, warn: (_, fields = {}) => void warnings.push(fields) } };
}

describe("with a key", () => {
  test("what is sealed opens again and shows nothing meanwhile", () => {
    const { sealed, keys } = sealedFor("CA1");
    expect(sealed).toMatch(/^v2:[0-9a-f]{8}:[\w-]{16}:[\w-]{22}:[\w-]+$/);
    for (const word of ["5550142", "Ann Chest", "chest pain", "caller"]) expect(sealed).not.toContain(word);
    expect(opener(KEY, keys).open("CA1", sealed)).toEqual(FIELDS);
    expect(opener(KEY, []).tryOpen("CA1", sealed)).toBeNull();
  });

  test("what was sealed with the key itself, before calls had keys, opens with it, and with the previous one", () => {
    const old = new Sealer(KEY, systemIds);
    const { iv, tag, data } = old.seal(Buffer.from(JSON.stringify(FIELDS)), "CA1");
    const parts = [iv, tag, data].map((part) => Buffer.from(part).toString("base64url"));
    const stored = ["v1", old.keyId, ...parts].join(":");
    expect(cipher(KEY).open("CA1", stored)).toEqual(FIELDS);
    const rotated = createFieldCipher({
      key: OTHER_KEY,
      previousKey: KEY,
      ids: systemIds,
      log: silentLog,
    });
    expect(rotated.open("CA1", stored)).toEqual(FIELDS);
    expect(cipher(OTHER_KEY).tryOpen("CA1", stored)).toBeNull();
  });

  test("a key that was put under a new one opens without the one before, and has the same length", () => {
    const { sealed, keys } = sealedFor("CA1");
    const both = { key: OTHER_KEY, previousKey: KEY, ids: systemIds, log: silentLog };
    const [before] = keys;
    const wrapped = createFieldCipher(both).keys.rewrapped(before ?? {});
    expect(wrapped).toHaveLength(before?.wrapped.length ?? 0);
    const after = keys.map((each) => ({ ...each, wrapped: wrapped ?? "" }));
    expect(opener(OTHER_KEY, after).open("CA1", sealed)).toEqual(FIELDS);
    expect(opener(KEY, after).tryOpen("CA1", sealed)).toBeNull();
  });

  test("a key that was moved to another call opens nothing", () => {
    const { sealed, keys } = sealedFor("CA1");
    const moved = keys.map((each) => ({ ...each, call_sid: "CA2" }));
    expect(opener(KEY, moved).tryOpen("CA2", sealed)).toBeNull();
  });

  test("a caller has one hash under one key, another under another, and none without", () => {
    expect(cipher(KEY).caller("+15550142")).toBe(cipher(KEY).caller("+15550142"));
    expect(cipher(KEY).caller("+15550142")).not.toBe(cipher(KEY).caller("+15550143"));
    expect(cipher(KEY).caller("+15550142")).not.toBe(cipher(OTHER_KEY).caller("+15550142"));
    expect(cipher(null).caller("+15550142")).toBeNull();
  });

  test("sealing twice never gives the same text", () => {
    expect(cipher(KEY).seal("CA1", FIELDS)).not.toBe(cipher(KEY).seal("CA1", FIELDS));
  });

  test("rows from before there was a key come back redacted as they are", () => {
    expect(cipher(KEY).open("CA1", cipher(null).seal("CA1", FIELDS))).toEqual(REDACTED);
  });

  const { sealed, keys } = sealedFor("CA1");
  const cut = sealed.split(":");
  test.each([
    ["another key", OTHER_KEY, "CA1", sealed],
    ["no key", null, "CA1", sealed],
    ["another call's fields", KEY, "CA2", sealed],
    ["changed data", KEY, "CA1", `${sealed.slice(0, -4)}AAAA`],
    ["a short tag", KEY, "CA1", [cut[0], cut[1], cut[2], "AAAA", cut[4]].join(":")],
    ["parts missing", KEY, "CA1", [cut[0], cut[1]].join(":")],
    ["no sealed text at all", KEY, "CA1", "rubbish"],
  ])("%s gives redacted fields and one warning, and no crash", (_, key, callSid, stored) => {
    const { log, warnings } = recordingLog();
    const by = opener(key, keys, log);
    expect(by.open(callSid, stored)).toEqual({
      from: "[redacted]",
      to: "[redacted]",
      transcript: [],
      escalationReason: null,
      slots: null,
    });
    expect(warnings).toHaveLength(1);
    expect(by.counters()["unreadableProtected"]).toBe(1);
  });
});

describe("without a key", () => {
  test("two digits, who spoke and for how long are kept, and no word", () => {
    const stored = cipher(null).seal("CA1", FIELDS);
    for (const word of ["555", "hest", "help", "How can", "false"]) expect(stored).not.toContain(word);
    expect(cipher(null).open("CA1", stored)).toEqual(REDACTED);
  });

  test("redacting what is redacted changes nothing, so a restored row may be saved again", () => {
    expect(redact(REDACTED)).toEqual(REDACTED);
    expect(redact(redact({ ...FIELDS, from: "client:alice", to: "", escalationReason: null }))).toEqual({
      ...REDACTED,
      from: "[redacted]",
      to: "",
      escalationReason: null,
    });
  });

  test.each([
    ["sip:alice@example.com", "[redacted]"],
    ["anonymous", "[redacted]"],
    ["911", "[redacted]"],
    ["15550142", "•••••••42"],
    ["+15550142", "+•••••••42"],
  ])("%s is kept as %s", (from, kept) => {
    expect(redact({ ...FIELDS, from }).from).toBe(kept);
  });
});
