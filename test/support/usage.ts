/** What a command of the tests does with its arguments: one that is not known, or `--help`, tells the usage and ends it. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

export function argsOf<const O extends ParseArgsOptionsConfig>(usage: string, options: O) {
  if (process.argv.slice(2).some((word) => word === "--help" || word === "-h")) {
    process.stdout.write(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}
