/** The page of `bun run viz --serve`: what it is served, and how it follows the files. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { incidentMachine } from "../../../machines/incident.machine.ts";
import { chartOf } from "../../../machines/viz/graph.ts";
import type { DrawnMachine } from "../../../machines/viz/live/machines.ts";
import { type LiveServer, serveLive } from "../../../machines/viz/live/server.ts";

const RENDER = join(import.meta.dir, "../../../machines/viz/live/render.ts");
/** Draws what `one.ts` beside it says; one that it is known already is the same. */
const SCRIPT = `
import { hash } from "./one.ts";
import { size } from "./viz/draw.ts";
const known = JSON.parse(process.argv[2]);
const same = known.one === hash ? { same: true } : { svg: "<svg>" + hash + size, overview: "", states: [], edges: [] };
process.stdout.write(JSON.stringify({ name: "one", title: "One", hash, ...same }) + "\\n");
`;

interface Told {
  readonly revision: number;
  readonly busy: boolean;
  readonly problem: string | null;
}

let folder = "";
let server: LiveServer;
let reader: { read(): Promise<{ readonly value?: Uint8Array | undefined }>; cancel(): Promise<void> };
let unread = "";

/** The next that the page is told when nothing is under way. */
async function settled(): Promise<Told> {
  for (;;) {
    const end = unread.indexOf("\n\n");
    if (end === -1) {
      const { value } = await reader.read();
      unread += new TextDecoder().decode(value);
      continue;
    }
    const told = JSON.parse(unread.slice("data: ".length, end)) as Told;
    unread = unread.slice(end + 2);
    if (!told.busy && (told.revision > 0 || told.problem !== null)) return told;
  }
}

const drawn = async (): Promise<readonly DrawnMachine[]> =>
  (await (await fetch(`${server.url}machines`)).json()) as DrawnMachine[];

/** Several events may come of one change: the drawing that it leads to is waited for. */
async function untilDrawn(svg: string): Promise<Told> {
  for (;;) {
    const told = await settled();
    if (told.problem === null && (await drawn())[0]?.svg === svg) return told;
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tandem-live-"));
  mkdirSync(join(folder, "viz"));
  writeFileSync(join(folder, "one.ts"), 'export const hash = "a";');
  writeFileSync(join(folder, "viz", "draw.ts"), "export const size = 1;");
  writeFileSync(join(folder, "render.ts"), SCRIPT);
  server = serveLive({ port: 0, folder, script: join(folder, "render.ts") });
  const { body } = await fetch(`${server.url}events`);
  reader = (body as ReadableStream<Uint8Array>).getReader();
  unread = "";
});
afterEach(async () => {
  await reader.cancel();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("the live page", () => {
  test("draws at once, again when a machine changes, and all when the drawing does", async () => {
    const first = await settled();
    expect(first).toEqual({ revision: 1, busy: false, problem: null });
    expect((await drawn()).map(({ svg }) => svg)).toEqual(["<svg>a1"]);
    writeFileSync(join(folder, "one.ts"), 'export const hash = "b";');
    await untilDrawn("<svg>b1");
    writeFileSync(join(folder, "viz", "draw.ts"), "export const size = 2;");
    const last = await untilDrawn("<svg>b2");
    expect(last.revision).toBeGreaterThan(first.revision);
  });

  test("says why the machines cannot be drawn, and shows those of before until they can", async () => {
    await settled();
    writeFileSync(join(folder, "one.ts"), 'export const hash = "b" +;');
    let broken = await settled();
    while (broken.problem === null) broken = await settled();
    expect(broken.problem).toContain("one.ts");
    expect((await drawn()).map(({ svg }) => svg)).toEqual(["<svg>a1"]);
    writeFileSync(join(folder, "one.ts"), 'export const hash = "c";');
    await untilDrawn("<svg>c1");
  });

  test("is whole, strict, and asks for nothing from elsewhere", async () => {
    const page = await fetch(server.url);
    const html = await page.text();
    expect(page.headers.get("content-security-policy")).toStartWith(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
    );
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
    expect(links.length).toBeGreaterThan(3);
    for (const link of [...links, "/view.js"]) {
      const answer = await fetch(new URL(link, server.url));
      expect(link).toStartWith("/");
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toMatch(/^text\/(css|javascript); charset=utf-8$/);
      expect(await answer.text()).not.toMatch(/https?:\/\//);
    }
    expect(html).not.toMatch(/ style=|<style|onclick/);
  });

  test("answers this computer alone, by its own names, and only reads", async () => {
    expect(new URL(server.url).hostname).toBe("127.0.0.1");
    expect((await fetch(server.url, { headers: { host: "rebound.example" } })).status).toBe(403);
    expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
    expect((await fetch(`${server.url}toString`)).status).toBe(404);
    expect((await fetch(`${server.url}..%2fserver.ts`)).status).toBe(404);
  });
});

describe("the process that draws for it", () => {
  test("draws what is not known, with all that a search looks through and no style of its own", async () => {
    const hashOf = (name: string): string =>
      (
        JSON.parse(
          readFileSync(join(import.meta.dir, `../../../docs/machines/${name}.json`), "utf8"),
        ) as DrawnMachine
      ).hash;
    const names = ["call", "ladder", "page", "postcall"];
    const known = { ...Object.fromEntries(names.map((name) => [name, hashOf(name)])), incident: "another" };
    const child = Bun.spawn([process.execPath, RENDER, JSON.stringify(known)], { stdout: "pipe" });
    const lines = (await child.stdout.text()).trim().split("\n");
    const told = lines.map((line) => JSON.parse(line) as DrawnMachine & { same?: true });
    expect(told.map(({ name, same }) => [name, same])).toEqual([
      ["call", true],
      ["ladder", true],
      ["page", true],
      ["incident", undefined],
      ["postcall", true],
    ]);
    const incident = told[3];
    const chart = chartOf(incidentMachine);
    expect(incident?.states.map(({ id }) => id)).toEqual([...chart.states.keys()]);
    expect(incident?.edges.map(({ id }) => id)).toEqual(chart.transitions.map(({ key }) => key));
    expect(incident?.edges.map(({ text }) => text)).toContain("open: op.hangup / callOff");
    expect(`${incident?.svg}${incident?.overview}`).not.toContain("<style");
  }, 30_000);
});
