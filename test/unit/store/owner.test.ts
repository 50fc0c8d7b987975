import { afterAll, afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimDatabase } from "../../../adapters/store/owner.ts";

const folder = mkdtempSync(join(tmpdir(), "tandem-owner-"));
const url = `sqlite://${join(folder, "calls.db")}`;
const children: Bun.Subprocess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Another engine's process, which says whether it was alone and lives on. */
async function other(): Promise<{ readonly alone: boolean; die(): Promise<void> }> {
  const module = join(import.meta.dir, "../../../adapters/store/owner.ts");
  const script = `import { claimDatabase } from ${JSON.stringify(module)};
    const mine = claimDatabase(${JSON.stringify(url)}); console.log(mine.alone); process.stdin.resume();
    process.stdin.on("end", () => mine.release());`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe" });
  children.push(child);
  const { value } = await child.stdout.getReader().read();
  const die = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { alone: new TextDecoder().decode(value).trim() === "true", die };
}

test("who starts while another engine lives is not alone, whoever started first", async () => {
  const first = await other();
  expect(first.alone).toBe(true);
  const second = await other();
  expect(second.alone).toBe(false);
  // The first one goes; the second still has its calls when a third one starts.
  await first.die();
  const third = claimDatabase(url);
  expect(third.alone).toBe(false);
  third.release();
  // And when all have died without a word, what they left is for the next one.
  await second.die();
  const fourth = claimDatabase(url);
  expect(fourth.alone).toBe(true);
  fourth.release();
});

test("a database server, and a folder that cannot be made, are never ours alone", () => {
  expect(claimDatabase("postgres://db.example/tandem").alone).toBe(false);
  expect(claimDatabase("sqlite:///dev/null/calls.db").alone).toBe(false);
});

test("a folder that is not there yet is made, and what will be in it is ours alone", () => {
  const made = claimDatabase(`sqlite://${join(folder, "deep", "calls.db")}`);
  expect(made.alone).toBe(true);
  made.release();
});
