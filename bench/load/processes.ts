/** Child processes of a benchmark: started on a core of their own, watched in `/proc`, and always ended. */
import { readFileSync, readdirSync } from "node:fs";
import { cpus } from "node:os";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Subprocess } from "bun";
import { InvariantError, errorText } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { onCore } from "../cores.ts";

/** Everything on one core, the generator on the other. */
export const SYSTEM_CORE = 0;
export const GENERATOR_CORE = 1;
/** Between SIGTERM and SIGKILL. */
const END_LIMIT_MS = 5_000;
/** `/proc/PID/stat` counts in these, on every Linux. */
const TICKS_PER_S = 100;
const MAX_SAID = 40;

const live = new Set<Child>();
let watching = false;

/** Whatever ends this process ends what it started. */
function watch(child: Child): void {
  live.add(child);
  if (watching) return;
  watching = true;
  const endAll = (): void => {
    for (const each of live) each.kill();
  };
  process.on("exit", endAll);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.once(signal, () => {
      endAll();
      process.exit(1);
    });
  }
}

/** A command that runs on one core, and that the kernel ends when this process is killed outright. */
function contained(command: readonly string[], core: number): string[] {
  const pinned = onCore(canPin() ? core : null, command);
  return Bun.which("setpriv") === null ? pinned : ["setpriv", "--pdeathsig", "KILL", ...pinned];
}

/** Whether children are kept apart: it needs two cores and a `taskset`. */
export function canPin(): boolean {
  return cpus().length >= 2 && Bun.which("taskset") !== null;
}

export const PINNING_NOTE = canPin()
  ? `system under test on core ${SYSTEM_CORE}, load generator on core ${GENERATOR_CORE}`
  : "not pinned: this needs two cores and taskset, so generator and system under test disturb each other";

export class Child {
  readonly #process: Subprocess<"pipe", "pipe", "inherit" | "ignore" | Bun.BunFile>;
  readonly #lines: AsyncIterator<string>;
  /** The last lines that were no answer, for when it ends before its time. */
  readonly #said: string[] = [];

  constructor(options: {
    readonly command: readonly string[];
    readonly core: number;
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
    readonly stderr?: "inherit" | "ignore" | Bun.BunFile;
  }) {
    this.#process = Bun.spawn(contained(options.command, options.core), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: options.stderr ?? "inherit",
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const input = Readable.fromWeb(this.#process.stdout as never);
    this.#lines = createInterface({ input })[Symbol.asyncIterator]();
    watch(this);
    void this.#process.exited.then(() => live.delete(this));
  }

  get pid(): number {
    return this.#process.pid;
  }

  write(line: string): void {
    void this.#process.stdin.write(`${line}\n`);
    void this.#process.stdin.flush();
  }

  /** The next line that `wanted` finds something in. Rejects when the process ends, or time is up. */
  async line<T>(what: string, limitMs: number, wanted: (line: string) => T | null): Promise<T> {
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      timer = systemClock.setTimeout(
        () => reject(new InvariantError(`waited ${limitMs} ms for ${what}`)),
        limitMs,
      );
    });
    try {
      for (;;) {
        const next = await Promise.race([this.#lines.next(), late]);
        if (next.done) {
          const said = this.#said.length === 0 ? "" : `; it said: ${this.#said.join(" | ")}`;
          throw new InvariantError(`the process ended before ${what}${said}`);
        }
        const found = wanted(next.value);
        if (found !== null) return found;
        if (this.#said.push(next.value) > MAX_SAID) this.#said.shift();
      }
    } finally {
      systemClock.clearTimeout(timer);
    }
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  /** Asks it to end, makes it, and waits until it is gone. */
  async stop(limitMs = END_LIMIT_MS): Promise<void> {
    this.#process.kill("SIGTERM");
    const timer = systemClock.setTimeout(() => this.kill(), limitMs);
    await this.#process.exited;
    systemClock.clearTimeout(timer);
  }

  /** Processor time so far in µs, of all threads. */
  cpuUs(): number {
    const stat = procFile(this.pid, "stat");
    // The name in parentheses may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_S;
  }

  /** Resident memory in bytes. */
  rssBytes(): number {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(procFile(this.pid, "status"))?.[1] ?? 0) * 1024;
  }

  descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }
}

function procFile(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "latin1");
  } catch (error) {
    throw new InvariantError(`what a process costs is read from Linux's /proc: ${errorText(error)}`);
  }
}
