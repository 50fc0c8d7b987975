/** A call over real sockets, whose log is taken out, and checked and replayed with nothing but that file. */
import { afterEach, expect, test } from "bun:test";
import { copyFileSync, cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { begin, call, ended, handOver } from "../support/steps.ts";
import { CALLER, noise, ON_CALL } from "../support/world.ts";

const ROOT = join(import.meta.dir, "..", "..");
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tandem-replayed-"));
  folders.push(folder);
  return folder;
}

/** What a clone has after `bun install`, and nothing else: no database, no key, no configuration. */
function clone(): string {
  const folder = newFolder();
  for (const name of ["adapters", "engine", "machines", "bunfig.toml", "package.json", "tsconfig.json"]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** As somebody there would type it. */
async function bunRun(folder: string, ...args: string[]) {
  const env = { PATH: dirname(process.execPath) };
  const command = [process.execPath, "run", "--silent", ...args];
  const child = Bun.spawn(command, { cwd: folder, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

/** A fresh process without anything of this one's environment. */
async function run(script: "cli.ts" | "replay-cli.ts", cwd: string, ...args: string[]) {
  const child = Bun.spawn([process.execPath, join(ROOT, "engine", "audit", script), ...args], {
    cwd,
    env: {},
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, out, err };
}

test("a finished call is exported, and verified and replayed by another process from the file alone", async () => {
  const folder = newFolder();
  const world = await begin();
  const { phone, callSid } = await call(world);
  const human = await handOver(world, callSid);
  await human.speak(noise("hello", 400), "Hello.");
  human.hangUp();
  await world.until("streaming again", () => world.engine.supervisor.get(callSid)?.state === "streaming");
  phone.hangUp();
  await ended(world, callSid);
  const engine = ["--engine", world.engine.origin];
  const exported = await run("cli.ts", folder, "export", callSid, ...engine, "-o", "call.ndjson");
  expect(exported).toMatchObject({ code: 0, err: "" });
  expect(await run("replay-cli.ts", folder, callSid, ...engine)).toMatchObject({
    code: 0,
    out: expect.stringContaining(`${callSid}: agrees: `),
  });
  await world.stop();
  expect(await run("cli.ts", folder, "verify", "call.ndjson")).toMatchObject({
    code: 0,
    out: expect.stringContaining("call.ndjson: intact and closed: "),
  });
  const { code, out, err } = await run("replay-cli.ts", folder, "call.ndjson", "--trace");
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain("call.ndjson: agrees: ");
  // On a machine that has the repository and the file.
  const elsewhere = clone();
  copyFileSync(join(folder, "call.ndjson"), join(elsewhere, "from-afar.ndjson"));
  expect(await bunRun(elsewhere, "audit", "verify", "from-afar.ndjson")).toEqual({
    code: 0,
    out: expect.stringContaining("from-afar.ndjson: intact and closed: "),
    err: "",
  });
  expect(await bunRun(elsewhere, "replay", "from-afar.ndjson")).toEqual({
    code: 0,
    out: expect.stringContaining("from-afar.ndjson: agrees: "),
    err: "",
  });
  for (const state of ["streaming", "escalating", "coaching", "ended"]) {
    expect(out).toContain(`  the call is ${state}\n`);
  }
  const text = await Bun.file(join(folder, "call.ndjson")).text();
  for (const number of [CALLER, ON_CALL]) expect(text).not.toContain(number);
  // One word of it is changed: the chain says so, and it is not replayed.
  await Bun.write(join(folder, "other.ndjson"), text.replace('"muted":true', '"muted":false'));
  expect(await run("replay-cli.ts", folder, "other.ndjson")).toMatchObject({
    code: 2,
    out: expect.stringContaining("its chain is broken: changed, entry "),
  });
});
