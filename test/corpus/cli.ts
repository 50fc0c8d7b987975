/** `bun run corpus`: replays the corpus, and makes anew what was changed on purpose. */
import { basename } from "node:path";
import { parseArgs } from "node:util";
import type { ChainedEntry } from "../../engine/platform/hash-chain.ts";
import { loadLog } from "../../engine/audit/load.ts";
import { divergenceLines } from "../../engine/audit/replay-cli.ts";
import { replay, type Replayed } from "../../engine/audit/replay.ts";
import { traceOf } from "../../engine/audit/trace.ts";
import { inFull } from "../../engine/audit/surface.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { warmUp } from "../sim/world.ts";
import { CALLS } from "./calls.ts";
import { load, namesOf, pathOf, save } from "./corpus.ts";
import { record } from "./record.ts";

const USAGE = `bun run corpus: replays the logs of test/corpus/

  bun run corpus [NAME…]            which of them the machines would do otherwise now, and where first
  bun run corpus --update [NAME…]   makes these, and those that are missing, anew, and says what has changed
  bun run corpus --trace NAME       what came to the call, the edges taken and what was done
  bun run corpus --add FILE         takes an exported log in

Exit code: 0 when all agree, or agree now; 1 when one does not.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    update: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    add: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function words({ outcome, divergence, why, notes }: Replayed): string {
  if (divergence) return `diverges at ${divergenceLines(divergence).join("\n")}`;
  return [outcome, ...(why === null ? [] : [why]), ...notes].join("; ");
}

/** What a call came to, in short. */
function course(entries: readonly ChainedEntry[]): string {
  const states = entries
    .filter(({ kind }) => kind === "state")
    .map(({ name, data }) => (name === "incident" ? `incident ${String(data["phase"])}` : name));
  return states.filter((state, index) => state !== states[index - 1]).join(" > ");
}

/** Whether it agrees, or does now. */
async function one(name: string): Promise<boolean> {
  const entries = await load(name);
  if (entries && values.trace) print(traceOf(entries).join("\n"));
  const replayed = entries && replay(entries);
  if (replayed?.outcome === "agrees" || !values.update) {
    print(`${name}: ${replayed ? words(replayed) : "is missing"}`);
    return replayed?.outcome === "agrees";
  }
  const call = CALLS.find((each) => each.name === name);
  if (!call) {
    print(`${name}: cannot be made anew, since it was added by hand: delete it, or add another\n`);
    return false;
  }
  const now = record(call);
  await save(name, now);
  print(`${name}: ${call.about}`);
  if (entries && replayed) {
    print(`  before: ${words(replayed)}`);
    print(`  course before: ${course(entries)}`);
  }
  print(`  course now:    ${course(now)}`);
  const again = replay(now);
  print(`  entries: ${entries?.length ?? 0} before, ${now.length} now, and it ${words(again)}`);
  return again.outcome === "agrees";
}

async function add(path: string): Promise<boolean> {
  const { verdict, entries } = await loadLog(path, { engineUrl: "", token: undefined }, systemClock);
  const replayed = replay(entries);
  const name = basename(path).replace(/\.\w+$/, "");
  if (
    verdict.status !== "intact" ||
    replayed.outcome !== "agrees" ||
    (await Bun.file(pathOf(name)).exists())
  ) {
    print(
      `${path}: not added: its chain is ${verdict.status}, its replay ${words(replayed)}, or its name is taken`,
    );
    return false;
  }
  await save(name, entries);
  print(`${name}: added, ${entries.length} entries`);
  return true;
}

async function main(): Promise<boolean> {
  if (values.help) {
    print(USAGE);
    return true;
  }
  if (values.add !== undefined) return await add(values.add);
  await warmUp();
  const results: boolean[] = [];
  for (const name of positionals.length > 0 ? positionals : namesOf()) results.push(await one(name));
  return results.every(Boolean);
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  print(inFull(error));
  process.exitCode = 1;
}
