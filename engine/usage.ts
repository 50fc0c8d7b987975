/** What `bun engine/main.ts` says of itself. */
import { ConfigError } from "./errors.ts";

const USAGE = `Tandem: without a word it runs the engine, as the environment and the deployment file say (docs/configuration.md)

  bun run preflight   checks the configuration, and with --live what it leads to
  bun run backup      copies the database
  bun run restore     puts a copy in its place
  bun run erase       destroys what is kept of people
  bun run rewrap      puts what is kept under another key

Each takes --help. Where there are no scripts of a package: bun engine/main.ts preflight, and so on.
`;

/** Returns the exit code. Throws {@link ConfigError} of any other word: one that is mistyped must not start a second engine. */
export function runUsage(word: string, out: (text: string) => void): number {
  if (word === "--help" || word === "-h") {
    out(USAGE);
    return 0;
  }
  const fix = "use preflight, backup, restore, erase or rewrap; without a word the engine runs";
  throw new ConfigError([{ name: word, problem: "is not a command", fix }]);
}
