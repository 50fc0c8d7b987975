/** What docs/configuration.md and docs/rows.md say of keys, defaults and limits, against what is read. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { checkDeployment } from "../../../engine/config/deployment-file.ts";
import { deploymentKeys } from "../../../engine/config/deployment.ts";
import { withLatenessLimit } from "../../../engine/config/rules.ts";

const ROOT = join(import.meta.dir, "../../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const text = read("docs/configuration.md");

/** What a deployment is made of that says no more than this. */
function deploymentOf(value: unknown): Record<string, unknown> {
  const { deployment, issues } = checkDeployment(value, null);
  expect(issues).toEqual([]);
  if (!deployment) throw new Error("it was refused");
  return withLatenessLimit(deployment, "twilio") as unknown as Record<string, unknown>;
}

const at = (value: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((found, part) => (found as Record<string, unknown> | null)?.[part], value);

/** Every path below a value that is no object. */
function leaves(value: unknown, path = ""): readonly string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === "" ? key : `${path}.${key}`));
}

describe("the environment", () => {
  test("has a row for each variable, and no row for another", () => {
    // Those of a provider that is refused are told of by its refusal.
    const names = [...read("engine/config/env.ts").matchAll(/^ {2}([A-Z][A-Z_]+): /gm)]
      .map(([, name = ""]) => name)
      .filter((name) => !name.startsWith("ELEVENLABS_"));
    const table = text.slice(text.indexOf("## Environment"), text.indexOf("## Deployment file"));
    const rows = [...table.matchAll(/^\| (`[A-Z].*?`) +\|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
    );
    expect(names.length).toBeGreaterThan(25);
    expect(rows.toSorted()).toEqual(names.toSorted());
  });
});

describe("the deployment file", () => {
  const [example = "{}", prices = "{}"] = [...text.matchAll(/```json\n([^]*?)```/g)].map(
    ([, json = ""]) => json,
  );
  const webhook = { url: "https://crm.example/" };
  const defaults = deploymentOf({ postCall: { webhook } });

  test("examples are taken", () => {
    for (const file of new Glob("docs/examples/*.json").scanSync({ cwd: ROOT })) {
      deploymentOf(JSON.parse(read(file)));
    }
    for (const file of ["configuration", "rows", "speakers", "privacy"].map((name) => `docs/${name}.md`)) {
      const blocks = [...read(file).matchAll(/```json\n([^]*?)```/g)].map(([, json = ""]) => json);
      expect([file, blocks.length]).not.toEqual([file, 0]);
      for (const block of blocks) deploymentOf(JSON.parse(block));
    }
  });

  test("the example is what stands without a file, but for words and for what there is none of by default", () => {
    const shown: unknown = JSON.parse(example);
    const others = leaves(shown).filter((path) => at(shown, path) !== at(defaults, path));
    expect(others).toEqual([
      "agent.instructions",
      "agent.greeting",
      "agent.coachInstructions",
      "agent.apology",
      "escalation.callerText",
      "escalation.rungs",
      "overload.fallbackNumber",
      "postCall.slots",
      "postCall.webhook.url",
    ]);
  });

  test("the prices are those of the default table", () => {
    expect(leaves(JSON.parse(prices)).length).toBeGreaterThan(12);
    expect(defaults).toMatchObject(JSON.parse(prices) as object);
  });

  test("has a name in the text for every key", () => {
    const whole = deploymentOf(JSON.parse(example));
    const keysBelow = (path: readonly (string | number)[], value: unknown): readonly string[] =>
      Array.isArray(value)
        ? keysBelow([...path, 0], value[0])
        : deploymentKeys(path, value).flatMap((key) => [
            [...path, key].join("."),
            ...keysBelow([...path, key], (value as Record<string, unknown> | undefined)?.[key]),
          ]);
    const keys = keysBelow([], whole);
    expect(keys.length).toBeGreaterThan(60);
    const unnamed = keys.filter((path) => {
      const key = path.split(".").at(-1) ?? "";
      return !new RegExp(`["\`.]${key}["\`]`).test(text);
    });
    expect(unnamed).toEqual([]);
  });

  const rows = [
    ...keysIn(text.slice(text.indexOf("### Escalation"), text.indexOf("### Prices")), "escalation."),
    ...keysIn(read("docs/rows.md").split("| key of `postCall`")[1] ?? "", "postCall."),
  ];

  test("tables give the defaults", () => {
    expect(rows.length).toBeGreaterThan(15);
    // What is said in words is of these alone.
    const wrong = rows.filter(({ said, path }) => said !== undefined && said !== String(at(defaults, path)));
    expect(wrong).toEqual([]);
    expect(rows.flatMap(({ said, path }) => (said === undefined ? [path] : []))).toEqual([
      "escalation.rungs",
      "escalation.details",
      "escalation.callerText",
      "postCall.slots",
      "postCall.webhook.url",
    ]);
  });

  test("tables give the limits", () => {
    const limited = rows.flatMap(({ path, limits }) => (limits ? [{ path, limits }] : []));
    expect(limited.length).toBeGreaterThan(4);
    const taken = (path: string, value: number): boolean => {
      const [part = "", key = ""] = path.split(".");
      return checkDeployment({ [part]: { [key]: value } }, null).deployment !== null;
    };
    for (const { path, limits } of limited) {
      const [least, most] = limits;
      const asked = [least - 1, least, most, most + 1].map((value) => taken(path, value));
      expect([path, asked]).toEqual([path, [false, true, true, false]]);
    }
  });
});

/** Rows of a table of keys: `| \`a\`, \`b\` | 5, 30000 | … |`, a default with its limits in brackets, or in words. */
function keysIn(table: string, prefix: string) {
  return [...table.matchAll(/^\| (`[\w.`, ]+`) +\| (.+?) +\|/gm)].flatMap(([, names = "", cell = ""]) => {
    const values = cell.split(", ");
    return [...names.matchAll(/`([\w.]+)`/g)].map(([, name = ""], index) => {
      const [, said, least, most] =
        /^`?(\d+|true|[a-z][\w.-]*)`?(?: \((\d+)–(\d+)\))?$/.exec(values[index] ?? "") ?? [];
      const limits = least === undefined ? null : ([Number(least), Number(most)] as const);
      return { path: `${prefix}${name}`, said: said === "none" ? undefined : said, limits };
    });
  });
}
