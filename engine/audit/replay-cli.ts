/** `bun run replay`: what a call did, done again by the machines of this build, up to the first difference. */
import { parseArgs } from "node:util";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { engineOf, parsed } from "./args.ts";
import type { Verdict } from "./check.ts";
import type { Divergence } from "./divergence.ts";
import { loadLog } from "./load.ts";
import { replay, type Replayed } from "./replay.ts";
import type { Made } from "./rerun.ts";
import type { EngineAddress } from "./source.ts";
import { runHere, runOnLogs, type Surface, UNREADABLE } from "./surface.ts";
import { traceOf } from "./trace.ts";

const REPLAY_USAGE = `bun run replay: runs the machines again over what came to a call, and compares

  bun run replay CALL|FILE…   logs of calls, by their sid, asked of a running engine; or NDJSON files as exported

  --trace        print what came to the call, the edges taken and what was done, up to where they part
  --engine URL   the engine's address (default http://127.0.0.1:$PORT, PORT 8080)
  --token TOKEN  its console token (default $TANDEM_CONSOLE_TOKEN)
  --json         one JSON object for each log
  --help         this text

Exit code: 0 when the machines do what the log says, so far as the call has got; 1 when they part; 2 when a log
cannot be replayed: it cannot be read, its chain is broken, its end is missing, or it does not say what is needed.
`;

const AGREES = 0;
const DIVERGES = 1;

const OPTIONS = {
  trace: { type: "boolean" },
  engine: { type: "string" },
  token: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

interface ReplayArgs extends EngineAddress {
  readonly targets: readonly string[];
  readonly trace: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** Reads the arguments. Throws {@link ConfigError} with every mistake at once. */
function parseReplayArgs(argv: readonly string[], env: Surface["env"]): ReplayArgs {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true }),
  );
  const { trace = false, json = false, help = false } = values;
  const issues: ConfigIssue[] = [];
  const wrong = (name: string, problem: string, fix: string) => issues.push({ name, problem, fix });
  const engine = engineOf(values, env, wrong);
  if (!help && positionals.length === 0) wrong("replay", "names no log", "name call sids or files");
  if (trace && json) wrong("--trace", "is for people", "leave out one of --trace and --json");
  if (issues.length > 0) throw new ConfigError(issues);
  return { ...engine, targets: positionals, trace, json, help };
}

/** Runs the command and returns its exit code. */
export async function runReplay(argv: readonly string[], surface: Surface): Promise<number> {
  return await runOnLogs(argv, surface, {
    usage: REPLAY_USAGE,
    parse: parseReplayArgs,
    wantsHelp: ({ help }) => help,
    one,
  });
}

async function one(target: string, args: ReplayArgs, { clock, out }: Surface): Promise<number> {
  const { verdict, entries } = await loadLog(target, args, clock);
  const replayed = withVerdict(verdict, replay(entries));
  const { divergence } = replayed;
  if (args.trace && entries.length > 0) {
    const shown = divergence ? entries.filter(({ seq }) => seq < divergence.seq) : entries;
    await out(`${traceOf(shown).join("\n")}\n`);
  }
  await out(args.json ? `${JSON.stringify({ target, ...replayed })}\n` : inWords(target, replayed));
  if (replayed.outcome === "diverges") return DIVERGES;
  const agrees = replayed.outcome === "agrees" || verdict.status === "live";
  return agrees ? AGREES : UNREADABLE;
}

/** Nothing that a log says counts when its chain does not hold. */
function withVerdict({ status, findings }: Verdict, replayed: Replayed): Replayed {
  const cannot = (why: string): Replayed => ({ ...replayed, outcome: "cannot", why });
  const [first] = findings;
  if (status === "broken") {
    const place = first?.seq == null ? "" : `, entry ${first.seq}`;
    return cannot(
      `its chain is broken: ${first?.problem ?? "damaged"}${place}: ${first?.what ?? ""}; see \`bun run audit verify\``,
    );
  }
  return status === "unchained"
    ? cannot("it was written before logs could be checked or replayed")
    : replayed;
}

function inWords(target: string, { outcome, divergence, why, notes, events, compared }: Replayed): string {
  const size = `${events} events, ${compared} steps, states and effects`;
  const lines = [];
  if (divergence) lines.push(`${target}: DIVERGES at ${divergenceLines(divergence).join("\n")}`);
  else if (outcome === "agrees") lines.push(`${target}: agrees: ${size}`);
  else if (outcome === "unfinished") lines.push(`${target}: agrees so far, the log has no end yet: ${size}`);
  else lines.push(`${target}: CANNOT be replayed: ${why ?? ""}`);
  return `${[...lines, ...notes.map((note) => `  note: ${note}`)].join("\n")}\n`;
}

/** The first in one line. */
export function divergenceLines({ seq, what, cause, how, since, logged, came }: Divergence): string[] {
  const made = (one: Made | null): string =>
    one === null ? "nothing" : `${one.kind} ${one.name} ${JSON.stringify(one.data)}`;
  return [
    `entry ${seq}, ${what}, after entry ${cause.seq}, ${cause.name}: ${how}`,
    ...(since === null ? [] : [`  since:  ${since}`]),
    `  logged: ${made(logged)}`,
    `  came:   ${made(came)}`,
  ];
}

if (import.meta.main) await runHere(runReplay);
