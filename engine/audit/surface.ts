/** What the commands of logs touch besides files and the engine. */
import { ConfigError, errorText } from "../errors.ts";
import { systemClock } from "../platform/clock.ts";
import type { Clock } from "../ports.ts";

export interface Surface {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly out: (text: string) => void | Promise<void>;
  readonly err: (text: string) => void;
}

/** Runs a command with the arguments of this process, which ends with the code that it returns. */
export async function runHere(
  command: (argv: readonly string[], surface: Surface) => Promise<number>,
): Promise<void> {
  const out = Bun.stdout.writer();
  process.exitCode = await command(process.argv.slice(2), {
    env: process.env,
    clock: systemClock,
    out: async (text) => {
      await out.write(text);
      await out.flush();
    },
    err: (text) => void process.stderr.write(text),
  });
  await out.end();
}

/** Exit code for what could not be done at all; 0 is well, and 1 each command's own finding. */
export const UNREADABLE = 2;

export interface LogCommand<A> {
  readonly usage: string;
  /** Throws `ConfigError`. */
  readonly parse: (argv: readonly string[], env: Surface["env"]) => A;
  readonly wantsHelp: (args: A) => boolean;
  /** What it does with one log: its exit code. */
  readonly one: (target: string, args: A, surface: Surface) => Promise<number>;
}

/** Runs a command on one log after the other, and returns the worst of their exit codes. */
export async function runOnLogs<A extends { readonly targets: readonly string[]; readonly json: boolean }>(
  argv: readonly string[],
  surface: Surface,
  { usage, parse, wantsHelp, one }: LogCommand<A>,
): Promise<number> {
  let args: A;
  try {
    args = parse(argv, surface.env);
  } catch (error) {
    surface.err(`${inFull(error)}\n`);
    return UNREADABLE;
  }
  if (wantsHelp(args)) {
    await surface.out(usage);
    return 0;
  }
  let worst = 0;
  for (const target of args.targets) {
    try {
      worst = Math.max(worst, await one(target, args, surface));
    } catch (error) {
      if (args.json) surface.err(`${JSON.stringify({ target, error: errorText(error) })}\n`);
      else surface.err(`${target}: ${inFull(error)}\n`);
      worst = UNREADABLE;
    }
  }
  return worst;
}

/** For whoever typed the command: with every mistake of a configuration. */
export function inFull(error: unknown): string {
  return error instanceof ConfigError ? error.message : errorText(error);
}
