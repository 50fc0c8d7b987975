/** The format of the chain, by fixed values: changing it breaks every log that was ever written. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { canonical } from "../../../engine/platform/canonical.ts";
import {
  chainedAll,
  chainedEntry,
  ChainLink,
  chainStart,
  entryHash,
} from "../../../engine/platform/hash-chain.ts";
import { CALL_SID } from "../call/support.ts";

const textOf = (value: unknown): string => canonical(value).text;

const CONTENT = {
  callSid: CALL_SID,
  seq: 1,
  at: "2023-11-14T22:13:20.000Z",
  kind: "note",
  name: "call.begun",
  data: { agent: "after-hours", ä: [1.5, null, true, "“x” \u2028"] },
};

describe("canonical JSON", () => {
  test("orders members by their names and leaves out white space", () => {
    expect(textOf({ b: 1, a: { d: [], c: {} }, "10": "x", "9": "y" })).toBe(
      '{"10":"x","9":"y","a":{"c":{},"d":[]},"b":1}',
    );
    expect(textOf([null, true, -0, 1e21, "\ud800é"])).toBe('[null,true,0,1e+21,"\\ud800é"]');
  });

  test("keeps names in this order that objects do not, and those that they do not take", () => {
    const odd = JSON.parse('{"b":{"10":1,"9":2,"é":3},"__proto__":{"x":[1]},"a":0}') as unknown;
    expect(textOf(odd)).toBe('{"__proto__":{"x":[1]},"a":0,"b":{"10":1,"9":2,"é":3}}');
  });

  test("is the same for the same data, and says the same", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const value: unknown = JSON.parse(json);
        const { text, value: copy } = canonical(value);
        // Through JSON once: it has one zero.
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(copy).toEqual(JSON.parse(text));
        expect(textOf(reversed(value))).toBe(text);
      }),
    );
  });

  test("says what JSON says of what it cannot hold, and refuses what JSON refuses", () => {
    const value = {
      nothing: undefined,
      list: [undefined, Number.NaN, -0, () => 1],
      date: new Date(0),
      call: () => 1,
    };
    const { text, value: copy } = canonical(value);
    expect(text).toBe('{"date":"1970-01-01T00:00:00.000Z","list":[null,null,0,null]}');
    expect(copy as unknown).toEqual(JSON.parse(text));
    expect(() => canonical({ big: 1n })).toThrow();
    const circular: Record<string, unknown> = {};
    circular["self"] = circular;
    expect(() => canonical(circular)).toThrow();
  });
});

describe("the chain of a log", () => {
  test("begins with the format and the call", () => {
    expect(chainStart(CALL_SID)).toBe(
      createHash("sha256").update(`tandem-audit-1\n${CALL_SID}`).digest("hex"),
    );
    expect(chainStart(CALL_SID)).not.toBe(chainStart(`${CALL_SID}0`));
  });

  test("hashes the entry before, a line feed, and the canonical entry", () => {
    const text =
      `${"0".repeat(64)}\n{"at":"2023-11-14T22:13:20.000Z","callSid":"${CALL_SID}",` +
      '"data":{"agent":"after-hours","ä":[1.5,null,true,"“x” \u2028"]},"kind":"note","name":"call.begun","seq":1}';
    expect(entryHash("0".repeat(64), CONTENT)).toBe(createHash("sha256").update(text).digest("hex"));
  });

  test("has not changed since it was first written", () => {
    const start = "a241d249868c2c372a6ba24d4d1648600a63a5ccb4190d645c8e2d017e4b1548";
    expect(chainStart(CALL_SID)).toBe(start);
    expect(entryHash(start, CONTENT)).toBe(
      "3b4d9d9e097e734eb3613c54b6b93111122029230fe963541674874e4862e880",
    );
  });
});

/** The same data with the members of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => reversed(item));
  const members = Object.entries(value).toReversed();
  return Object.fromEntries(members.map(([name, member]) => [name, reversed(member)]));
}

describe("a link, which is hashed by whoever asks first", () => {
  const content = (
    seq: number,
    callSid = CALL_SID,
    data: Record<string, unknown> = { seq, z: [1], a: "\ud800" },
  ) => ({ ...CONTENT, kind: "note", callSid, seq, data }) as const;
  const eager = (count: number, callSid = CALL_SID) => {
    let prev = chainStart(callSid);
    return Array.from({ length: count }, (_, index) => {
      const entry = chainedEntry(prev, content(index + 1, callSid));
      prev = entry.hash;
      return entry;
    });
  };
  const linked = (count: number, callSid = CALL_SID) => {
    let last: string | ChainLink = chainStart(callSid);
    return Array.from(
      { length: count },
      (_, index) => (last = new ChainLink(last, content(index + 1, callSid))),
    );
  };
  const plain = (links: readonly ChainLink[]): unknown => JSON.parse(JSON.stringify(links));

  test("is the entry that it would be at once, whichever is asked first, and however many wait", () => {
    for (const first of [0, 3, 6]) {
      const links = linked(7);
      expect(links[first]?.hash).toBe(eager(7)[first]?.hash as string);
      expect(plain(links)).toEqual(plain(eager(7) as readonly object[] as ChainLink[]));
    }
    expect(linked(5000).at(-1)?.hash).toBe(eager(5000).at(-1)?.hash as string);
  });

  test("is chained in a list of several calls, by some of its links and in parts", () => {
    const [ours, others] = [linked(5), linked(3, "CA-other")];
    const write = (links: readonly ChainLink[]): number => {
      const last = new Map<string, ChainLink>();
      const open = links.flatMap((link) => {
        const unchained = link.unchained(last.get(link.callSid));
        if (unchained === null) return [];
        last.set(link.callSid, link);
        return [{ link, unchained }];
      });
      const made = chainedAll(open.map(({ unchained }) => unchained));
      for (const [index, { link }] of open.entries()) link.chained(made[index] as (typeof made)[number]);
      // No more than the first of each call asks for a hash of before.
      expect(open.filter(({ unchained }) => unchained.prev !== null).length).toBeLessThanOrEqual(2);
      return open.length;
    };
    expect(write([...ours.slice(0, 2), ...others.slice(0, 1)])).toBe(3);
    void others[1]?.hash;
    expect(write([...ours.slice(2), ...others.slice(1)])).toBe(4);
    expect(write(ours)).toBe(0);
    expect(plain(ours)).toEqual(plain(eager(5) as readonly object[] as ChainLink[]));
    expect(plain(others)).toEqual(plain(eager(3, "CA-other") as readonly object[] as ChainLink[]));
  });

  test("is fixed as it is made, gives copies, and refuses what no JSON holds", () => {
    const data = { said: "yes" };
    const link = new ChainLink("p", content(1, CALL_SID, data));
    data.said = "no";
    (link.data as { said: string }).said = "neither";
    expect(link.data).toEqual({ said: "yes" });
    expect(link.hash).toBe(entryHash("p", content(1, CALL_SID, { said: "yes" })));
    expect(() => new ChainLink("p", content(1, CALL_SID, { big: 1n }))).toThrow();
  });

  test("is hashed at once when it is long: what it is nested in must not fail where it is written", () => {
    const long = content(1, CALL_SID, { text: "x".repeat(5000) });
    expect(new ChainLink("p", long).unchained(undefined)).toBeNull();
    const deep = JSON.parse(`${"[".repeat(1900)}${"]".repeat(1900)}`) as unknown;
    const link = new ChainLink("p", content(1, CALL_SID, { deep }));
    expect(link.unchained(undefined)).not.toBeNull();
    expect(link.hash).toHaveLength(64);
  });
});
