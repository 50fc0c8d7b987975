/** The commands as processes of their own, with the environment that an engine has. */
import { afterEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  CALLER,
  keepCall,
  KEY,
  newFolder,
  NEXT_KEY,
  openKept,
  recordedBytes,
  removeFolders,
  sidOf,
} from "../unit/privacy/kept.ts";

const MAIN = new URL("../../engine/main.ts", import.meta.url).pathname;

afterEach(removeFolders);

async function run(folder: string, argv: readonly string[], env: Readonly<Record<string, string>>) {
  const child = Bun.spawn([process.execPath, MAIN, ...argv], {
    env: {
      PATH: Bun.env["PATH"] ?? "",
      HOME: folder,
      DATABASE_URL: `sqlite://${join(folder, "t.db")}`,
      ...env,
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

const databasesIn = (folder: string) => readdirSync(folder).filter((name) => name.startsWith("t.db"));

test("a key is rotated and a caller erased from the command line, beside a store that is open", async () => {
  const folder = newFolder();
  const engine = await openKept(folder);
  const audio = { bytes: 800, pieces: () => [new Uint8Array(800).fill(0x55)] };
  keepCall(engine, 1);
  await engine.recordings.save(sidOf(1), "coach", audio);
  keepCall(engine, 2, { protected: { ...keepCall(engine, 3).protected, from: "+15550143" } });
  await engine.store.flush();
  const next = { TANDEM_ENCRYPTION_KEY: Buffer.from(NEXT_KEY).toString("base64") };
  const both = { ...next, TANDEM_ENCRYPTION_KEY_PREVIOUS: KEY.toHex() };
  const rewrapped = await run(folder, ["rewrap"], both);
  expect(rewrapped).toMatchObject({ code: 0, err: "" });
  expect(rewrapped.out).toContain("3 keys of calls and 3 rows");
  const erased = await run(folder, ["erase", "--caller", CALLER], next);
  expect(erased).toMatchObject({ code: 0, err: "" });
  expect(erased.out.trim().split("\n")).toEqual([
    `${sidOf(1)}: erased, 1 recording removed`,
    `${sidOf(3)}: erased`,
  ]);
  await engine.store.close();
  const later = await openKept(folder, { key: NEXT_KEY });
  expect((await later.store.getCall(sidOf(1)))?.protected.from).toBe("[erased]");
  expect(await recordedBytes(later, 1)).toBeNull();
  expect((await later.store.getCall(sidOf(2)))?.protected.from).toBe("+15550143");
  await later.store.close();
  const wrong = await run(folder, ["erase", "--call", "CA1"], next);
  expect(wrong.code).toBe(2);
  expect(wrong.err).toContain("--call");
});

test("a key is not said to hold anything when there is none, and no database is made where a path is wrong", async () => {
  const folder = newFolder();
  const key = { TANDEM_ENCRYPTION_KEY: KEY.toHex() };
  for (const argv of [["rewrap"], ["erase", "--caller", CALLER]]) {
    expect(await run(folder, argv, key)).toMatchObject({ code: 2, out: "" });
  }
  expect(databasesIn(folder)).toEqual([]);
  const kept = await openKept(folder);
  keepCall(kept, 1);
  await kept.store.close();
  const without = await run(folder, ["rewrap"], {});
  expect(without).toMatchObject({ code: 2, out: "" });
  expect(without.err).toContain("TANDEM_ENCRYPTION_KEY: is not set");
});

test("help and words that are no command do nothing else", async () => {
  const folder = newFolder();
  for (const argv of [["--help"], ["rewrap", "--help"]]) {
    expect(await run(folder, argv, {})).toMatchObject({ code: 0, err: "" });
  }
  const wrong = await run(folder, ["bakcup", "b.db"], {});
  expect(wrong).toMatchObject({ code: 2, out: "" });
  expect(wrong.err).toContain("bakcup: is not a command\n    fix: use preflight, backup,");
  expect(databasesIn(folder)).toEqual([]);
});
