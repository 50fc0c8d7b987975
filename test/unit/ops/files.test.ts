/** The container file and the systemd unit say what is so: versions, paths, times, and what an engine needs. */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, normalize, relative } from "node:path";
import { Glob } from "bun";
import { deploymentSchema } from "../../../engine/config/deployment.ts";
import { startFakeEngine } from "../../support/fake-ports.ts";

const ROOT = join(import.meta.dir, "../../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const container = read("ops/container/Containerfile");
const unit = read("ops/systemd/tandem.service");
const manifest = JSON.parse(read("package.json")) as {
  readonly engines: { readonly bun: string };
  readonly dependencies: Readonly<Record<string, string>>;
};
const folder = mkdtempSync(join(tmpdir(), "tandem-ops-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What is copied out of the repository. */
const copied = [...container.matchAll(/^COPY (?!--from)(.+)$/gm)].flatMap(([, words = ""]) =>
  words.split(" ").slice(0, -1),
);
const sources = [...new Glob("{engine,machines,adapters}/**/*.{ts,tsx}").scanSync({ cwd: ROOT })];

function instruction(name: string): string {
  return new RegExp(`^${name} ([^\\n]+)$`, "m").exec(container)?.[1] ?? "";
}

function setting(name: string): string {
  return new RegExp(`^${name}=(.*)$`, "m").exec(unit)?.[1] ?? "";
}

/** From SIGTERM until an engine has ended at the latest: its own limits, one after the other. */
function longestStopMs(): number {
  const source = read("engine/engine.ts");
  const limit = (name: string): number =>
    Number(new RegExp(`^const ${name} = ([\\d_]+);`, "m").exec(source)?.[1]?.replaceAll("_", ""));
  const { drainMs } = deploymentSchema.parse({}).limits;
  return drainMs + limit("ENDING_LIMIT_MS") + limit("RECORDINGS_LIMIT_MS");
}

describe("the container file", () => {
  test("has the Bun that package.json asks for", () => {
    expect(/bun@(\S+)/.exec(container)?.[1]).toBe(manifest.engines.bun);
  });

  test("copies what is there, and lets nothing else of a work tree in", () => {
    expect(copied.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    const allowed = read(".dockerignore")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(allowed[0]).toBe("*");
    expect(allowed.slice(1).toSorted()).toEqual(copied.map((path) => `!${path}`).toSorted());
  });

  test("copies all that the engine reads beside its imports", () => {
    const used = sources.flatMap((file) =>
      [...read(file).matchAll(/new URL\("(\.[^"]+)"/g)].map(([, path = ""]) =>
        relative(ROOT, normalize(join(ROOT, dirname(file), path))),
      ),
    );
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((path) => !copied.some((each) => `${path}/`.startsWith(`${each}/`)))).toEqual([]);
  });

  test("installs every package that an engine imports", () => {
    const packages = sources
      .filter((file) => !file.includes("/app/") && !file.includes("/web/"))
      .flatMap((file) => [...read(file).matchAll(/\bfrom "([@a-z][^"]*)";$/gm)])
      .map(([, name = ""]) => name.split("/", name.startsWith("@") ? 2 : 1).join("/"))
      .filter((name) => !/^(node|bun)(:|$)/.test(name));
    expect(new Set(packages).size).toBeGreaterThan(3);
    expect([...new Set(packages)].filter((name) => !(name in manifest.dependencies))).toEqual([]);
  });

  test("runs the engine as nobody special, with its data on the volume", () => {
    expect(instruction("USER")).toMatch(/^[1-9]\d+$/);
    expect(instruction("ENV")).toContain(`DATABASE_URL=sqlite://${instruction("VOLUME")}/`);
    expect(JSON.parse(instruction("ENTRYPOINT"))).toEqual(["bun", "engine/main.ts"]);
    expect(existsSync(join(ROOT, "engine/main.ts"))).toBe(true);
  });

  test("is told to be stopped with time enough", () => {
    const stopS = Number(/--stop-timeout (\d+)/.exec(container)?.[1]);
    expect(stopS * 1000).toBeGreaterThan(longestStopMs());
  });

  test("finds out whether an engine is alive", async () => {
    const [, words = ""] = /^ {2}CMD (\[.+\])$/m.exec(container) ?? [];
    const [, ...rest] = JSON.parse(words) as string[];
    const health = async (port: number) =>
      await Bun.spawn([process.execPath, ...rest], { env: { PORT: String(port) }, stderr: "ignore" }).exited;
    const { engine, stop } = startFakeEngine();
    expect(await health(engine.port)).toBe(0);
    await stop();
    expect(await health(engine.port)).not.toBe(0);
  });
});

describe("the systemd unit", () => {
  test("runs the engine, and gives it time to stop and no end of tries", () => {
    const [program = "", script = ""] = setting("ExecStart").split(" ");
    expect([program, existsSync(join(ROOT, script))]).toEqual(["/usr/local/bin/bun", true]);
    expect(Number(setting("TimeoutStopSec")) * 1000).toBeGreaterThan(longestStopMs());
    expect([setting("Restart"), setting("StartLimitIntervalSec")]).toEqual(["always", "0"]);
  });

  test("keeps the database in the folder of its state", () => {
    const state = `/var/lib/${setting("StateDirectory")}`;
    expect(unit).toContain(`\nEnvironment=DATABASE_URL=sqlite://${state}/`);
    expect(setting("ProtectSystem")).toBe("strict");
  });

  test.if(Bun.which("systemd-analyze") !== null)("is one for systemd itself", () => {
    // The program is where the documentation puts it, which is not on every machine.
    const here = join(folder, "tandem.service");
    writeFileSync(here, unit.replace("/usr/local/bin/bun", process.execPath));
    const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", here]);
    expect([exitCode, stderr.toString()]).toEqual([0, ""]);
  });
});
