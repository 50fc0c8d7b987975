import { beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { callMachine } from "../../../machines/call.machine.ts";
import { catalog } from "../../../machines/viz/catalog.ts";
import { drawingsOf } from "../../../machines/viz/drawings.ts";
import { chartOf } from "../../../machines/viz/graph.ts";
import { layoutOf } from "../../../machines/viz/layout.ts";
import type { Layout } from "../../../machines/viz/placed.ts";
import { planOf } from "../../../machines/viz/plan.ts";
import { escape, widthOf, wrap } from "../../../machines/viz/text.ts";
import { sampler } from "./machines.ts";

const entries = [
  { name: "call", title: "A call", machine: callMachine },
  { name: "sampler", title: 'Tom & "Jerry" <3', machine: sampler },
];
/** A layout of the whole call takes a second or more of a busy machine. */
const SLOW_MS = 120_000;
/** What GitHub leaves of a page for a picture. */
const README_WIDTH = 830;
const hash = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");
let files = new Map<string, string>();

beforeAll(async () => {
  files = await drawingsOf(entries, hash);
}, SLOW_MS);

const file = (name: string): string => files.get(name) ?? "";

const unescape = (text: string): string =>
  text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

const attributes = (svg: string, name: string): Set<string> =>
  new Set([...svg.matchAll(new RegExp(`${name}="([^"]*)"`, "g"))].map((match) => unescape(match[1] ?? "")));

/** Throws unless tags are balanced and text holds no bare markup. */
function parse(svg: string): number {
  const open: string[] = [];
  let count = 0;
  const rest = svg.replace(
    /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, end, name, _a, self) => {
      count += 1;
      if (end === "/") expect(open.pop()).toBe(name);
      else if (self !== "/") open.push(name);
      return "";
    },
  );
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<]|&(?!(amp|lt|gt|quot|#39);)/);
  return count;
}

describe("a drawing", () => {
  for (const { name, machine } of entries) {
    test(`of ${name} shows every state and every transition by its key`, () => {
      const chart = chartOf(machine);
      const svg = file(`${name}.svg`);
      const states = [...chart.states.keys()];
      expect([...attributes(svg, "data-state")].toSorted()).toEqual(states.toSorted());
      const keys = chart.transitions.map(({ key }) => key);
      expect([...attributes(svg, "data-edge")].toSorted()).toEqual(keys.toSorted());
    });

    test(`of ${name} is well-formed, also in its overview`, () => {
      expect(parse(file(`${name}.svg`))).toBeGreaterThan(50);
      expect(parse(file(`${name}-overview.svg`))).toBeGreaterThan(20);
    });

    test(`of ${name} has an overview with each top-level state and each way between them`, () => {
      const chart = chartOf(machine);
      const svg = file(`${name}-overview.svg`);
      expect([...attributes(svg, "data-state")]).toEqual(chart.root.children.map(({ id }) => id));
      const top = (id: string): string => chart.states.get(id)?.path[0] ?? "";
      const between = chart.transitions.filter(({ source, targets }) =>
        targets.some((target) => top(target) !== top(source)),
      );
      expect([...attributes(svg, "data-edge")].toSorted()).toEqual(between.map(({ key }) => key).toSorted());
    });
  }

  test(
    "is the same, byte for byte, on each run",
    async () => {
      expect(await drawingsOf(entries, hash)).toEqual(files);
    },
    SLOW_MS,
  );

  test("of every machine is legible where a README shows it", () => {
    const folder = join(import.meta.dir, "../../../docs/machines");
    const drawn = readdirSync(folder).filter((name) => name.endsWith(".svg"));
    const overviews = catalog.filter(({ overview }) => overview !== false);
    expect(drawn.length).toBe(catalog.length + overviews.length);
    for (const name of drawn) {
      const svg = readFileSync(join(folder, name), "utf8");
      const width = Number(/ width="([\d.]+)"/.exec(svg)?.[1]);
      const sizes = [...svg.matchAll(/font-size: ([\d.]+)px/g)].map((match) => Number(match[1]));
      const shown = Math.min(...sizes) * Math.min(1, README_WIDTH / width);
      expect({ name, legible: shown >= 9 }).toEqual({ name, legible: true });
    }
  });

  test("borders ends doubly and regions with dashes", () => {
    const svg = file("sampler.svg");
    const of = (id: string): string =>
      svg.slice(svg.indexOf(`data-state="${id}"`), svg.indexOf("</g>", svg.indexOf(`data-state="${id}"`)));
    expect(of("sampler.won").match(/<rect/g)).toHaveLength(2);
    expect(of("sampler.idle").match(/<rect/g)).toHaveLength(1);
    expect(svg).toContain('class="state compound region" data-state="sampler.busy.left"');
    expect(svg).toContain('class="state parallel" data-state="sampler.busy"');
    expect(svg.match(/class="dot"/g)).toHaveLength(3);
  });

  test("brings its own light and dark colours, and nothing from outside", () => {
    for (const name of ["call.svg", "call-overview.svg"]) {
      expect(file(name)).toContain("@media (prefers-color-scheme: dark)");
      expect(file(name)).not.toMatch(/@import|url\(|href=|<script|<image/);
    }
  });

  test("escapes what XML must not hold", () => {
    const svg = file("sampler.svg");
    expect(svg).toContain("<title>sampler: Tom &amp; &quot;Jerry&quot; &lt;3</title>");
    expect(svg).toContain('data-edge="sampler.idle|a&lt;b&gt;&amp;&#39;c&#39;|0"');
    expect(escape("a\u0000b\u001bc\nd")).toBe("a b c\nd");
  });

  test("carries the hash of what the machine is", async () => {
    const json = JSON.parse(file("call.json")) as { hash: string; config: object };
    expect(file("call.svg")).toContain(`data-hash="${json.hash}"`);
    expect(json.hash).toBe(hash(JSON.stringify(json.config)));
    const renamed = await drawingsOf([{ ...entries[1]!, title: "Other" }], hash);
    const now = JSON.parse(renamed.get("sampler.json") ?? "{}") as { hash: string };
    expect(now.hash).toBe((JSON.parse(file("sampler.json")) as { hash: string }).hash);
  });
});

/** Boxes and labels that lie on each other, and labels that lie beside their lines. */
function flaws({ boxes, edges }: Layout): string[] {
  const leaves = boxes
    .filter(({ box }) => box.state.children.length === 0)
    .map(({ x, y, width, height, box }) => ({
      name: box.state.id,
      x,
      y,
      right: x + width,
      bottom: y + height,
    }));
  const labels = edges.flatMap(({ label, transitions, points }) => {
    if (!label) return [];
    const { x, y, block } = label;
    const name = transitions.map(({ key }) => key).join();
    return [{ name, x, y, right: x + block.width, bottom: y + block.height, points }];
  });
  const all = [...leaves, ...labels];
  const pairs = all.flatMap((a, index) =>
    all
      .slice(index + 1)
      .filter((b) => a.x < b.right && b.x < a.right && a.y < b.bottom && b.y < a.bottom)
      .map((b) => `${a.name} lies on ${b.name}`),
  );
  const lost = labels.filter(
    ({ points, x, y, right, bottom }) =>
      !points.some((to, index) => {
        const from = points[index - 1] ?? to;
        const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
        return left <= right && Math.max(from.x, to.x) >= x && top <= bottom && Math.max(from.y, to.y) >= y;
      }),
  );
  return [...pairs, ...lost.map(({ name }) => `${name} is not on its line`)];
}

describe("a layout", () => {
  test(
    "puts no box or label on another, and each label on its line",
    async () => {
      for (const { machine } of entries) {
        const chart = chartOf(machine);
        const plan = planOf(chart);
        for (const panel of plan.panels) {
          for (const width of [400, 780]) {
            expect(flaws(await layoutOf(chart, plan, panel, width))).toEqual([]);
          }
        }
      }
    },
    SLOW_MS,
  );

  test("leaves no handler behind that keeps a process alive", () => {
    expect((globalThis as { onmessage?: unknown }).onmessage ?? null).toBeNull();
  });

  test("wraps words, and identifiers at their joints, to the width asked for", () => {
    const lines = wrap("someVeryLongIdentifier.withParts and words", 10, 70);
    expect(lines.join(" ").replaceAll(/\s/g, "")).toBe("someVeryLongIdentifier.withPartsandwords");
    expect(lines.length).toBeGreaterThan(3);
    for (const line of lines) expect(widthOf(line, 10)).toBeLessThanOrEqual(70);
  });
});

describe("the Mermaid text", () => {
  test("has an edge, a note or a comment for every transition", () => {
    const chart = chartOf(sampler);
    const text = file("sampler.mmd");
    expect(text.startsWith('---\ntitle: "Tom')).toBe(true);
    expect(text).toContain("stateDiagram-v2");
    for (const { event, guard } of chart.transitions) {
      if (event !== null) expect(text).toContain(event.replace("a<b>", "a‹b›"));
      if (guard) expect(text).toContain(guard.name);
    }
    expect(text).toContain("sampler_won --> [*]");
    expect(text).toContain("\n    --\n");
  });

  test("never ends a label early", () => {
    for (const line of file("call.mmd").split("\n")) {
      const label = / --> \w+ : (.*)$/.exec(line)?.[1] ?? "";
      expect(label).not.toMatch(/[:;#]/);
    }
  });
});
