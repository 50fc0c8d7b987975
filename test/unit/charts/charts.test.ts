/** What is kept of each version of the machines, and what is drawn of it. */
import { afterEach, describe, expect, test } from "bun:test";
import { type AnyStateMachine, createMachine } from "xstate";
import { Charts } from "../../../engine/charts/charts.ts";
import { currentDefinitions, readDefinitions } from "../../../engine/charts/definition.ts";
import { MachinesApi } from "../../../engine/http/machines-api.ts";
import { MACHINE_HASH } from "../../../engine/call/machine-hash.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { DrawingJob } from "../../../engine/charts/drawer.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { catalog } from "../../../machines/viz/catalog.ts";
import { chartOf } from "../../../machines/viz/graph.ts";
import { MemoryStore } from "../../support/memory-store.ts";

/** A process that starts and lays out takes a second, and many of a busy machine. */
const SLOW_MS = 60_000;
const OLD_HASH = "ab".repeat(32);

/** The call as an earlier version might have had it. */
const old = createMachine({
  id: "call",
  initial: "ringing",
  states: {
    ringing: { on: { answered: { guard: "isOpen", target: "talking" } } },
    talking: {
      initial: "listening",
      states: { listening: { always: { guard: "isLate", target: "closing" } }, closing: {} },
      on: { "caller.left": "over" },
    },
    over: { type: "final" },
  },
});

const definitionOf = (machine: AnyStateMachine) => ({ title: "As it was", root: chartOf(machine).root });

const opened: Charts[] = [];
afterEach(() => opened.splice(0).forEach((charts) => charts.stop()));

function setUp(draw?: (job: DrawingJob, signal: AbortSignal) => Promise<string>) {
  const store = new MemoryStore();
  const clock = new VirtualClock(Date.parse("2026-01-01T00:00:00.000Z"));
  const charts = new Charts({ store, clock, log: silentLog, ...(draw ? { draw } : {}) });
  opened.push(charts);
  const api = new MachinesApi(charts);
  const ask = (path: string): Promise<Response> =>
    api.handle(new URL(`http://localhost/api/machines${path}`));
  const keepOld = (body = JSON.stringify({ call: definitionOf(old) })): void =>
    store.saveCharts({ hash: OLD_HASH, savedAt: "2025-01-01T00:00:00.000Z", body });
  return { store, clock, charts, ask, keepOld };
}

const valuesOf = (svg: string, name: string): string[] =>
  [...svg.matchAll(new RegExp(` ${name}="([^"]*)"`, "g"))].map((match) => match[1] ?? "");

describe("the charts of a version", () => {
  test("come out of the store as the machines are", () => {
    const read = readDefinitions(JSON.stringify(currentDefinitions()));
    expect(read).toEqual(JSON.parse(JSON.stringify(currentDefinitions())));
    expect(Object.keys(read ?? {})).toEqual(["call", "ladder", "page", "incident", "postcall"]);
    for (const { name, machine } of catalog) {
      expect(read?.[name]?.root.id).toBe(machine.root.id);
    }
  });

  test("are kept once under the hash that a call's log names, and listed newest first", async () => {
    const { store, charts, ask, keepOld } = setUp();
    keepOld();
    charts.save();
    charts.save();
    expect([...store.keptCharts.keys()]).toEqual([OLD_HASH, MACHINE_HASH]);
    expect(await (await ask("")).json()).toEqual({
      current: MACHINE_HASH,
      versions: [MACHINE_HASH, OLD_HASH],
    });
  });

  test("are told as they were, whatever the machines are now", async () => {
    const { ask, keepOld } = setUp();
    keepOld();
    const then = (await (await ask(`/${OLD_HASH}`)).json()) as { hash: string; machines: object };
    expect(then).toEqual({ hash: OLD_HASH, machines: { call: definitionOf(old) } } as never);
    const now = (await (await ask(`/${MACHINE_HASH}`)).json()) as { machines: object };
    expect(Object.keys(now.machines)).toEqual(["call", "ladder", "page", "incident", "postcall"]);
  });

  test("are unknown, refused or damaged, and never an error", async () => {
    const { ask, keepOld } = setUp();
    expect((await ask(`/${OLD_HASH}`)).status).toBe(404);
    expect((await ask(`/${OLD_HASH}/call.svg`)).status).toBe(404);
    keepOld('{"call":{"title":"a","root":{}}}');
    expect((await ask(`/${OLD_HASH}`)).status).toBe(404);
    expect((await ask("/abc")).status).toBe(400);
    expect((await ask(`/${MACHINE_HASH}/toString.svg`)).status).toBe(404);
    expect((await ask(`/${MACHINE_HASH}/other.svg`)).status).toBe(404);
    expect((await ask(`/${MACHINE_HASH}/call.svg?theme=pink`)).status).toBe(400);
  });
});

