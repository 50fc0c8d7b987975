/**
 * `bun run test:fuzz --edge webhooks|media|model|console --minutes N --seed S`: sends generated and mutated input to
 * one edge of a real engine. What breaks something is printed with its seed, the commit and how to send it again;
 * `--from` and `--inputs` send only some of a seed's inputs.
 */
import { systemClock } from "../../engine/platform/clock.ts";
import { argsOf } from "../support/usage.ts";
import { campaign, type Plan, shrink } from "./campaign.ts";
import { EDGES } from "./edges.ts";
import type { Memory } from "./gc-on-signal.ts";

const USAGE = `bun run test:fuzz: sends what nobody should to one edge of a real engine

  --edge NAME   ${Object.keys(EDGES).join(", ")}
  --minutes N   for how long (1)
  --seed S      what the inputs are drawn from (1)
  --from N      the first of the seed's inputs that is sent (0)
  --inputs N    how many are sent (all)
  --help        this text
`;

const values = argsOf(USAGE, {
  edge: { type: "string" },
  minutes: { type: "string", default: "1" },
  seed: { type: "string", default: "1" },
  from: { type: "string", default: "0" },
  inputs: { type: "string", default: "Infinity" },
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function told(memory: Memory | null): string {
  if (!memory) return "not known";
  const bytes = (of: number): string => (of / 2 ** 20).toFixed(1);
  return `${bytes(memory.rssBytes)} MB resident, ${bytes(memory.heapBytes)} MB heap, ${memory.timers} timers, ${memory.descriptors} descriptors`;
}

async function main(): Promise<number> {
  const create = EDGES[values.edge ?? ""];
  if (!create) {
    print(`--edge: give one of ${Object.keys(EDGES).join(", ")}`);
    return 2;
  }
  const { seed, from, inputs, minutes } = values;
  const numbers = {
    seed: Number(seed),
    from: Number(from),
    inputs: Number(inputs),
    minutes: Number(minutes),
  };
  const plan: Plan = { edge: create(), ...numbers };
  const commit = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: import.meta.dir })
    .stdout.toString()
    .trim();
  const startMs = systemClock.monotonicMs();
  const { broken, warm, end, inputs: sent } = await campaign(plan);
  const seconds = (systemClock.monotonicMs() - startMs) / 1000;
  for (const [what, count] of Object.entries(plan.edge.depth)) print(`${String(count).padStart(9)}  ${what}`);
  print(`${plan.edge.name}: ${sent} inputs from seed ${seed} in ${seconds.toFixed(0)} s, commit ${commit}`);
  if (!broken) {
    print(`after the warm-up ${told(warm)}\nat the end        ${told(end)}`);
    return 0;
  }
  print(`broken at input ${broken.at}: ${broken.why}\n${broken.shown}`);
  const small = await shrink({ ...plan, edge: create() }, broken.at);
  print(
    `again: bun run test:fuzz --edge ${plan.edge.name} --seed ${seed} --from ${small.from} --inputs ${small.inputs} --minutes 60`,
  );
  return 1;
}

process.exit(await main());
