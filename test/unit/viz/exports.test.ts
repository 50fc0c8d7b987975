/** What other tools are given is the same machine: each format is read back and compared with it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AnyStateMachine, createActor, createMachine } from "xstate";
import { catalog } from "../../../machines/viz/catalog.ts";
import { exportsOf } from "../../../machines/viz/exports.ts";
import { type Chart, chartOf } from "../../../machines/viz/graph.ts";
import { scxmlOf } from "../../../machines/viz/scxml.ts";
import { importableOf, sourceOf } from "../../../machines/viz/source.ts";
import { recorder, sampler } from "./machines.ts";
import { elementsOf, parseXml, type XmlElement } from "./xml.ts";

const ROOT = join(import.meta.dir, "../../..");
const CLI = join(ROOT, "machines/viz/cli.ts");
const all: readonly { readonly name: string; readonly machine: AnyStateMachine }[] = [
  ...catalog,
  { name: "sampler", machine: sampler },
  { name: "recorder", machine: recorder },
];
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tandem-exports-"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const heading = (name: string) => ({ name, title: `The ${name} --> & <all> */`, hash: "abc" });

/** The order in which a state tells of its events is no matter. */
function sorted({ root, transitions, states, parents }: Chart) {
  return {
    root: root.id,
    parents: [...parents],
    states: [...states.values()].map((state) => ({ ...state, transitions: [], children: [] })),
    transitions: transitions.toSorted((a, b) => (a.key < b.key ? -1 : 1)),
  };
}

describe("the source", () => {
  for (const { name, machine } of all) {
    test(`of ${name} is imported as a machine with the same states and edges`, async () => {
      const file = join(folder, `${name}.machine.ts`);
      writeFileSync(file, sourceOf(chartOf(machine), heading(name)));
      const { machine: imported } = (await import(file)) as { machine: AnyStateMachine };
      expect(sorted(chartOf(imported))).toEqual(sorted(chartOf(machine)));
      const actor = createActor(imported).start();
      expect(actor.getSnapshot().status).toBe("active");
      actor.stop();
    });

    test(`of ${name} as JSON is the same machine again`, () => {
      const config = JSON.parse(JSON.stringify(importableOf(chartOf(machine).root))) as object;
      expect(sorted(chartOf(createMachine(config)))).toEqual(sorted(chartOf(machine)));
    });
  }

  test("runs by its names once they are filled in", async () => {
    const file = join(folder, "filled.machine.ts");
    writeFileSync(file, sourceOf(chartOf(sampler), heading("sampler")));
    const { machine } = (await import(file)) as { machine: AnyStateMachine };
    const actor = createActor(
      machine.provide({ guards: { "and(isReady, not(isOld))": () => true } }),
    ).start();
    actor.send({ type: "go" });
    expect(actor.getSnapshot().value).toEqual({ busy: { left: "one", right: "fetch" } });
    actor.stop();
  });
});

/** What W3C's SCXML 1.0 allows of the elements that are used: attributes, and elements inside. */
const EXECUTABLE = ["script", "send", "cancel"];
const STATES = ["state", "parallel", "final", "history"];
const ALLOWED: Readonly<Record<string, { readonly attributes: string[]; readonly inside: string[] }>> = {
  scxml: { attributes: ["xmlns", "version", "datamodel", "name", "initial"], inside: STATES },
  state: { attributes: ["id", "initial"], inside: [...STATES, "onentry", "onexit", "transition", "invoke"] },
  parallel: {
    attributes: ["id"],
    inside: ["state", "parallel", "history", "onentry", "onexit", "transition", "invoke"],
  },
  final: { attributes: ["id"], inside: ["onentry", "onexit"] },
  history: { attributes: ["id", "type"], inside: ["transition"] },
  transition: { attributes: ["event", "cond", "target", "type"], inside: EXECUTABLE },
  onentry: { attributes: [], inside: EXECUTABLE },
  onexit: { attributes: [], inside: EXECUTABLE },
  invoke: { attributes: ["type", "src", "id"], inside: [] },
  script: { attributes: [], inside: [] },
  send: { attributes: ["event", "id", "delay", "delayexpr"], inside: [] },
  cancel: { attributes: ["sendid"], inside: [] },
};

describe("the SCXML", () => {
  for (const { name, machine } of all) {
    const chart = chartOf(machine);
    const read = (): XmlElement => parseXml(scxmlOf(chart, heading(name)));

    test(`of ${name} is a document of SCXML 1.0`, () => {
      const document = read();
      const ids = new Set<string>();
      for (const { tag, attributes, children } of elementsOf(document)) {
        const allowed = ALLOWED[tag];
        expect(allowed?.attributes).toEqual(expect.arrayContaining(Object.keys(attributes)));
        for (const child of children) expect(allowed?.inside).toContain(child.tag);
        const { id } = attributes;
        if (id === undefined) continue;
        expect(id).toMatch(/^[A-Za-z_][\w.-]*$/);
        if (tag !== "send") expect(ids).not.toContain(id);
        ids.add(id);
      }
      for (const { tag, attributes, children } of elementsOf(document)) {
        const named = [attributes["target"], attributes["initial"], attributes["sendid"]]
          .join(" ")
          .split(" ");
        for (const id of named) if (id !== "") expect(ids).toContain(id);
        if (tag === "history") expect(children.map((child) => child.tag)).toEqual(["transition"]);
        if (tag === "transition")
          expect(Object.keys(attributes).filter((key) => key !== "type")).not.toEqual([]);
      }
    });

    test(`of ${name} has its states, where they are and how they begin`, () => {
      const found = elementsOf(read())
        .filter(({ tag }) => STATES.includes(tag))
        .map(({ tag, attributes, parent }) => [
          attributes["id"],
          tag,
          attributes["initial"],
          parent?.attributes["id"],
        ]);
      const tags = {
        atomic: "state",
        compound: "state",
        parallel: "parallel",
        final: "final",
        history: "history",
      };
      expect(found).toEqual(
        [...chart.states.values()].map(({ id, type, initial }) => [
          id,
          tags[type],
          initial ?? undefined,
          chart.parents.get(id),
        ]),
      );
    });

    test(`of ${name} has its transitions in order, with what they do`, () => {
      const found = elementsOf(read())
        .filter(({ tag, parent }) => tag === "transition" && parent?.tag !== "history")
        .map(({ attributes, children, parent }) => ({
          source: parent?.attributes["id"],
          waits: attributes["event"] !== undefined,
          guarded: attributes["cond"] !== undefined,
          targets: attributes["target"]?.split(" ") ?? [],
          actions: children.map(({ text }) => text.replace(/\(.*$/, "")),
        }));
      expect(found.length).toBeGreaterThan(1);
      expect(found).toEqual(
        [...chart.states.values()]
          .filter(({ type }) => type !== "final")
          .flatMap(({ transitions }) => transitions)
          .map(({ source, event, guard, targets, actions }) => ({
            source,
            waits: event !== null,
            guarded: guard !== null,
            targets: [...targets],
            actions: actions.map((action) => (/^\w+$/.test(action.name) ? action.name : expect.any(String))),
          })),
      );
    });
  }

  test("writes what XState generates as SCXML knows it", () => {
    const text = scxmlOf(chartOf(sampler), heading("sampler"));
    expect(text).toContain('<transition event="done.state.sampler.busy" target="sampler.won"/>');
    expect(text).toContain('<invoke type="xstate" src="fetching" id="sampler.busy.right.fetch-load"/>');
    expect(text).toContain(
      '<transition event="done.invoke.sampler.busy.right.fetch-load" target="sampler.busy.right.got"/>',
    );
    expect(text).toContain(
      '<send event="xstate.after.5000.sampler.idle" id="xstate.after.5000.sampler.idle" delay="5000ms"/>',
    );
    expect(text).toContain('cond="above({&quot;limit&quot;:3})"');
    const other = scxmlOf(chartOf(recorder), heading("recorder"));
    expect(other).toContain(
      '<history id="recorder.work.last" type="deep">\n        <transition target="recorder.work.a recorder.work.b"/>',
    );
    expect(other).toContain('target="recorder.work.a.two recorder.work.b"');
    expect(other).toContain('delayexpr="soon"');
  });
});

async function viz(...args: string[]) {
  const child = Bun.spawn([process.execPath, CLI, ...args], { stdout: "pipe", stderr: "pipe", cwd: ROOT });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

describe("bun run viz --export", () => {
  test("writes every machine in every format, and nothing of any call", async () => {
    const place = join(folder, "all");
    expect(await viz("--export", place)).toMatchObject({ code: 0, err: "" });
    const endings = [".json", ".machine.ts", ".mmd", ".scxml"];
    const names = catalog.flatMap(({ name }) => endings.map((ending) => name + ending));
    expect(readdirSync(place).toSorted()).toEqual(names.toSorted());
    expect(readFileSync(join(place, "call.mmd"), "utf8")).toBe(
      readFileSync(join(ROOT, "docs/machines/call.mmd"), "utf8"),
    );
  });

  test("makes a recorded call ready for an inspector only when both are asked for by name", async () => {
    const place = join(folder, "inspect");
    const log = join(ROOT, "test/corpus/escalation-none.ndjson");
    for (const args of [
      ["--format", "inspect"],
      ["--log", log],
      ["--format", "json", "--log", log],
    ]) {
      const refused = await viz("--export", place, ...args);
      expect(refused).toMatchObject({ code: 2, out: "" });
      expect(refused.err).toContain("--log");
    }
    expect(await viz("--export", place, "--format", "pdf")).toMatchObject({ code: 2 });
    expect(await viz("--export", place, "--format", "inspect", "--log", log)).toMatchObject({ code: 1 });
    const real = join(ROOT, "test/corpus/coach.ndjson");
    const made = await viz("--export", place, "--format", "inspect", "--log", real);
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toContain("look at it before you give it away");
    expect(readdirSync(place)).toEqual(["inspect.ndjson"]);
  });

  test("takes no charts that are none", () => {
    const options = { formats: ["inspect"], log: "", charts: '{"machines":{}}' } as const;
    expect(() => exportsOf(options, String)).toThrow("the charts are not what");
  });
});
