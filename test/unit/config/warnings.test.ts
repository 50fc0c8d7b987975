/** What is allowed and seldom meant is named, and what is meant is not. */
import { describe, expect, test } from "bun:test";
import { warningsOf } from "../../../engine/config/warnings.ts";
import { type Env, load, REAL } from "./support.ts";

const SOUND_ENV: Env = {
  ...REAL,
  TANDEM_CONSOLE_TOKEN: "fake-secret-console-token",
  TANDEM_ENCRYPTION_KEY: "ab".repeat(32),
};
const person = (name: string, voice: string) => ({ name, contacts: [{ name: `${name}'s`, voice }] });
const SOUND = {
  escalation: { rungs: [person("primary", "+15550111"), person("secondary", "+15550112")] },
};

async function namesOf(env: Env, deployment: object = SOUND): Promise<readonly string[]> {
  return warningsOf(await load({ ...SOUND_ENV, ...env }, deployment)).map(({ name }) => name);
}

const ladder = (...rungs: object[]) => ({ escalation: { rungs } });

describe("a sound configuration", () => {
  test("has nothing to be warned of", async () => {
    expect(await namesOf({})).toEqual([]);
  });
});

describe("a warning is given", () => {
  test.each<[string, Env, string]>([
    ["no encryption key", { TANDEM_ENCRYPTION_KEY: "" }, "TANDEM_ENCRYPTION_KEY"],
    ["no console token", { TANDEM_CONSOLE_TOKEN: "" }, "TANDEM_CONSOLE_TOKEN"],
    ["an address that Twilio cannot reach", { PUBLIC_URL: "https://10.0.0.7" }, "PUBLIC_URL"],
    ["debug lines", { LOG_LEVEL: "debug" }, "LOG_LEVEL"],
    ["a mixer far from where calls are processed", { TWILIO_REGION: "ie1" }, "region"],
    [
      "a key of before",
      { TANDEM_ENCRYPTION_KEY_PREVIOUS: "cd".repeat(32) },
      "TANDEM_ENCRYPTION_KEY_PREVIOUS",
    ],
  ])("of %s", async (_, env, name) => {
    expect(await namesOf(env)).toEqual([name]);
  });

  test("of plain http, with another host in Twilio's place", async () => {
    const env = { PUBLIC_URL: "http://tandem.example.com", TWILIO_API_BASE_URL: "http://127.0.0.1:4010" };
    expect(await namesOf(env)).toEqual(["PUBLIC_URL", "TWILIO_API_BASE_URL"]);
  });

  test("of a database server without a key, which keeps no call over a restart", async () => {
    const env = { TANDEM_ENCRYPTION_KEY: "", DATABASE_URL: "postgres://u:p@db.example/tandem" };
    const [warning] = warningsOf(await load({ ...SOUND_ENV, ...env }, SOUND));
    expect(warning?.problem).toContain("no call survives a restart");
  });

  test("of a rung that rings nobody, by its place", async () => {
    const texts = { name: "texts", contacts: [{ name: "a", sms: "+15550113" }] };
    expect(await namesOf({}, ladder(person("primary", "+15550111"), texts))).toEqual(["escalation.rungs[1]"]);
  });

  test("of one person on two rungs in a row, and not with another rung between", async () => {
    const [a, b] = [person("a", "+15550111"), person("b", "+15550112")];
    expect(await namesOf({}, ladder(a, { ...a, name: "again" }, b))).toEqual(["escalation.rungs[1]"]);
    expect(await namesOf({}, ladder(a, b, { ...a, name: "again" }))).toEqual([]);
    const byText = { name: "by text", contacts: [{ name: "a", voice: "+15550113", sms: "+15550111" }] };
    expect(await namesOf({}, ladder(a, byText))).toEqual(["escalation.rungs[1]"]);
  });

  test("of a ladder with one rung, and of one that pages the line itself", async () => {
    expect(await namesOf({}, ladder(person("a", "+15550111")))).toEqual(["escalation.rungs"]);
    const own = person("own", REAL["TWILIO_NUMBER"] ?? "");
    expect(await namesOf({}, ladder(person("a", "+15550111"), own))).toEqual(["escalation.rungs[1]"]);
  });

  test("of more phones on a rung than may be rung soon", async () => {
    const contacts = Array.from({ length: 7 }, (_, n) => ({ name: `n${n}`, voice: `+155501${20 + n}` }));
    const many = ladder({ name: "all", contacts }, person("b", "+15550112"));
    expect(await namesOf({}, many)).toEqual(["TWILIO_CALLS_PER_SECOND"]);
    expect(await namesOf({ TWILIO_CALLS_PER_SECOND: "5" }, many)).toEqual([]);
  });

  test("and quotes no value", async () => {
    const env = { TANDEM_ENCRYPTION_KEY_PREVIOUS: "cd".repeat(32), PUBLIC_URL: "https://10.0.0.7" };
    const own = person("own", REAL["TWILIO_NUMBER"] ?? "");
    const text = JSON.stringify(warningsOf(await load({ ...SOUND_ENV, ...env }, ladder(own))));
    expect(text).not.toMatch(/cdcd|abab|fake-secret|\+1555|10\.0\.0/);
  });
});
