/** Command line of `bun run call`. */
import { parseArgs } from "node:util";
import { ConfigError, type ConfigIssue } from "../../../engine/errors.ts";
import { DEFAULT_SCENARIO, findScenario, listScenarios } from "./scenarios.ts";

const DEFAULT_FROM = "+15550142";
const DEFAULT_TIMEOUT_S = 300;
const MAX_TIMEOUT_S = 7200;

export const CALL_USAGE = `bun run call: places a call into the running sandbox and follows it to its end

  --say "TEXT"       say this (synthesised); may be repeated: each is said in turn, when the other side is quiet
  --wav FILE         say what is in a WAV file of any format; may be repeated and mixed with --say
  --text "TEXT"      what the --wav says, so that the sandbox's speech model understands it
  --scenario NAME    play one of the scenarios (default without --say and --wav: ${DEFAULT_SCENARIO})
  --list             list the scenarios
  --record OUT.wav   record the call in stereo: left what the caller heard, right what the caller said
  --from NUMBER      the caller's number (default ${DEFAULT_FROM})
  --engine URL       the engine's address (default http://127.0.0.1:$PORT, PORT 8080)
  --timeout SECONDS  hang up after this long (default ${DEFAULT_TIMEOUT_S})
  --json             one JSON object a line; the last one is the result
  --help             this text

The engine must be running: bun run engine. If it has a console token, set TANDEM_CONSOLE_TOKEN.
Exit code: 0 when the call went as planned and ended in order, 1 otherwise. Ctrl-C hangs up.
`;

export type Utterance =
  | { readonly kind: "say"; readonly text: string }
  | { readonly kind: "wav"; readonly path: string; readonly text?: string };

export interface CallArgs {
  readonly mode: "call" | "list" | "help";
  /** In the order given; empty for a scenario. */
  readonly utterances: readonly Utterance[];
  readonly scenario: string;
  readonly engineUrl: string;
  readonly token: string | undefined;
  readonly recordPath: string | null;
  readonly from: string;
  readonly timeoutMs: number;
  readonly json: boolean;
}

const WITH_VALUE = ["say", "wav", "text", "scenario", "record", "from", "engine", "timeout"] as const;
const FLAGS = ["list", "json", "help"] as const;
type Option = (typeof WITH_VALUE)[number];

/** Reads the arguments. Throws {@link ConfigError} with every mistake at once. */
export function parseCallArgs(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): CallArgs {
  const issues: ConfigIssue[] = [];
  const { values, flags } = readOptions(argv, issues);
  const last = (name: Option): string | undefined => values.findLast((value) => value.name === name)?.value;
  const utterances = readUtterances(values, issues);
  const scenario = last("scenario");
  if (scenario !== undefined && utterances.length > 0) {
    issues.push(issue("--scenario", "is given together with --say or --wav", "give one or the other"));
  }
  if (scenario !== undefined && !findScenario(scenario)) {
    const names = listScenarios().map((known) => known.name);
    issues.push(issue("--scenario", `"${scenario}" is not known`, `one of ${names.join(", ")}`));
  }
  const from = last("from") ?? DEFAULT_FROM;
  if (!/^\+[1-9]\d{1,14}$/.test(from)) {
    issues.push(issue("--from", `"${from}" is not a phone number`, `E.164, such as ${DEFAULT_FROM}`));
  }
  const args: CallArgs = {
    mode: flags.has("help") ? "help" : flags.has("list") ? "list" : "call",
    utterances,
    scenario: scenario ?? DEFAULT_SCENARIO,
    engineUrl: readEngineUrl(last("engine"), env["PORT"], issues),
    token: env["TANDEM_CONSOLE_TOKEN"] || undefined,
    recordPath: last("record") ?? null,
    from,
    timeoutMs: readTimeoutMs(last("timeout"), issues),
    json: flags.has("json"),
  };
  if (issues.length > 0) throw new ConfigError(issues);
  return args;
}

interface Value {
  readonly name: Option;
  readonly value: string;
}

function readOptions(
  argv: readonly string[],
  issues: ConfigIssue[],
): { readonly values: readonly Value[]; readonly flags: ReadonlySet<string> } {
  const valued = Object.fromEntries(
    WITH_VALUE.map((name) => [name, { type: "string" as const, multiple: true }]),
  );
  const plain = Object.fromEntries(FLAGS.map((name) => [name, { type: "boolean" as const }]));
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...valued, ...plain },
    strict: false,
    tokens: true,
  });
  const values: Value[] = [];
  const flags = new Set<string>();
  for (const token of tokens) {
    if (token.kind === "positional") {
      issues.push(issue(token.value, "is not an option", 'put what is to be said in quotes: --say "…"'));
    }
    if (token.kind !== "option") continue;
    const name = WITH_VALUE.find((known) => known === token.name);
    if (name) {
      if (token.value) values.push({ name, value: token.value });
      else issues.push(issue(token.rawName, "has no value", `give it one: ${token.rawName} VALUE`));
    } else if (FLAGS.some((flag) => flag === token.name)) {
      flags.add(token.name);
    } else {
      issues.push(issue(token.rawName, "is not known", "see `bun run call --help`"));
    }
  }
  return { values, flags };
}

/** The first `--text` belongs to the first `--wav`, and so on. */
function readUtterances(values: readonly Value[], issues: ConfigIssue[]): readonly Utterance[] {
  const texts = values.flatMap((value) => (value.name === "text" ? [value.value] : []));
  const utterances: Utterance[] = [];
  for (const { name, value } of values) {
    if (name === "say") utterances.push({ kind: "say", text: value });
    if (name !== "wav") continue;
    const text = texts.shift();
    utterances.push({ kind: "wav", path: value, ...(text === undefined ? {} : { text }) });
  }
  if (texts.length > 0) {
    issues.push(issue("--text", "has no --wav that it belongs to", "add --wav FILE, or use --say instead"));
  }
  return utterances;
}

function readEngineUrl(given: string | undefined, port: string | undefined, issues: ConfigIssue[]): string {
  const text = given ?? `http://127.0.0.1:${port || "8080"}`;
  const url = URL.parse(text);
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return text.replace(/\/+$/, "");
  const name = given === undefined ? "PORT" : "--engine";
  issues.push(issue(name, `gives "${text}", which is no address`, "such as http://127.0.0.1:8080"));
  return text;
}

function readTimeoutMs(given: string | undefined, issues: ConfigIssue[]): number {
  const seconds = given === undefined ? DEFAULT_TIMEOUT_S : Number(given);
  if (seconds > 0 && seconds <= MAX_TIMEOUT_S) return seconds * 1000;
  issues.push(issue("--timeout", `"${given}" is not a time`, `seconds, from 1 to ${MAX_TIMEOUT_S}`));
  return DEFAULT_TIMEOUT_S * 1000;
}

function issue(name: string, problem: string, fix: string): ConfigIssue {
  return { name, problem, fix };
}
