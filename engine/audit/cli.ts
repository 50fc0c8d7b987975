/** `bun run audit`: checks logs wherever they are, and takes them out of a running engine. */
import { rename, rm } from "node:fs/promises";
import { isCallSid } from "../platform/call-key.ts";
import type { Clock } from "../ports.ts";
import { AUDIT_USAGE, type AuditArgs, parseAuditArgs } from "./args.ts";
import { type Expected, LogCheck, type LogStatus, type Verdict } from "./check.ts";
import { linesOfCall, linesOfFile, rowOfCall } from "./source.ts";
import { runHere, runOnLogs, type Surface } from "./surface.ts";

const FITS = 0;
const WRONG = 1;

const EXIT_CODES: Readonly<Record<LogStatus, number>> = {
  intact: FITS,
  live: FITS,
  unchained: FITS,
  "not-closed": WRONG,
  broken: WRONG,
};

/** Runs the command and returns its exit code. */
export async function runAudit(argv: readonly string[], surface: Surface): Promise<number> {
  return await runOnLogs(argv, surface, {
    usage: AUDIT_USAGE,
    parse: parseAuditArgs,
    wantsHelp: ({ mode }) => mode === "help",
    one,
  });
}

async function one(target: string, args: AuditArgs, surface: Surface): Promise<number> {
  // What goes to standard output must be the log and nothing else.
  const report = args.mode === "export" && args.out === null ? surface.err : surface.out;
  const verdict =
    args.mode === "export" ? await exported(target, args, surface) : await verified(target, args, surface);
  await report(args.json ? `${JSON.stringify({ target, ...verdict })}\n` : inWords(target, verdict));
  return EXIT_CODES[verdict.status];
}

async function verified(target: string, args: AuditArgs, { clock }: Surface): Promise<Verdict> {
  const isCall = isCallSid(target);
  const check = new LogCheck(isCall ? await expectedOf(target, args, clock) : hashOf(args));
  const lines = isCall ? linesOfCall(target, args, clock) : linesOfFile(target);
  for await (const line of lines) check.take(line);
  return check.end();
}

async function exported(callSid: string, args: AuditArgs, surface: Surface): Promise<Verdict> {
  const { clock, out } = surface;
  const check = new LogCheck(await expectedOf(callSid, args, clock));
  const lines = linesOfCall(callSid, args, clock);
  if (args.out === null) {
    for await (const line of lines) {
      check.take(line);
      await out(`${line}\n`);
    }
    return check.end();
  }
  // A file of this name is either there and whole, or not there.
  const part = `${args.out}.part`;
  const sink = Bun.file(part).writer();
  try {
    for await (const line of lines) {
      check.take(line);
      await sink.write(`${line}\n`);
    }
    await sink.end();
    await rename(part, args.out);
  } finally {
    await rm(part, { force: true });
  }
  return check.end();
}

async function expectedOf(callSid: string, args: AuditArgs, clock: Clock): Promise<Expected> {
  // The row first: what is logged between the two is no contradiction.
  return { ...hashOf(args), callSid, row: await rowOfCall(callSid, args, clock) };
}

function hashOf({ hash }: AuditArgs): Expected {
  return hash === undefined ? {} : { hash };
}

function inWords(target: string, { status, head, findings, more }: Verdict): string {
  const size = head ? `${head.entries} entries, last hash ${head.hash}` : "no hashes";
  const problems = findings.length + more;
  const words: Readonly<Record<LogStatus, string>> = {
    intact: `intact and closed: ${size}`,
    live: `fits so far, the call goes on: ${size}`,
    "not-closed":
      `NOT CLOSED, fits so far: ${size}\n` +
      "  The log was read while the call went on, or somebody was still sought for its caller, or its end was cut off.\n" +
      "  fix: read it again when both are over; if it is a file, check the call by its sid, which compares with its row",
    unchained: "written before the chain existed: there is nothing to check it by",
    broken: `BROKEN, ${problems} ${problems === 1 ? "problem" : "problems"}: ${size}`,
  };
  const lines = [`${target}: ${words[status]}`];
  for (const { problem, seq, line, what, fix } of findings) {
    const place = [seq === null ? "" : `entry ${seq}`, line === null ? "" : `line ${line}`].filter(Boolean);
    lines.push(`  ${problem}, ${place.join(", ") || "log"}: ${what}`, `    fix: ${fix}`);
  }
  if (more > 0) lines.push(`  and ${more} more`);
  return `${lines.join("\n")}\n`;
}

if (import.meta.main) await runHere(runAudit);
