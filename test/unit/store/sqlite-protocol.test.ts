import { describe, expect, test } from "bun:test";
import type { Batch, SnapshotValues } from "../../../adapters/store/driver.ts";
import { packed, unpacked, type WorkerMessage } from "../../../adapters/store/sqlite-protocol.ts";

const EMPTY: Batch = { keys: [], calls: [], events: [], journal: [], snapshots: [], drops: [], charts: [] };

function snapshotOf(callSid: string, text: string): SnapshotValues {
  return [
    callSid,
    7,
    "hash",
    1,
    { keyId: "0a", key: "a2V5", iv: "00", boundTo: `snapshot ${callSid}`, text },
  ];
}

function writing(batch: Partial<Batch>): WorkerMessage {
  return { id: 3, request: { op: "write", batch: { ...EMPTY, ...batch } } };
}

describe("a message to the thread that writes comes out as it went in", () => {
  const messages: Record<string, WorkerMessage> = {
    "nothing to seal": writing({ events: [["CA1", 1, "at", "step", "call", '{"a":"\\n"}', null, null]] }),
    "chained and not chained": writing({
      events: [
        { text: '{"callSid":"CA1","data":{"a":"\\n"}}', prev: "p" },
        ["CA2", 1, "at", "step", "call", "{}", null, null],
        { text: "{}", prev: null },
      ],
      snapshots: [snapshotOf("CA1", "{}")],
    }),
    "one snapshot": writing({ snapshots: [snapshotOf("CA1", '{"value":"streaming"}')] }),
    "snapshots of any text, one after the other": writing({
      snapshots: ["", "a line\nand another", 'quotes " and \\', "痛い 🤕", "\ud800"].map((text, n) =>
        snapshotOf(`CA${n}`, text),
      ),
    }),
    "sealed and not to be sealed": writing({
      snapshots: [["CA1", 1, "hash", 1, ""], snapshotOf("CA2", "two"), ["CA3", 1, "hash", 1, "t2:sealed"]],
      journal: [
        ["CA1", "CA1/1/page", "intent", "page", 5, { keyId: "0a", key: "", iv: "", boundTo: "", text: "\n" }],
      ],
    }),
    "a question": { id: 4, request: { op: "all", sql: "select\n1", params: ["a\nb", null] } },
    "the end": { id: 5, request: { op: "close" } },
  };

  for (const [what, message] of Object.entries(messages)) {
    test(what, () => expect(unpacked(packed(message))).toEqual(message));
  }

  test("without a mark of escape in what is chained and sealed, nor a copy", () => {
    const text = '{"said":"yes"}'.repeat(10);
    const [head, ...texts] = packed(
      writing({
        events: [{ text: "one", prev: "p" }],
        snapshots: [snapshotOf("CA1", text), snapshotOf("CA2", "two")],
      }),
    );
    expect(texts).toEqual(["one", text, "two"]);
    expect(head).not.toContain("said");
  });
});
