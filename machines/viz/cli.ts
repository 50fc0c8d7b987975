/**
 * `bun run viz`: draws every machine of the catalog into `docs/machines/`, offline. `--check` writes nothing
 * and fails when a drawing is not what its machine would give now.
 */
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { catalog } from "./catalog.ts";
import { drawingsOf } from "./drawings.ts";
import { DEFAULT_FORMATS, exportsOf, type Format, formatOf } from "./exports.ts";
import { serveLive } from "./live/server.ts";

const FOLDER = join(import.meta.dir, "..", "..", "docs", "machines");
const HELP = `bun run viz            draw every machine to docs/machines/
bun run viz --check    exit 1 and name the files that are stale, missing or no longer drawn
bun run viz --out DIR  use another folder
bun run viz --serve    show the machines on a page of this computer, and follow their files; --port N (8090)
bun run viz --export DIR                         the machines for other tools: json, ts, mmd, scxml
bun run viz --export DIR --format ts,scxml       of these formats only
bun run viz --export DIR --format inspect --log FILE [--charts FILE]
                       a recorded call's log as events of the inspection protocol, inspect.ndjson
bun run viz --help     this text
`;
const DRAWN = /\.(svg|mmd|json)$/;

const sha256 = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");

async function read(path: string): Promise<string | null> {
  const file = Bun.file(path);
  return (await file.exists()) ? file.text() : null;
}

async function listed(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => DRAWN.test(name)).toSorted();
}

/** Names of files that differ from what would be written, with the reason. */
export async function stale(folder: string, files: ReadonlyMap<string, string>): Promise<string[]> {
  const found: string[] = [];
  for (const [name, content] of files) {
    const now = await read(join(folder, name));
    if (now === null) found.push(`${name}: missing`);
    else if (now !== content) found.push(`${name}: stale`);
  }
  const extra = (await listed(folder)).filter((name) => !files.has(name));
  return [...found, ...extra.map((name) => `${name}: no machine of the catalog has this drawing`)];
}

/** Writes what differs, and reports each file. */
export async function write(
  folder: string,
  files: ReadonlyMap<string, string>,
  report: (line: string) => void,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of files) {
    const path = join(folder, name);
    const same = (await read(path)) === content;
    if (!same) await Bun.write(path, content);
    report(`${same ? "unchanged" : "drawn    "}  ${name}`);
  }
}

function options(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      check: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      out: { type: "string", default: FOLDER },
      serve: { type: "boolean", default: false },
      port: { type: "string", default: "8090" },
      export: { type: "string" },
      format: { type: "string" },
      log: { type: "string" },
      charts: { type: "string" },
    },
  });
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) throw new Error("--port: must be from 0 to 65535");
  const formats = values.format?.split(",").map(readFormat) ?? DEFAULT_FORMATS;
  if (formats.includes("inspect") !== (values.log !== undefined)) {
    throw new Error(
      "--format inspect and --log FILE need each other: a recorded call leaves this computer only on purpose",
    );
  }
  return { ...values, port, formats };
}

function readFormat(text: string): Format {
  const format = formatOf(text);
  if (format === null) throw new Error(`--format: ${text} is none of ${DEFAULT_FORMATS.join(", ")}, inspect`);
  return format;
}

const report = (line: string): void => void process.stdout.write(`${line}\n`);

async function exportTo(folder: string, wanted: ReturnType<typeof options>): Promise<number> {
  try {
    const log = wanted.log === undefined ? null : await Bun.file(wanted.log).text();
    const charts = wanted.charts === undefined ? null : await Bun.file(wanted.charts).text();
    await write(folder, exportsOf({ formats: wanted.formats, log, charts }, sha256), report);
    if (log !== null) report("inspect.ndjson is made of a real call: look at it before you give it away");
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

/** Serves until the process is ended. */
function serve(port: number): number {
  const folder = join(import.meta.dir, "..");
  const script = fileURLToPath(new URL("./live/render.ts", import.meta.url));
  try {
    const { url } = serveLive({ port, folder, script });
    process.stdout.write(`The machines are at ${url} for this computer. End it with ctrl-c.\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function main(args: readonly string[]): Promise<number> {
  let wanted: ReturnType<typeof options>;
  try {
    wanted = options(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return 2;
  }
  if (wanted.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (wanted.export !== undefined) return await exportTo(wanted.export, wanted);
  if (wanted.serve) return serve(wanted.port);
  const files = await drawingsOf(catalog, sha256);
  if (!wanted.check) {
    await write(wanted.out, files, report);
    return 0;
  }
  const problems = await stale(wanted.out, files);
  if (problems.length === 0) {
    process.stdout.write(`${files.size} drawings are up to date\n`);
    return 0;
  }
  process.stderr.write(`${problems.join("\n")}\nRun \`bun run viz\` and commit the drawings.\n`);
  return 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
