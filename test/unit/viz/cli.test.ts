import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stale, write } from "../../../machines/viz/cli.ts";

const CLI = join(import.meta.dir, "../../../machines/viz/cli.ts");
/** Each run lays out the whole catalog, which takes a busy machine its time. */
const SLOW_MS = 120_000;
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tandem-viz-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function viz(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([process.execPath, CLI, ...args], { stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, out, err };
}

describe("bun run viz", () => {
  test(
    "writes the drawings, and ends",
    async () => {
      const drawn = await viz("--out", folder);
      expect(drawn).toMatchObject({ code: 0, err: "" });
      const names = readdirSync(folder);
      expect(names).toContain("call.svg");
      expect(names).toContain("call-overview.svg");
      expect(names).toContain("call.mmd");
      expect(names).toContain("call.json");
    },
    SLOW_MS,
  );

  test(
    "--check fails and names what is stale and nothing else, without writing",
    async () => {
      writeFileSync(join(folder, "call.mmd"), "old");
      const checked = await viz("--check", "--out", folder);
      expect(checked.code).toBe(1);
      // That all of them may be up to date `bun run viz --check` shows with those of the repository.
      expect(checked.err).toContain("call.mmd: stale");
      for (const name of readdirSync(folder))
        if (name !== "call.mmd") expect(checked.err).not.toContain(name);
      expect(await Bun.file(join(folder, "call.mmd")).text()).toBe("old");
    },
    SLOW_MS,
  );

  test(
    "--help explains itself, and an unknown option is refused by name",
    async () => {
      expect((await viz("--help")).out).toContain("--check");
      const refused = await viz("--chekc");
      expect(refused.code).toBe(2);
      expect(refused.err).toContain("--chekc");
    },
    SLOW_MS,
  );
});

describe("the check", () => {
  const files = new Map([
    ["one.svg", "1"],
    ["one.json", "{}"],
  ]);

  test("tells stale, missing and left-over drawings apart", async () => {
    const place = mkdtempSync(join(tmpdir(), "tandem-viz-"));
    try {
      expect(await stale(join(place, "absent"), files)).toEqual(["one.svg: missing", "one.json: missing"]);
      await write(place, files, () => undefined);
      expect(await stale(place, files)).toEqual([]);
      writeFileSync(join(place, "one.svg"), "2");
      writeFileSync(join(place, "gone.svg"), "");
      writeFileSync(join(place, "README.md"), "not a drawing");
      expect(await stale(place, files)).toEqual([
        "one.svg: stale",
        "gone.svg: no machine of the catalog has this drawing",
      ]);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });

  test("reports which files changed", async () => {
    const place = mkdtempSync(join(tmpdir(), "tandem-viz-"));
    try {
      await write(place, files, () => undefined);
      const lines: string[] = [];
      await write(place, new Map([...files, ["one.svg", "new"]]), (line) => lines.push(line));
      expect(lines).toEqual(["drawn      one.svg", "unchanged  one.json"]);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  });
});
