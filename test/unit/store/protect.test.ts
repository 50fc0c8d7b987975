import { describe, expect, test } from "bun:test";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { redact } from "../../../engine/platform/redact.ts";
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
};

const REDACTED: ProtectedFields = {
  from: "+•••••••42",
  to: "+•••••••00",
  transcript: [
    { atMs: 10, speaker: "agent", text: "[redacted]", heardMs: 400, generatedMs: 900 },
    { atMs: 1500, speaker: "caller", text: "[redacted]" },
  ],
  escalationReason: "[redacted]",
};

function cipher(key: Uint8Array | null, log: Log = silentLog) {
  return createFieldCipher({ key, ids: systemIds, log });
}

function recordingLog(): { readonly log: Log; readonly warnings: LogFields[] } {
  const warnings: LogFields[] = [];
  return { warnings, log: { ...silentLog, warn: (_, fields = {}) => void warnings.push(fields) } };
}

describe("with a key", () => {
  test("what is sealed opens again and shows nothing meanwhile", () => {
    const sealed = cipher(KEY).seal("CA1", FIELDS);
    expect(sealed).toMatch(/^v1:[0-9a-f]{8}:[\w-]{16}:[\w-]{22}:[\w-]+$/);
    for (const word of ["555", "chest", "help", "caller"]) expect(sealed).not.toContain(word);
    expect(cipher(KEY).open("CA1", sealed)).toEqual(FIELDS);
  });

  test("sealing twice never gives the same text", () => {
    expect(cipher(KEY).seal("CA1", FIELDS)).not.toBe(cipher(KEY).seal("CA1", FIELDS));
  });

  test("rows from before there was a key come back redacted as they are", () => {
    expect(cipher(KEY).open("CA1", cipher(null).seal("CA1", FIELDS))).toEqual(REDACTED);
  });

  const sealed = cipher(KEY).seal("CA1", FIELDS);
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
    const opener = cipher(key, log);
    expect(opener.open(callSid, stored)).toEqual({
      from: "[redacted]",
      to: "[redacted]",
      transcript: [],
      escalationReason: null,
    });
    expect(warnings).toHaveLength(1);
    expect(opener.counters()["unreadableProtected"]).toBe(1);
  });
});

describe("without a key", () => {
  test("two digits, who spoke and for how long are kept, and no word", () => {
    const stored = cipher(null).seal("CA1", FIELDS);
    for (const word of ["555", "chest", "help", "How can"]) expect(stored).not.toContain(word);
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
