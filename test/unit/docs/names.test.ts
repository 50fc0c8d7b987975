/** What README and docs/ name is there: files, headings, commands, and every name in backticks somewhere in the code. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "../../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const filesOf = (pattern: string): readonly string[] =>
  [...new Glob(pattern).scanSync({ cwd: ROOT })].filter((file) => !file.includes("node_modules")).toSorted();

const DOCUMENTS = ["README.md", "bench/RESULTS.md", ...filesOf("docs/*.md")];
/** Without what stands in blocks of code. */
const prose = (file: string): string => read(file).replaceAll(/^ *```[^]*?^ *```/gm, "");

/** As GitHub makes them of headings. */
function anchorsOf(file: string): readonly string[] {
  return [...prose(file).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("a link leads to a file, and to a heading of it", () => {
  const dead = DOCUMENTS.flatMap((file) =>
    [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
      if (/^https?:/.test(link)) return [];
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? file : normalize(join(dirname(file), path));
      if (!existsSync(join(ROOT, target))) return [`${file}: ${link}`];
      return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${file}: ${link}`];
    }),
  );
  expect(dead).toEqual([]);
});

test("a path of this repository is there", () => {
  const paths = /(?<![\w./-])(?:adapters|bench|docs|engine|machines|ops|test)\/[\w./-]*\w/g;
  const missing = DOCUMENTS.flatMap((file) =>
    [...read(file).matchAll(paths)]
      .map(([path]) => path)
      .filter((path) => !existsSync(join(ROOT, path)) && !existsSync(join(ROOT, "docs", path)))
      .map((path) => `${file}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test("the layout in README has every folder of the engine, the adapters and the tests", () => {
  const layout = /^## Layout\n[^]*?```\n([^]*?)```/m.exec(read("README.md"))?.[1] ?? "";
  const folders = filesOf("{engine,adapters,test}/*/**/*.ts").map((file) => file.split("/")[1] ?? "");
  const unnamed = [...new Set(folders)].filter((name) => !new RegExp(`\\b${name}\\b`).test(layout));
  // What tests share.
  expect(unnamed).toEqual(["support"]);
});

test("the table in bench/README has every benchmark", () => {
  const [table = ""] = /^\| benchmark .*\n(?:\|.*\n)+/m.exec(read("bench/README.md")) ?? [];
  const names = filesOf("bench/*.bench.ts").map((file) => file.slice("bench/".length, -".bench.ts".length));
  expect(names.filter((name) => !table.includes(`\`${name}\``))).toEqual([]);
});

test("a picture in docs/ is shown by a document, and taken by `bun run pictures`", () => {
  const shown = DOCUMENTS.map((file) => prose(file)).join("\n");
  const taken = read("test/browser/pictures.ts");
  const pictures = filesOf("docs/*/*.png").map((file) => file.slice("docs/".length));
  expect(pictures.length).toBeGreaterThan(0);
  expect(pictures.filter((picture) => !shown.includes(picture))).toEqual([]);
  expect(pictures.filter((picture) => !taken.includes(picture.slice(0, -".png".length)))).toEqual([]);
});

test("a command is a script of the package", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Readonly<Record<string, string>> };
  const unknown = DOCUMENTS.flatMap((file) =>
    [...read(file).matchAll(/bun run ([a-z][\w:-]*)/g)]
      .filter(([, name = ""]) => !(name in scripts))
      .map(([command]) => `${file}: ${command}`),
  );
  expect(unknown).toEqual([]);
});

/** Names of others' settings, that nothing here reads. */
const FOREIGN = new Set([
  "CPUQuota",
  "cpu-quota",
  "rule_files",
  "stop_grace_period",
  "terminationGracePeriodSeconds",
]);

test("a name in backticks, of an event, a counter, a key or a field, is in the code", () => {
  const code = [
    ...filesOf("{engine,adapters,machines,bench,test}/**/*.{ts,tsx,css,html}"),
    ...filesOf("ops/**/*"),
    "package.json",
  ];
  const known = new Set(code.flatMap((file) => read(file).match(/[A-Za-z][\w-]*/g) ?? []));
  const unknown = DOCUMENTS.flatMap((file) =>
    [...prose(file).matchAll(/`([A-Za-z][\w-]*(?:[.][A-Za-z][\w-]*)*)`/g)].flatMap(([, name = ""]) => {
      // A plain word may be anybody's.
      if (!/[._-]|[a-z][A-Z]/.test(name) || FOREIGN.has(name) || existsSync(join(ROOT, name))) return [];
      // Headers are read in lower case.
      const isKnown = name.split(".").every((part) => known.has(part) || known.has(part.toLowerCase()));
      return isKnown ? [] : [`${file}: ${name}`];
    }),
  );
  expect([...new Set(unknown)]).toEqual([]);
});

test("a metric is one of docs/metrics.md, which a test holds to what the engine tells", () => {
  const metrics = new Set(
    [...read("docs/metrics.md").matchAll(/^\| `(tandem_\w+)`/gm)].map(([, name]) => name),
  );
  const unknown = DOCUMENTS.flatMap((file) =>
    [...read(file).matchAll(/\btandem_[a-z]\w*[a-z]\b/g)]
      .filter(([name]) => !metrics.has(name) && name !== "tandem_restored")
      .map(([name]) => `${file}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

test("a panel that the runbook sends to is on the dashboard", () => {
  const titles = [...read("ops/grafana/tandem.json").matchAll(/"title": "(.+)"/g)].map(
    ([, title = ""]) => title,
  );
  const panels = [
    ...read("docs/runbook.md")
      .replaceAll("\n", " ")
      .matchAll(/\bpanel ([A-Z][^.;,]+)/g),
  ];
  expect(panels.length).toBeGreaterThan(6);
  expect(
    panels.map(([, name = ""]) => name).filter((name) => !titles.some((each) => each.startsWith(name))),
  ).toEqual([]);
});
