/** `bun run token`: makes a token with a name and a role. What the engine keeps of it is its hash. */
import { parseArgs } from "node:util";
import { parsed } from "../audit/args.ts";
import { inFull, runHere, type Surface } from "../audit/surface.ts";
import { ROLES } from "../console/who.ts";
import { ConfigError, type ConfigIssue } from "../errors.ts";
import { systemIds } from "../platform/ids.ts";
import type { Ids } from "../ports.ts";
import { issuesOf } from "./issues.ts";
import { type NamedToken, TokenName, tokenHash } from "./tokens-file.ts";

const USAGE = `bun run token: makes a token for /console and /api

  bun run token --name NAME --role ROLE

  --name NAME   who has it: shown in the log of what they look at and command
  --role ROLE   viewer (neither numbers nor words, no command), operator (sees all of calls, and commands), or
                admin (also takes all rows away at once, and erases)
  --help        this text

It prints the token, which is kept nowhere, and the entry for the file that TANDEM_TOKENS names.
`;

const OPTIONS = {
  name: { type: "string" },
  role: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** `null`: help is wanted. Throws {@link ConfigError} with every mistake at once. */
function parseTokenArgs(argv: readonly string[]): Pick<NamedToken, "name" | "role"> | null {
  const { values } = parsed(() => parseArgs({ args: [...argv], options: OPTIONS }));
  if (values.help) return null;
  const { name = "", role = "" } = values;
  const issues: ConfigIssue[] = [];
  const read = TokenName.safeParse(name);
  if (!read.success) {
    for (const issue of issuesOf(read.error, name, () => [])) issues.push({ ...issue, name: "--name" });
  }
  const known = ROLES.find((each) => each === role);
  if (known === undefined) {
    const problem = role === "" ? "is missing" : "is not a role";
    issues.push({ name: "--role", problem, fix: `use one of: ${ROLES.join(", ")}` });
  }
  if (known === undefined || issues.length > 0) throw new ConfigError(issues);
  return { name, role: known };
}

/** Runs the command and returns its exit code. */
export async function runToken(
  argv: readonly string[],
  { out, err }: Pick<Surface, "out" | "err">,
  ids: Ids = systemIds,
): Promise<number> {
  try {
    const args = parseTokenArgs(argv);
    if (args === null) {
      await out(USAGE);
      return 0;
    }
    // The prefix lets those who look for leaked secrets know one.
    const token = `tandem_${ids.token()}`;
    const entry: NamedToken = { ...args, sha256: tokenHash(token) };
    await out(
      `The token of ${args.name} (${args.role}), shown this once:\n\n  ${token}\n\n` +
        `Its entry for the JSON array in the file that TANDEM_TOKENS names; it counts from the engine's next start on:\n\n` +
        `  ${JSON.stringify(entry)}\n`,
    );
    return 0;
  } catch (error) {
    err(`${inFull(error)}\n`);
    return 2;
  }
}

if (import.meta.main) await runHere(runToken);