describe("the drawing of a version", () => {
  test(
    "shows the states and edges of that version, by the names that its log uses",
    async () => {
      const { ask, keepOld } = setUp();
      keepOld();
      const answer = await ask(`/${OLD_HASH}/call.svg?theme=dark`);
      expect(answer.headers.get("content-type")).toBe("image/svg+xml; charset=utf-8");
      const svg = await answer.text();
      expect(new Set(valuesOf(svg, "data-state"))).toEqual(new Set(chartOf(old).states.keys()));
      expect(new Set(valuesOf(svg, "data-edge"))).toEqual(
        new Set(["call.ringing|answered|0", "call.talking.listening||0", "call.talking|caller.left|0"]),
      );
    },
    SLOW_MS,
  );

  test("of a machine that is still the same is the one that is committed, in the theme asked for", async () => {
    const { ask } = setUp(() => Promise.reject(new Error("nothing is to be laid out")));
    const committed = await Bun.file(new URL("../../../docs/machines/call.svg", import.meta.url)).text();
    expect(await (await ask(`/${MACHINE_HASH}/call.svg`)).text()).toBe(committed);
    const light = await (await ask(`/${MACHINE_HASH}/call.svg?theme=light`)).text();
    const dark = await (await ask(`/${MACHINE_HASH}/call.svg?theme=dark`)).text();
    const withoutStyle = (svg: string): string => svg.replace(/<style>[^<]*<\/style>/, "");
    expect(withoutStyle(light)).toBe(withoutStyle(committed));
    expect(withoutStyle(dark)).toBe(withoutStyle(committed));
    expect([light, dark].map((svg) => /\.page[^}]*fill: (#\w+)/.exec(svg)?.[1])).toEqual([
      "#ffffff",
      "#0d1117",
    ]);
    expect(`${light}${dark}`).not.toContain("@media");
  });
});

describe("the making of drawings", () => {
  test("happens once for all who ask, one after the other, and what is made is kept", async () => {
    const jobs: string[] = [];
    let running = 0;
    const { charts, keepOld } = setUp(async ({ name }) => {
      expect(++running).toBe(1);
      jobs.push(name);
      await Promise.resolve();
      running--;
      return `<svg ${name}>`;
    });
    keepOld(JSON.stringify({ call: definitionOf(old), ladder: definitionOf(old) }));
    const ask = () => Promise.all(["call", "ladder", "call"].map((name) => charts.drawing(OLD_HASH, name)));
    expect(await ask()).toEqual(["<svg call>", "<svg ladder>", "<svg call>"]);
    expect(await ask()).toEqual(["<svg call>", "<svg ladder>", "<svg call>"]);
    expect(jobs).toEqual(["call", "ladder"]);
    expect(charts.counters).toEqual({ drawn: 2, failed: 0, refused: 0 });
  });

  test("refuses what would wait too long, and takes it again later", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const { ask, charts, keepOld } = setUp(() => promise);
    const names = ["a", "b", "c", "d", "e", "f"];
    keepOld(JSON.stringify(Object.fromEntries(names.map((name) => [name, definitionOf(old)]))));
    const asked = names.map((name) => ask(`/${OLD_HASH}/${name}.svg`));
    expect((await asked[5])?.status).toBe(503);
    resolve("<svg>");
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 503]);
    expect((await ask(`/${OLD_HASH}/f.svg`)).status).toBe(200);
    expect(charts.counters).toEqual({ drawn: 6, failed: 0, refused: 1 });
  });

  test("goes on for whoever asks again when it takes long", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const begun = Promise.withResolvers<undefined>();
    const { ask, charts, clock, keepOld } = setUp(() => {
      begun.resolve(undefined);
      return promise;
    });
    keepOld();
    const slow = ask(`/${OLD_HASH}/call.svg`);
    await begun.promise;
    await clock.advance(20_000);
    expect((await slow).status).toBe(503);
    resolve("<svg>");
    expect(await (await ask(`/${OLD_HASH}/call.svg`)).text()).toBe("<svg>");
    expect(charts.counters).toEqual({ drawn: 1, failed: 0, refused: 0 });
  });

  test("fails for whoever waits for it, and is tried again for the next", async () => {
    let tries = 0;
    const { ask, charts, keepOld } = setUp(() =>
      ++tries === 1 ? Promise.reject(new Error("no layout")) : Promise.resolve("<svg>"),
    );
    keepOld();
    const failed = await ask(`/${OLD_HASH}/call.svg`);
    expect([failed.status, await failed.json()]).toEqual([500, { error: "the drawing could not be made" }]);
    expect((await ask(`/${OLD_HASH}/call.svg`)).status).toBe(200);
    expect(charts.counters).toEqual({ drawn: 1, failed: 1, refused: 0 });
  });

  test("is given up after its time, and when the engine stops", async () => {
    const begun = Promise.withResolvers<undefined>();
    const ended = Promise.withResolvers<undefined>();
    const { ask, charts, clock, keepOld } = setUp((_, signal) => {
      begun.resolve(undefined);
      signal.addEventListener("abort", () => ended.resolve(undefined));
      return ended.promise.then(() => Promise.reject(new Error("ended")));
    });
    keepOld();
    const slow = ask(`/${OLD_HASH}/call.svg`);
    await begun.promise;
    await clock.advance(20_000);
    expect((await slow).status).toBe(503);
    await clock.advance(100_000);
    await ended.promise;
    charts.stop();
    expect((await ask(`/${OLD_HASH}/call.svg`)).status).toBe(503);
    expect(charts.counters).toEqual({ drawn: 0, failed: 1, refused: 1 });
  });
});
