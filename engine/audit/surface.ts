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

/** For whoever typed the command: with every mistake of a configuration. */
export function inFull(error: unknown): string {
  return error instanceof ConfigError ? error.message : errorText(error);
}
