/** The command line of `bun run bench`. */
import { parseArgs } from "node:util";
import { errorText } from "../engine/errors.ts";

export const USAGE = `bun run bench [--only NAME]… [--json] [--smoke] [--write]

  --only NAME  this benchmark alone; may be given more than once
  --json       one JSON object on standard output instead of a table
  --smoke      tiny parameters: the figures mean nothing, but every benchmark runs, in seconds
  --write      the whole suite, and its result as bench/RESULTS.md
`;

export interface BenchArguments {
  /** In the order of the suite. */
  readonly names: readonly string[];
  readonly json: boolean;
  readonly smoke: boolean;
  readonly write: boolean;
}

const OPTIONS = {
  only: { type: "string", multiple: true },
  json: { type: "boolean", default: false },
  smoke: { type: "boolean", default: false },
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
  const { only, json, smoke, write } = values;
  const unknown = only?.find((name) => !all.includes(name));
  if (unknown !== undefined) {
    return { problem: `--only ${unknown}: there is no such benchmark; there are ${all.join(", ")}` };
  }
  if (write && (smoke || only !== undefined)) {
    return { problem: "--write records a full run: leave out --smoke and --only" };
  }
  return { names: only === undefined ? all : all.filter((name) => only.includes(name)), json, smoke, write };
}
