/** The file of tokens with names, and the command that makes one. */
import { describe, expect, test } from "bun:test";
import { describeConfig } from "../../../engine/config/describe.ts";
import { loadConfig } from "../../../engine/config/load.ts";
import { runToken } from "../../../engine/config/token-cli.ts";
import { tokenHash } from "../../../engine/config/tokens-file.ts";
import { ConfigError } from "../../../engine/errors.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { type Env, REAL } from "./support.ts";

const WITH_CONSOLE: Env = { ...REAL, TANDEM_CONSOLE_TOKEN: "the-console-token" };
const ANN = { name: "ann", role: "operator", sha256: "a".repeat(64) };
const BOB = { name: "bob@desk", role: "viewer", sha256: "b".repeat(64) };

async function load(file: unknown, env: Env = WITH_CONSOLE) {
  const text = typeof file === "string" ? file : JSON.stringify(file);
  const readFile = (path: string): Promise<string> =>
    path === "/etc/tokens.json" ? Promise.resolve(text) : Promise.reject(new Error(`no ${path}`));
  return await loadConfig({ env: { ...env, TANDEM_TOKENS: "tokens.json" }, cwd: "/etc", readFile });
}

async function mistakes(file: unknown, env?: Env) {
  const error = await load(file, env).catch((e: unknown) => e);
  if (!(error instanceof ConfigError)) throw new Error(`expected a ConfigError, got ${String(error)}`);
  return error.issues;
}

const namesOf = async (file: unknown, env?: Env) => (await mistakes(file, env)).map(({ name }) => name);

describe("the file of TANDEM_TOKENS", () => {
  test("has names, roles and hashes", async () => {
    const { tokens } = await load([ANN, { ...BOB, sha256: "B".repeat(64) }]);
    expect(tokens).toEqual([ANN, BOB] as never);
    expect((await load([])).tokens).toEqual([]);
  });

  test("is counted by role at the start, and no name or hash is shown", async () => {
    const lines = describeConfig(await load([ANN, BOB, { ...BOB, name: "eve", sha256: "e".repeat(64) }]));
    expect(lines).toContain("console     token required; with names: 2 viewers, 1 operator");
    expect(lines.join("\n")).not.toMatch(/ann|aaaa/);
  });

  test.each<readonly [what: string, file: unknown, names: readonly string[]]>([
    ["that is no JSON", '[{"name": "ann",}]', ["TANDEM_TOKENS"]],
    ["that is no array", { ann: "operator" }, ["TANDEM_TOKENS"]],
    ["with a key too many", [{ ...ANN, token: "x" }], ["TANDEM_TOKENS[0].token"]],
    ["without a role", [{ name: "ann", sha256: ANN.sha256 }], ["TANDEM_TOKENS[0].role"]],
    ["with an unknown role", [ANN, { ...BOB, role: "root" }], ["TANDEM_TOKENS[1].role"]],
    ["with a token in place of its hash", [{ ...ANN, sha256: "tandem_secret" }], ["TANDEM_TOKENS[0].sha256"]],
    ["with a name that is none", [{ ...ANN, name: "ann; x" }], ["TANDEM_TOKENS[0].name"]],
    ["with a name of Tandem's own", [{ ...ANN, name: "Console" }], ["TANDEM_TOKENS[0].name"]],
    ["with one name twice", [ANN, { ...BOB, name: "ANN" }], ["TANDEM_TOKENS[1].name"]],
    ["with one token twice", [ANN, { ...BOB, sha256: ANN.sha256 }], ["TANDEM_TOKENS[1].sha256"]],
    [
      "with several mistakes",
      [
        { ...ANN, name: "" },
        { ...BOB, role: 7 },
      ],
      ["TANDEM_TOKENS[0].name", "TANDEM_TOKENS[1].role"],
    ],
  ])("%s is refused by name, with a fix and without a value", async (_, file, names) => {
    const issues = await mistakes(file);
    expect(issues.map(({ name }) => name)).toEqual([...names]);
    for (const { problem, fix } of issues) {
      expect([problem, fix]).not.toContain("");
      expect(`${problem} ${fix}`).not.toMatch(/tandem_secret|root/);
    }
  });

  test("that cannot be read is a mistake", async () => {
    const env = { ...WITH_CONSOLE, TANDEM_TOKENS: "/nowhere/tokens.json" };
    const error = await loadConfig({ env }).catch((e: unknown) => e);
    expect((error as ConfigError).issues).toMatchObject([{ name: "TANDEM_TOKENS" }]);
  });

  test("needs a console token, whose own hash it does not have, nor that of the viewer's", async () => {
    expect(await namesOf([ANN], REAL)).toEqual(["TANDEM_TOKENS"]);
    expect(await namesOf([ANN, { ...BOB, sha256: tokenHash("the-console-token") }])).toEqual([
      "TANDEM_TOKENS[1].sha256",
    ]);
    const env = { ...WITH_CONSOLE, TANDEM_VIEWER_TOKEN: "the-viewers-token" };
    expect(await namesOf([{ ...ANN, sha256: tokenHash("the-viewers-token") }], env)).toEqual([
      "TANDEM_TOKENS[0].sha256",
    ]);
  });
});

describe("bun run token", () => {
  async function run(...argv: string[]) {
    let [out, err] = ["", ""];
    const surface = { out: (text: string) => void (out += text), err: (text: string) => void (err += text) };
    const code = await runToken(argv, surface, seededIds(1));
    return { code, out, err };
  }

  test("prints a token once, and an entry that the file takes as it is", async () => {
    const { code, out, err } = await run("--name", "ann", "--role", "operator");
    expect([code, err]).toEqual([0, ""]);
    const [token = ""] = /tandem_[\w-]{32,}/.exec(out) ?? [];
    expect(out.split(token)).toHaveLength(2);
    const [entry = ""] = /\{.*\}/.exec(out) ?? [];
    const { tokens } = await load(`[${entry}]`);
    expect(tokens).toEqual([{ name: "ann", role: "operator", sha256: tokenHash(token) }]);
  });

  test("names every mistake, and prints no token then", async () => {
    expect(await run("--name", "a b", "--role", "root")).toMatchObject({ code: 2, out: "" });
    const { err } = await run();
    expect(err).toContain("--name");
    expect(err).toContain("--role: is missing");
    expect((await run("--nme", "ann")).code).toBe(2);
    expect((await run("--help")).out).toContain("--role ROLE");
  });
});
