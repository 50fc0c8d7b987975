import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimDatabase } from "../../../adapters/store/owner.ts";

test("a database belongs to one living process at a time", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tandem-owner-"));
  const url = `sqlite://${join(folder, "calls.db")}`;
  const other = Bun.spawn(["sleep", "60"]);
  const theirs = claimDatabase(url, other.pid);
  expect(theirs.alone).toBe(true);
  expect(claimDatabase(url, process.pid).alone).toBe(false);
  other.kill("SIGKILL");
  await other.exited;
  // It died without a word: what it left is for the next one.
  const ours = claimDatabase(url, process.pid);
  expect(ours.alone).toBe(true);
  theirs.release();
  expect(existsSync(join(folder, "calls.db.pid"))).toBe(true);
  ours.release();
  expect(existsSync(join(folder, "calls.db.pid"))).toBe(false);
  rmSync(folder, { recursive: true });
});

test("a database server, and a folder that is not there, are never ours alone", () => {
  expect(claimDatabase("postgres://db.example/tandem", process.pid).alone).toBe(false);
  expect(claimDatabase("sqlite:///no/such/folder/calls.db", process.pid).alone).toBe(false);
});
