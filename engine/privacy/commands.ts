/** `bun run erase` and `bun run rewrap`, on the ports that the composition root gives them. */
import { parseArgs } from "node:util";
import { parsed } from "../audit/args.ts";
import { E164 } from "../config/deployment.ts";
import type { Config } from "../config/types.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { isCallSid } from "../platform/call-key.ts";
import { type Erased, eraseCall, type ErasureParts } from "./erasure.ts";

const ERASE_USAGE = `bun run erase: destroys what is kept of people

  bun run erase --call CA…         what names or quotes a person in a call: its key, words, numbers, recordings
  bun run erase --caller +1555…    the same of all calls from a number

  --json    one JSON object for each call
  --help    this text

It works on DATABASE_URL with TANDEM_ENCRYPTION_KEY, as the engine does, and beside an engine that runs. The log of the
call stays, with a last entry that tells of it. Backups are not touched: see docs/privacy.md.
Exit code: 0 when all was erased; 1 when a call is not over yet, or there is none; 2 when it could not be done.
`;

export interface EraseArgs {
  readonly help: boolean;
  readonly calls: readonly string[];
  readonly callers: readonly string[];
  readonly json: boolean;
}

const OPTIONS = {
  call: { type: "string", multiple: true },
  caller: { type: "string", multiple: true },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** Throws {@link ConfigError} with every mistake at once. */
export function parseEraseArgs(argv: readonly string[]): EraseArgs {
  const { values } = parsed(() => parseArgs({ args: [...argv], options: OPTIONS }));
  const { call = [], caller = [], json = false, help = false } = values;
  const issues: ConfigIssue[] = [];
  for (const each of call) {
    if (isCallSid(each)) continue;
    issues.push({ name: "--call", problem: "is no call sid", fix: "CA and 32 hexadecimal digits" });
  }
  for (const each of caller) {
    if (E164.test(each)) continue;
    issues.push({ name: "--caller", problem: "is no number in E.164 form", fix: "write it like +15550100" });
  }
  if (!help && call.length + caller.length === 0) {
    issues.push({ name: "erase", problem: "names nobody", fix: "give --call or --caller" });
  }
  if (issues.length > 0) throw new ConfigError(issues);
  return { help, calls: call, callers: caller, json };
}

type Out = (text: string) => void;

/** Resolves to the exit code. */
export async function runErase(args: EraseArgs, parts: ErasureParts, out: Out): Promise<number> {
  const found = new Set(args.calls);
  if (args.callers.length > 0) {
    // Rows of before there was an index are found by it afterwards.
    await parts.privacy.rewrap();
    for (const caller of args.callers) {
      for (const callSid of await parts.privacy.callsFrom(caller)) found.add(callSid);
    }
  }
  let done = found.size > 0;
  if (!done) out(args.json ? "" : "there is no call from this number, or none that this key finds\n");
  for (const callSid of found) {
    const erased = await eraseCall(callSid, parts);
    done &&= erased.outcome === "erased";
    out(args.json ? `${JSON.stringify(erased)}\n` : `${inWords(erased)}\n`);
  }
  return done ? 0 : 1;
}

function inWords({ callSid, outcome, recordings, scrubbed }: Erased): string {
  if (outcome === "unknown") return `${callSid}: there is no such call`;
  if (outcome === "live") return `${callSid}: NOT erased, it is not over: end it, or wait, and try again`;
  const files = recordings === 0 ? "" : `, ${recordings} recording${recordings === 1 ? "" : "s"} removed`;
  const left = scrubbed
    ? ""
    : "; the database's own log, or server, may still hold sealed copies and their key: repeat this when nobody reads";
  return `${callSid}: erased${files}${left}`;
}

const REWRAP_USAGE = `bun run rewrap: puts what is kept under another TANDEM_ENCRYPTION_KEY

  --help    this text

It works on DATABASE_URL, beside an engine that runs, with the new key as TANDEM_ENCRYPTION_KEY and the one of before as
TANDEM_ENCRYPTION_KEY_PREVIOUS, which is needed no more when it exits with 0: see docs/privacy.md.
Exit code: 0 when all that is kept is under the new key; 1 when some is under neither; 2 when it could not be done.
`;

/** Without a key nothing can be put under one, and to say that it was would lose the key of before. */
function assertKey({ encryptionKey }: Pick<Config, "encryptionKey">): void {
  if (encryptionKey !== null) return;
  const fix = "set it to the new key, and TANDEM_ENCRYPTION_KEY_PREVIOUS to the one of before";
  throw new ConfigError([{ name: "TANDEM_ENCRYPTION_KEY", problem: "is not set", fix }]);
}

/** Resolves to the exit code. */
export async function runRewrap({ privacy }: Pick<ErasureParts, "privacy">, out: Out): Promise<number> {
  const { keys, rows, unreadable } = await privacy.rewrap();
  out(`${keys} keys of calls and ${rows} rows are now under TANDEM_ENCRYPTION_KEY\n`);
  if (unreadable === 0) return 0;
  out(`${unreadable} are under a key that is neither it nor TANDEM_ENCRYPTION_KEY_PREVIOUS\n`);
  return 1;
}

export interface KeptSurface {
  /** Does it on what an engine has kept, once `check` lets the configuration pass. */
  readonly onKept: (
    run: (parts: ErasureParts) => Promise<number>,
    check?: (config: Config) => void,
  ) => Promise<number>;
  readonly out: Out;
}

/** Resolves to the exit code. Throws {@link ConfigError} of what the command line has. */
export async function runOnKept(
  command: "erase" | "rewrap",
  argv: readonly string[],
  { onKept, out }: KeptSurface,
): Promise<number> {
  const help = (usage: string): number => {
    out(usage);
    return 0;
  };
  if (command === "erase") {
    const args = parseEraseArgs(argv);
    return args.help ? help(ERASE_USAGE) : await onKept((parts) => runErase(args, parts, out));
  }
  const options = { help: OPTIONS.help };
  const { values } = parsed(() => parseArgs({ args: [...argv], options }));
  return values.help ? help(REWRAP_USAGE) : await onKept((parts) => runRewrap(parts, out), assertKey);
}
