/** Command line of `bun run audit`. */
import { parseArgs } from "node:util";
import { ConfigError, type ConfigIssue, errorText } from "../errors.ts";
import { isCallSid } from "../platform/call-key.ts";
import type { EngineAddress } from "./source.ts";

export const AUDIT_USAGE = `bun run audit: checks and exports the logs of calls

  bun run audit verify CALL|FILE…       check logs: of calls, by their sid, asked of a running engine and compared
                                        with their rows; or NDJSON files as exported
  bun run audit export CALL [-o FILE]   fetch the log of a call as NDJSON and check it on the way

  --engine URL   the engine's address (default http://127.0.0.1:$PORT, PORT 8080)
  --token TOKEN  its console token (default $TANDEM_CONSOLE_TOKEN)
  --hash HASH    what the hash of the last entry must be, from the engine's log line or wherever it was kept
  -o, --out FILE where to export to (default: standard output)
  --json         one JSON object for each log
  --help         this text

Exit code: 0 when everything fits, so far as the call has got; 1 when something is wrong or the end is missing;
2 when a log could not be read.
`;

export interface AuditArgs extends EngineAddress {
  readonly mode: "verify" | "export" | "help";
  /** Call sids and paths. */
  readonly targets: readonly string[];
  readonly hash: string | undefined;
  readonly out: string | null;
  readonly json: boolean;
}

const OPTIONS = {
  engine: { type: "string" },
  token: { type: "string" },
  hash: { type: "string" },
  out: { type: "string", short: "o" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Reads the arguments. Throws {@link ConfigError} with every mistake at once. */
export function parseAuditArgs(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): AuditArgs {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true }),
  );
  const [command, ...targets] = positionals;
  const mode = values.help ? "help" : command;
  const hash = values.hash?.toLowerCase();
  const issues: ConfigIssue[] = [];
  const wrong = (name: string, problem: string, fix: string) => issues.push({ name, problem, fix });
  const engine = engineOf(values, env, wrong);
  if (hash !== undefined && !/^[0-9a-f]{64}$/.test(hash)) {
    wrong("--hash", `"${hash}" is no hash`, "give the 64 hexadecimal digits of auditHash");
  }
  if (mode === "verify") {
    if (targets.length === 0) wrong("verify", "names no log", "name call sids or files");
    if (values.out !== undefined) wrong("--out", "goes with export", "leave it out");
    if (hash !== undefined && targets.length > 1) wrong("--hash", "goes with one log", "check one at a time");
  } else if (mode === "export") {
    const [callSid = ""] = targets;
    if (targets.length !== 1 || !isCallSid(callSid)) {
      wrong("export", "takes one call", "name its sid: CA and 32 hexadecimal digits");
    }
    if (values.json && values.out === undefined) {
      wrong("--json", "would mix with the log on standard output", "export to a file with -o FILE");
    }
  } else if (mode !== "help") {
    wrong("command", command === undefined ? "is missing" : `"${command}" is not known`, "verify or export");
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return {
    mode: mode as AuditArgs["mode"],
    targets,
    ...engine,
    hash,
    out: values.out ?? null,
    json: values.json ?? false,
  };
}

/** Which engine is meant, and with which token; the sandbox's of this machine when nothing is said. */
export function engineOf(
  values: { readonly engine?: string | undefined; readonly token?: string | undefined },
  env: Readonly<Record<string, string | undefined>>,
  wrong: (name: string, problem: string, fix: string) => void,
): EngineAddress {
  const engineUrl = values.engine ?? `http://127.0.0.1:${env["PORT"] || "8080"}`;
  if (!/^https?:\/\/[^/]/.test(engineUrl) || !URL.canParse(engineUrl)) {
    wrong("--engine", `"${engineUrl}" is no address`, "write it like http://127.0.0.1:8080");
  }
  const token = values.token ?? (env["TANDEM_CONSOLE_TOKEN"] || undefined);
  return { engineUrl: engineUrl.replace(/\/+$/, ""), token };
}

/** What `parseArgs` gives. Throws {@link ConfigError} of what it does not know. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new ConfigError([{ name: "options", problem: errorText(error), fix: "see --help" }]);
  }
}
