/** The rules of this repository, kept by a test: layers, sizes, and what only the ports may call. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "..");
const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;
/** What of the engine an adapter may use besides the types of its port: the pure arithmetic of audio and addresses. */
const KERNEL =
  /^engine\/(ports|[\w-]+-port|errors|config\/addresses|media\/(g711|g711-frame|kaiser|level|resampler|jitter\/[\w-]+)|platform\/[\w-]+)\.ts$/;

function files(pattern: string): string[] {
  return [...new Glob(pattern).scanSync({ cwd: ROOT })]
    .filter((file) => !file.includes("node_modules"))
    .sort();
}

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const product = files("{engine,machines,adapters,bench}/**/*.{ts,tsx}");
const all = [...product, ...files("test/**/*.ts")];

/** Code without comments and the contents of strings, so that only real calls are found. */
function bare(source: string): string {
  return source
    .replace(/\/\*[\s\S]*?\*\//g, (text) => text.replace(/[^\n]/g, " "))
    .replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""')
    .replace(/(^|[^:])\/\/.*$/gm, "$1");
}

function imports(file: string): string[] {
  const source = read(file);
  const found = source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"|new URL\("(\.[^"]+\.ts)"/g);
  return [...found].map((match) =>
    relative(ROOT, normalize(join(ROOT, dirname(file), match[1] ?? match[2] ?? ""))),
  );
}

function forbidden(from: string, to: string): string | null {
  const layer = (path: string): string => path.split("/")[0] ?? "";
  if (layer(to) === layer(from) && layer(from) !== "adapters") return null;
  if (layer(from) === "machines") return "machines import nothing of ours but machines";
  if (layer(from) === "engine" && layer(to) === "adapters") {
    return from === "engine/main.ts" ? null : "only engine/main.ts imports adapters";
  }
  if (layer(from) === "engine") return layer(to) === "machines" ? null : "the engine imports machines only";
  if (layer(from) !== "adapters") return null;
  if (layer(to) === "adapters") {
    return from.split("/")[1] === to.split("/")[1] ? null : "an adapter imports no other adapter";
  }
  return KERNEL.test(to) ? null : "an adapter imports the ports, the errors and the platform only";
}

/** Where the real ones are wrapped, and where the port is declared. */
const CLOCKED = /^engine\/(platform\/|ports\.ts$)/;

const BANNED: readonly { readonly call: RegExp; readonly why: string; readonly allowed: RegExp }[] = [
  {
    call: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/,
    why: "time comes from the Clock",
    allowed: CLOCKED,
  },
  {
    call: /(?<![.\w#])(setTimeout|setInterval|setImmediate)\(/,
    why: "timers come from the Clock",
    allowed: CLOCKED,
  },
  { call: /\bBun\.sleep/, why: "timers come from the Clock", allowed: /^engine\/(platform\/|ports\.ts)/ },
  {
    call: /\bMath\.random\(|\brandomBytes\(|\brandomUUID\(|getRandomValues\(/,
    why: "randomness comes from the Ids",
    allowed: CLOCKED,
  },
  {
    call: /(?<!Bun\.)\bspawn(Child)?\((?!\s*["'])/,
    why: "actors are spawned by key",
    allowed: /^(?!machines\/)/,
  },
  { call: /\bconsole\.(log|error|warn|info)\(/, why: "output goes through the Log", allowed: /^$/ },
];

describe("the repository", () => {
  test("imports go one way", () => {
    const wrong = product.flatMap((file) =>
      imports(file).flatMap((target) => {
        const why = forbidden(file, target);
        return why ? [`${file} → ${target}: ${why}`] : [];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test(`files have at most ${MAX_FILE_LINES} lines`, () => {
    const long = all
      .map((file) => [file, read(file).split("\n").length - 1] as const)
      .filter(([, n]) => n > MAX_FILE_LINES);
    expect(long).toEqual([]);
  });

  test(`functions have at most ${MAX_FUNCTION_LINES} lines`, () => {
    expect(product.flatMap((file) => longFunctions(file))).toEqual([]);
  });

  test("only the platform's ports touch time, timers and randomness", () => {
    const wrong = product.flatMap((file) => {
      const code = bare(read(file));
      return BANNED.flatMap(({ call, why, allowed }) =>
        call.test(code) && !allowed.test(file) ? [`${file}: ${why}`] : [],
      );
    });
    expect(wrong).toEqual([]);
  });

  test("every product file is used", () => {
    const entries = new Set([
      "engine/main.ts",
      "test/run.ts",
      "engine/console/app/main.tsx",
      ...scripts(),
      ...files("adapters/sandbox/*/main.ts"),
      ...files("bench/*.bench.ts"),
    ]);
    const used = new Set(all.flatMap((file) => imports(file)));
    expect(product.filter((file) => !used.has(file) && !entries.has(file))).toEqual([]);
  });

  test("nothing is left unfinished", () => {
    const words = new RegExp(["TODO", "FIXME", "XXX", "HACK"].map((word) => `\\b${word}\\b`).join("|"));
    expect(all.filter((file) => file !== "test/tidy.test.ts" && words.test(read(file)))).toEqual([]);
    expect(
      files("test/**/*.ts").filter((file) => /\b(test|it|describe)\.(only|todo)\(/.test(read(file))),
    ).toEqual([]);
  });

  test("phone numbers are fictitious", () => {
    const numbers = /\+\d{10,15}/g;
    const real = all.flatMap((file) =>
      [...read(file).matchAll(numbers)]
        .map((match) => match[0])
        .filter((number) => !/^\+1555\d{4,}$/.test(number)),
    );
    expect([...new Set(real)]).toEqual([]);
  });
});

function scripts(): string[] {
  const { scripts: named } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  return Object.values(named).flatMap((script) => script.match(/[\w/-]+\.ts/g) ?? []);
}

/** Functions and methods by their formatted shape: an opening line, and the brace that closes at its indent. */
function longFunctions(file: string): string[] {
  const lines = read(file).split("\n");
  const found: string[] = [];
  lines.forEach((line, start) => {
    const opens =
      /^(\s*)(?:export )?(?:default )?(?:async )?(?:function\b|(?:static |async |override |get |set |readonly )*[#\w]+\(.*\{$|(?:const|let) \w+ = (?:async )?\(.*=> \{$)/.exec(
        line,
      );
    if (!opens || /^\s*(if|for|while|switch|return|catch)\b/.test(line)) return;
    const indent = opens[1] ?? "";
    const length =
      lines
        .slice(start + 1)
        .findIndex((next) => next.startsWith(`${indent}}`) && !next.startsWith(`${indent}} `)) + 2;
    if (length > MAX_FUNCTION_LINES) found.push(`${file}:${start + 1} has ${length} lines`);
  });
  return found;
}
