/** `bun run backup` and `bun run restore`, on the port that the composition root gives them. */
import { parseArgs } from "node:util";
import { parsed } from "../audit/args.ts";
import { LogCheck, type LogStatus } from "../audit/check.ts";
import type { BackupFile, Backups } from "../backup-port.ts";
import { ConfigError } from "../errors.ts";
import type { Clock } from "../ports.ts";

export const BACKUP_USAGE = `bun run backup FILE: copies the database at one moment, beside an engine that runs

  --force   over a file that is there
  --help    this text

The copy is checked: every page, and the chain of every log. It holds what DATABASE_URL names and nothing else: copy the
folder of recordings, the deployment file and the keys as docs/operations.md says.
Exit code: 0 when the copy is whole; 1 when it is, and a log in it does not fit its chain; 2 when there is none.
`;

export const RESTORE_USAGE = `bun run restore FILE: puts a copy in the place of DATABASE_URL

  --force               replaces a database that is there
  --forget-unfinished   leaves calls alone that were not over: nobody is paged for what may long be settled
  --help                this text

No engine may run on it. The next one goes on with the calls that were not over, and ends those that are.
Exit code: 0 when it is in place; 2 when nothing was changed.
`;

const MAX_NAMED = 10;
/** Live calls outlive an engine for so long; what is older is not under way any more. */
const STALE_MS = 15 * 60_000;

export interface BackupParts {
  readonly backups: () => Promise<Backups>;
  readonly clock: Clock;
  readonly out: (text: string) => void;
}

const FLAGS = { force: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;

/** Resolves to the exit code. Throws {@link ConfigError} of what the command line has. */
export async function runBackup(argv: readonly string[], parts: BackupParts): Promise<number> {
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...argv], options: FLAGS, allowPositionals: true }),
  );
  if (values.help) {
    parts.out(BACKUP_USAGE);
    return 0;
  }
  const file = oneFile(positionals);
  const backups = await parts.backups();
  await backups.write(file, values.force ?? false);
  return told(await backups.open(file), (copy) => {
    parts.out(`${copy.path} is a copy of ${backups.database}: ${summary(copy)}\n`);
    for (const line of needs(copy)) parts.out(`  ${line}\n`);
    return checkLogs(copy, parts.out) ? 0 : 1;
  });
}

/** Resolves to the exit code. Throws {@link ConfigError} of what the command line has. */
export async function runRestore(argv: readonly string[], parts: BackupParts): Promise<number> {
  const options = { ...FLAGS, "forget-unfinished": { type: "boolean" } } as const;
  const { values, positionals } = parsed(() =>
    parseArgs({ args: [...argv], options, allowPositionals: true }),
  );
  if (values.help) {
    parts.out(RESTORE_USAGE);
    return 0;
  }
  const { out, clock } = parts;
  const file = oneFile(positionals);
  const forgetUnfinished = values["forget-unfinished"] ?? false;
  const backups = await parts.backups();
  told(await backups.open(file), (copy) => {
    out(`${copy.path}: ${summary(copy)}\n`);
    for (const line of needs(copy)) out(`  ${line}\n`);
    checkLogs(copy, out);
    if (forgetUnfinished) out("  what was not over is forgotten: its rows will end as engine_lost\n");
    else for (const line of stale(copy, clock)) out(`  ${line}\n`);
  });
  await backups.restore(file, { force: values.force ?? false, forgetUnfinished });
  out(`${backups.database} is restored\n`);
  return 0;
}

function told<T>(copy: BackupFile, tell: (copy: BackupFile) => T): T {
  try {
    return tell(copy);
  } finally {
    copy.close();
  }
}

function oneFile(positionals: readonly string[]): string {
  const [file = ""] = positionals;
  if (positionals.length === 1 && file !== "") return file;
  throw new ConfigError([{ name: "FILE", problem: "is to be one path", fix: "name the file of the backup" }]);
}

function summary({ bytes, version, calls, unfinished, lastEntryAt }: BackupFile): string {
  const until = lastEntryAt === null ? "no log" : `logs until ${lastEntryAt}`;
  return `${calls} calls, ${unfinished} of them not over, ${until}; version ${version}, ${bytes} bytes, every page whole`;
}

/** Without which some of it cannot be read. */
function needs({ path, keyIds, hasKeyFile }: BackupFile): readonly string[] {
  const lines: string[] = [];
  if (hasKeyFile)
    lines.push(`what live calls need is under ${path}.key: keep it beside, and both from others`);
  if (keyIds.length > 0) {
    lines.push(
      `it is read with the TANDEM_ENCRYPTION_KEY that it was written with (id ${keyIds.join(", ")})`,
    );
  }
  return lines;
}

function stale({ unfinished, lastEntryAt }: BackupFile, clock: Clock): readonly string[] {
  if (unfinished === 0 || lastEntryAt === null) return [];
  const ageMs = clock.now() - Date.parse(lastEntryAt);
  if (ageMs < STALE_MS) return [];
  const age = `${Math.round(ageMs / 60_000)} minutes ago`;
  return [
    `WARNING: its last entry was written ${age}, and people may be paged for what was not over then`,
    "fix: before an engine starts, restore it with --force --forget-unfinished",
  ];
}

/** By the whole of each log, as `bun run audit verify` does. Whether all fit. */
function checkLogs(copy: BackupFile, out: (text: string) => void): boolean {
  const wrong: string[] = [];
  let entries = 0;
  let logs = 0;
  for (const log of copy.logs()) {
    const { name, row } = log;
    const check = new LogCheck({ callSid: name, ...(row && { row }) });
    for (const entry of log.entries()) {
      check.take(JSON.stringify(entry));
      entries++;
    }
    logs++;
    const { status, findings } = check.end();
    if (FITS.has(status)) continue;
    wrong.push(`${name}: ${findings[0]?.what ?? "its end is missing"}`);
  }
  if (wrong.length === 0) {
    out(`  ${logs} logs with ${entries} entries fit their chains\n`);
    return true;
  }
  out(`  WARNING: ${wrong.length} of ${logs} logs do not fit their chains, here as in the database:\n`);
  for (const each of wrong.slice(0, MAX_NAMED)) out(`    ${each}\n`);
  if (wrong.length > MAX_NAMED) out(`    and ${wrong.length - MAX_NAMED} more\n`);
  return false;
}

/** `not-closed`: what has no row to say that it is over goes on, as what follows a call does. */
const FITS: ReadonlySet<LogStatus> = new Set(["intact", "live", "unchained", "not-closed"]);
