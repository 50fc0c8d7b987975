/** Where and on what a result came about: without this a figure says nothing. */
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";

export interface Host {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly bun: string;
  /** Some peers run on it; `none` where there is no Node. */
  readonly node: string;
  /** Short hash, with `+` after it when the tree had changes of its own; `unknown` outside a repository. */
  readonly commit: string;
  /** Load average of the last minute when the run began: what else the machine was doing. */
  readonly load: number;
}

const ROOT = join(import.meta.dir, "..");

export function readHost(): Host {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() || "unknown",
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    bun: Bun.version,
    node: output("node", "--version")?.replace(/^v/, "") ?? "none",
    commit: commit(),
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

function commit(): string {
  const hash = git("rev-parse", "--short", "HEAD");
  if (hash === null) return "unknown";
  // The result of an earlier run is no change of what is measured.
  const written = ["README.md", "bench/RESULTS.md", "bench/results.json", "bench/pictures"];
  const results = written.map((path) => `:(exclude)${path}`);
  const changes = git("status", "--porcelain", "--", ".", ...results);
  return changes === "" ? hash : `${hash}+`;
}

function git(...args: string[]): string | null {
  return output("git", ...args);
}

function output(...command: string[]): string | null {
  try {
    const done = Bun.spawnSync(command, { cwd: ROOT, stdin: "ignore", stderr: "ignore" });
    return done.success ? done.stdout.toString().trim() : null;
  } catch {
    return null;
  }
}
