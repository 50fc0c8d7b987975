/** The command line of `bun run bench`. */
import { parseArgs } from "node:util";
import { errorText } from "../engine/errors.ts";

export const USAGE = `bun run bench [--only NAME]… [--skip NAME]… [--json] [--smoke] [--write]

  --only NAME        this benchmark alone; may be given more than once
  --skip NAME        all but this one; may be given more than once
  --json             one JSON object on standard output instead of a table
  --smoke            tiny parameters: the figures mean nothing, but every benchmark runs, in seconds
  --soak-minutes N   how long calls come and go in the soak (30)
  --from URL         with --only region: the same of a running engine, from its own metrics
  --write            keeps the result in bench/results.json and bench/RESULTS.md
`;

const DEFAULT_SOAK_MINUTES = 30;

export interface BenchArguments {
  /** In the order of the suite. */
  readonly names: readonly string[];
  readonly json: boolean;
  readonly smoke: boolean;
  readonly soakMinutes: number;
  /** Origin of a running engine. */
  readonly from: string | null;
  readonly write: boolean;
}

const OPTIONS = {
  only: { type: "string", multiple: true },
  skip: { type: "string", multiple: true },
  json: { type: "boolean", default: false },
  smoke: { type: "boolean", default: false },
  "soak-minutes": { type: "string" },
  from: { type: "string" },
  write: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

/** What was asked for, `"help"`, or what is wrong with it. `all` are the names of the suite. */
export function readArguments(
  args: readonly string[],
  all: readonly string[],
): BenchArguments | "help" | { readonly problem: string } {
  let values;
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }));
  } catch (error) {
    return { problem: errorText(error) };
  }
  if (values.help) return "help";
  const { only, skip = [], json, smoke, write } = values;
  const unknown = [...(only ?? []), ...skip].find((name) => !all.includes(name));
  if (unknown !== undefined) {
    return { problem: `${unknown}: there is no such benchmark; there are ${all.join(", ")}` };
  }
  if (write && smoke) return { problem: "--write keeps what a full run measured: leave out --smoke" };
  const soakMinutes = Number(values["soak-minutes"] ?? DEFAULT_SOAK_MINUTES);
  if (!(soakMinutes > 0 && soakMinutes <= 600)) {
    return { problem: `--soak-minutes ${values["soak-minutes"]}: give a number of minutes up to 600` };
  }
  const names = (only === undefined ? all : all.filter((name) => only.includes(name))).filter(
    (name) => !skip.includes(name),
  );
  if (names.length === 0) return { problem: "nothing is left to run" };
  const problem = values.from === undefined ? null : fromProblem(values.from, names, smoke || write);
  if (problem !== null) return { problem };
  const from = values.from === undefined ? null : new URL(values.from).origin;
  return { names, json, smoke, soakMinutes, from, write };
}

function fromProblem(from: string, names: readonly string[], other: boolean): string | null {
  if (names.join() !== "region") return "--from is for the region alone: add --only region";
  if (other) return "--from shows what an engine has measured: leave out --smoke and --write";
  const url = URL.canParse(from) ? new URL(from) : null;
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && `${url.pathname}${url.search}` === "/";
  return isOrigin ? null : `--from ${from}: give an origin such as https://tandem.example.com`;
}
