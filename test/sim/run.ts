/**
 * `bun run test:sim --worlds N --seed S`: simulated worlds, on all cores; with `--crashes` such in which engines
 * end and others go on. Prints what was reached; a world that
 * breaks a rule is made as small as possible and printed with its seed, the commit and its last events.
 */
import { argsOf } from "../support/usage.ts";
import { crashPlanOf } from "./crash-draw.ts";
import { planOf } from "./draw.ts";
import type { Plan } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";
import { warmUp } from "./world.ts";
import { runWorlds, seedsOf } from "./worlds.ts";

const USAGE = `bun run test:sim: simulated worlds, each a call with its faults, on all cores

  --worlds N   how many (1000)
  --seed S     the first of their seeds (1)
  --crashes    engines end, and others go on
  --plan JSON  a plan instead of seeds, as a world that broke a rule printed it
  --jobs N     processes (one a core)
  --help       this text
`;

const values = argsOf(USAGE, {
  worlds: { type: "string", default: "1000" },
  seed: { type: "string", default: "1" },
  crashes: { type: "boolean", default: false },
  plan: { type: "string" },
  jobs: { type: "string", default: String(navigator.hardwareConcurrency) },
  /** Which of the jobs this process is; set by the process that starts them. */
  job: { type: "string" },
});

const EVENTS_SHOWN = 80;
const draw = values.crashes ? crashPlanOf : planOf;

/** What one job tells. */
interface Report {
  readonly worlds: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly cpuMs: number;
  readonly reached: readonly (readonly [string, number])[];
  readonly failed: number;
  readonly seeds: readonly number[];
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function runJob(job: number, jobs: number): Report {
  const tally = runWorlds(seedsOf(Number(values.seed), Number(values.worlds), job, jobs), {
    draw,
    stopAt: 20,
  });
  const { user, system } = process.cpuUsage();
  const { worlds, virtualMs, events, reached, failed, failures } = tally;
  const seeds = failures.map(({ seed }) => seed);
  return { worlds, virtualMs, events, cpuMs: (user + system) / 1000, reached: [...reached], failed, seeds };
}

async function startJob(job: number, jobs: number): Promise<Report> {
  const { worlds, seed } = values;
  const args = ["--worlds", worlds, "--seed", seed, "--jobs", String(jobs), "--job", String(job)];
  if (values.crashes) args.push("--crashes");
  const child = Bun.spawn([process.execPath, import.meta.path, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`job ${job} ended with ${child.exitCode}`);
  return JSON.parse(text) as Report;
}

async function runAll(jobs: number): Promise<boolean> {
  const started = Bun.nanoseconds();
  const reports = await Promise.all(Array.from({ length: jobs }, (_, job) => startJob(job, jobs)));
  const seconds = (Bun.nanoseconds() - started) / 1e9;
  const sum = (of: (report: Report) => number): number =>
    reports.reduce((total, each) => total + of(each), 0);
  const worlds = sum((each) => each.worlds);
  const virtualS = sum((each) => each.virtualMs) / 1000;
  const cpuMs = sum((each) => each.cpuMs);
  const reached = new Map<string, number>();
  for (const [what, count] of reports.flatMap((each) => each.reached)) {
    reached.set(what, (reached.get(what) ?? 0) + count);
  }
  for (const [what, count] of [...reached].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    print(`${String(count).padStart(8)}  ${what}`);
  }
  print(
    `${worlds} worlds ${values.crashes ? "with crashes " : ""}from seed ${values.seed} in ${seconds.toFixed(1)} s: ${(virtualS / 3600).toFixed(1)} hours of calls, ` +
      `${(cpuMs / worlds).toFixed(1)} ms of CPU a world, ${((cpuMs * 1000) / virtualS).toFixed(0)} µs a second of call`,
  );
  const seeds = reports.flatMap((each) => each.seeds).toSorted((a, b) => a - b);
  const [seed] = seeds;
  if (seed === undefined) return true;
  print(`${sum((each) => each.failed)} worlds broke a rule; seeds ${seeds.join(", ")}`);
  show(draw(seed));
  return false;
}

/** Runs one plan; a broken rule is shown with the smallest plan that breaks it. `false`: one was. */
function show(plan: Plan): boolean {
  const [violation] = simulate(plan).violations;
  if (!violation) return true;
  const small = shrink(plan, violation.rule);
  const outcome = simulate(small);
  const commit = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: import.meta.dir })
    .stdout.toString()
    .trim();
  for (const event of outcome.last.slice(-EVENTS_SHOWN)) print(event);
  print(`seed ${plan.seed}, commit ${commit}`);
  for (const { rule, atMs, detail } of outcome.violations) print(`broken: ${rule} at ${atMs} ms ${detail}`);
  print(`plan: ${JSON.stringify(small)}`);
  return false;
}

await warmUp();
if (values.job !== undefined) {
  process.stdout.write(JSON.stringify(runJob(Number(values.job), Number(values.jobs))));
} else {
  const ok =
    values.plan === undefined
      ? await runAll(Number(values.jobs))
      : show((await Bun.file(values.plan).json()) as Plan);
  process.exit(ok ? 0 : 1);
}
