/** `bun run preflight`: whether the engine would start, what it would do, and with `--live` whether calls would work. */
import { parseArgs } from "node:util";
import { parsed } from "../audit/args.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/types.ts";
import { warningsOf } from "../config/warnings.ts";
import { ConfigError, errorText } from "../errors.ts";
import type { LiveCheck, LiveFinding } from "../live-check-port.ts";
import type { Clock } from "../ports.ts";
import { planOf } from "./plan.ts";

export const PREFLIGHT_USAGE = `bun run preflight: checks the configuration before an engine runs on it

  bun run preflight           reads the environment and the deployment file as the engine does, and says every mistake
                              with its fix, or what would run and what is seldom meant
  bun run preflight --live    asks Twilio, the model and the database, too: nothing is changed there, and no call made

  --help    this text

No secret and no phone number is printed.
Exit code: 0 when the engine would start, warnings or not; 1 when there is a mistake; 2 when it could not be looked at.
`;

/** For all that is asked of one part. */
const LIVE_LIMIT_MS = 15_000;

export interface PreflightOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly liveChecks: (config: Config) => readonly LiveCheck[];
  readonly clock: Clock;
  readonly out: (text: string) => void;
}

/** Resolves to the exit code. Throws {@link ConfigError} of what the command line has. */
export async function runPreflight(argv: readonly string[], options: PreflightOptions): Promise<number> {
  const { env, liveChecks, clock, out } = options;
  const { values } = parsed(() =>
    parseArgs({
      args: [...argv],
      options: { live: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    }),
  );
  if (values.help) {
    out(PREFLIGHT_USAGE);
    return 0;
  }
  let config: Config;
  try {
    config = await loadConfig({ env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    out(`${error.message}\n`);
    return 1;
  }
  for (const line of planOf(config)) out(`${line}\n`);
  for (const { name, problem, fix } of warningsOf(config)) out(said("WARNING", `${name} ${problem}`, fix));
  if (!values.live) return 0;
  let code = 0;
  for (const check of liveChecks(config)) {
    for (const { level, text, fix } of await looked(check, clock)) {
      out(said(WORDS[level], `${check.part}: ${text}`, fix));
      if (level === "mistake") code = 1;
    }
  }
  return code;
}

const WORDS: Readonly<Record<LiveFinding["level"], string>> = {
  ok: "ok",
  warning: "WARNING",
  mistake: "MISTAKE",
};

function said(word: string, text: string, fix: string | undefined): string {
  const line = `${word.padEnd(11)} ${text}\n`;
  return fix === undefined ? line : `${line}${" ".repeat(12)}fix: ${fix}\n`;
}

async function looked(check: LiveCheck, clock: Clock): Promise<readonly LiveFinding[]> {
  const abort = new AbortController();
  const late = Promise.withResolvers<readonly LiveFinding[]>();
  const timer = clock.setTimeout(() => {
    abort.abort();
    const text = `did not answer within ${LIVE_LIMIT_MS / 1000} s`;
    late.resolve([{ level: "mistake", text, fix: "see that this machine reaches it, and that it runs" }]);
  }, LIVE_LIMIT_MS);
  try {
    return await Promise.race([check.run(abort.signal), late.promise]);
  } catch (error) {
    return [{ level: "mistake", text: errorText(error) }];
  } finally {
    clock.clearTimeout(timer);
  }
}
