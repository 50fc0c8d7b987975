import { describe, expect, test } from "bun:test";
import { load, mistakes, namesOf, REAL, type Env } from "./support.ts";

const HEX64 = "ab".repeat(32);
const BASE64 = Buffer.from(HEX64, "hex").toString("base64");

describe("with an empty environment", () => {
  test("the engine runs the sandbox with every default", async () => {
    const config = await load({});
    expect(config.carrier).toEqual({ kind: "sandbox", callsPerSecond: 50 });
    expect(config.model).toEqual({ provider: "sandbox", model: "gpt-realtime-2.1" });
    expect(config).toMatchObject({
      port: 8080,
      publicUrl: null,
      databaseUrl: "sqlite://data/tandem.db",
      consoleToken: null,
      tokens: [],
      trustedProxies: [],
      encryptionKey: null,
      previousEncryptionKey: null,
      logLevel: "info",
      deploymentFile: null,
    });
  });

  test("empty and blank values count as unset", async () => {
    const env = { TWILIO_ACCOUNT_SID: "", TWILIO_AUTH_TOKEN: "  ", OPENAI_API_KEY: "", TANDEM_NONSENSE: "" };
    expect(await load({ ...env, PORT: "" })).toEqual(await load({}));
  });

  test("the configuration is frozen all the way down", async () => {
    const config = await load(REAL);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.carrier)).toBe(true);
    expect(Object.isFrozen(config.deployment.escalation.rungs[0]?.contacts[0])).toBe(true);
  });
});

describe("with Twilio's credentials", () => {
  test("all of them and a model key give real traffic", async () => {
    const config = await load({
      ...REAL,
      PUBLIC_URL: "https://tandem.example.com/",
      TWILIO_CALLS_PER_SECOND: "2.5",
    });
    expect(config.publicUrl).toBe("https://tandem.example.com");
    expect(config.carrier).toEqual({
      kind: "twilio",
      accountSid: REAL["TWILIO_ACCOUNT_SID"] ?? "",
      authToken: "fake-secret-auth-token",
      apiKey: null,
      twimlAppSid: REAL["TWILIO_TWIML_APP_SID"] ?? "",
      number: "+15550199",
      region: null,
      edge: null,
      apiBaseUrl: null,
      callsPerSecond: 2.5,
    });
    expect(config.model).toEqual({
      provider: "openai",
      apiKey: "fake-secret-openai-key",
      baseUrl: "https://api.openai.com/v1",
      model: "gpt-realtime-2.1",
    });
  });

  const required = [
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_TWIML_APP_SID",
    "TWILIO_NUMBER",
    "PUBLIC_URL",
  ];
  test.each(required)("%s alone missing is named", async (name) => {
    expect(await namesOf({ ...REAL, [name]: undefined })).toEqual([name]);
  });

  test("one credential alone names every other, and the model key", async () => {
    const names = await namesOf({ TWILIO_NUMBER: "+15550199" });
    expect(names).toEqual([...required.filter((name) => name !== "TWILIO_NUMBER"), "OPENAI_API_KEY"]);
  });

  test("some of them, whichever they are, never start the sandbox", async () => {
    const names = Object.keys(REAL).filter((name) => name.startsWith("TWILIO_"));
    for (let some = 1; some < 2 ** names.length - 1; some++) {
      const env = Object.fromEntries(
        names.filter((_, i) => some & (1 << i)).map((name) => [name, REAL[name]]),
      );
      const missing = names.filter((name) => !(name in env));
      expect(await namesOf(env)).toEqual(expect.arrayContaining(missing));
    }
  });

  test("a wrong value counts as set: it is reported as wrong, not as missing", async () => {
    const issues = await mistakes({ ...REAL, TWILIO_NUMBER: "555-0100" });
    expect(issues.map((issue) => [issue.name, issue.problem])).toEqual([
      ["TWILIO_NUMBER", "is not a phone number in E.164 form"],
    ]);
  });

  test("an API key and its secret come together", async () => {
    const key = `SK${"0".repeat(32)}`;
    expect(await namesOf({ ...REAL, TWILIO_API_KEY: key })).toEqual(["TWILIO_API_SECRET"]);
    expect(await namesOf({ ...REAL, TWILIO_API_SECRET: "fake" })).toEqual(["TWILIO_API_KEY"]);
    const config = await load({ ...REAL, TWILIO_API_KEY: key, TWILIO_API_SECRET: "fake" });
    expect(config.carrier).toMatchObject({ apiKey: { sid: key, secret: "fake" } });
  });

  test("a real caller never meets the sandbox model for want of a key", async () => {
    expect(await namesOf({ ...REAL, OPENAI_API_KEY: undefined })).toEqual(["OPENAI_API_KEY"]);
  });

  test.each([
    [{ TWILIO_REGION: "ie1" }, { region: "ie1", edge: "dublin" }],
    [
      { TWILIO_REGION: "au1", TWILIO_EDGE: "sydney" },
      { region: "au1", edge: "sydney" },
    ],
    [{ TWILIO_REGION: "us1" }, { region: "us1", edge: "ashburn" }],
    [{ TWILIO_EDGE: "frankfurt" }, { region: "us1", edge: "frankfurt" }],
  ])("region and edge %j become %j", async (env: Env, expected) => {
    expect((await load({ ...REAL, ...env })).carrier).toMatchObject(expected);
  });

  test.each([
    [{ TWILIO_REGION: "ie1", TWILIO_EDGE: "sydney" }, "TWILIO_EDGE"],
    [{ TWILIO_REGION: "us1", TWILIO_EDGE: "dublin" }, "TWILIO_EDGE"],
    [{ TWILIO_EDGE: "dublin" }, "TWILIO_REGION"],
  ])("region and edge %j do not go together", async (env: Env, name) => {
    expect(await namesOf({ ...REAL, ...env })).toEqual([name]);
  });

  test("plain http is for loopback, or for a carrier of one's own", async () => {
    expect(await namesOf({ ...REAL, PUBLIC_URL: "http://tandem.example.com" })).toEqual(["PUBLIC_URL"]);
    expect((await load({ ...REAL, PUBLIC_URL: "http://127.0.0.1:8080" })).publicUrl).toBe(
      "http://127.0.0.1:8080",
    );
    const env = {
      ...REAL,
      PUBLIC_URL: "http://engine:8080",
      TWILIO_API_BASE_URL: "http://recorder:9001/base/",
    };
    expect((await load(env)).carrier).toMatchObject({ apiBaseUrl: "http://recorder:9001/base" });
  });
});

describe("mixed parts", () => {
  test("the sandbox carrier with a real model key is a real conversation", async () => {
    const config = await load({
      OPENAI_API_KEY: "fake",
      OPENAI_BASE_URL: "http://127.0.0.1:9/v1/",
      OPENAI_REALTIME_MODEL: "m",
    });
    expect(config.carrier.kind).toBe("sandbox");
    expect(config.model).toEqual({
      provider: "openai",
      apiKey: "fake",
      baseUrl: "http://127.0.0.1:9/v1",
      model: "m",
    });
  });

  test("a model address without a key is refused", async () => {
    expect(await namesOf({ OPENAI_BASE_URL: "http://127.0.0.1:9/v1" })).toEqual(["OPENAI_API_KEY"]);
  });

  test("the model of the deployment counts unless the environment names one", async () => {
    const deployment = { agent: { model: "from-file" } };
    expect((await load({}, deployment)).model.model).toBe("from-file");
    expect((await load({ OPENAI_REALTIME_MODEL: "from-env" }, deployment)).model.model).toBe("from-env");
  });

  test("settings of Twilio's API without credentials are refused, not ignored", async () => {
    const env = { TWILIO_API_BASE_URL: "http://127.0.0.1:9", TWILIO_REGION: "ie1", TWILIO_EDGE: "dublin" };
    const issues = await mistakes(env);
    expect(issues.map((issue) => issue.name)).toEqual(Object.keys(env));
    expect(issues[0]?.problem).toContain("no Twilio credentials");
  });

  test("ElevenLabs needs its key and agent, and is refused as not there yet", async () => {
    const deployment = { agent: { provider: "elevenlabs" } };
    expect(await namesOf({}, deployment)).toEqual([
      "ELEVENLABS_API_KEY",
      "ELEVENLABS_AGENT_ID",
      "agent.provider",
    ]);
    const env = { ELEVENLABS_API_KEY: "fake", ELEVENLABS_AGENT_ID: "agent_1" };
    expect((await mistakes(env, deployment))[0]?.problem).toContain("no ElevenLabs adapter yet");
  });
});

describe("values", () => {
  const token = "fake-console-token-0123";
  test.each([
    ["PORT", "0", "port", 0],
    ["PORT", "65535", "port", 65_535],
    ["LOG_LEVEL", "DEBUG", "logLevel", "debug"],
    ["TANDEM_CONSOLE_TOKEN", ` ${token}\n`, "consoleToken", token],
    ["TANDEM_ENCRYPTION_KEY", HEX64, "encryptionKey", Uint8Array.fromHex(HEX64)],
    ["TANDEM_ENCRYPTION_KEY", BASE64, "encryptionKey", Uint8Array.fromHex(HEX64)],
    ["TANDEM_ENCRYPTION_KEY", BASE64.replace("=", ""), "encryptionKey", Uint8Array.fromHex(HEX64)],
    [
      "TANDEM_ENCRYPTION_KEY",
      Buffer.alloc(32, 0xfb).toString("base64url"),
      "encryptionKey",
      new Uint8Array(32).fill(0xfb),
    ],
    ["DATABASE_URL", "sqlite:///var/lib/tandem.db", "databaseUrl", "sqlite:///var/lib/tandem.db"],
    ["DATABASE_URL", "postgres://u:p@db.example/tandem", "databaseUrl", "postgres://u:p@db.example/tandem"],
  ])("%s=%s is taken", async (name, value, key, expected) => {
    expect((await load({ [name]: value })) as unknown as Record<string, unknown>).toMatchObject({
      [key]: expected,
    });
  });

  test.each([
    ["PORT", "65536"],
    ["PORT", "-1"],
    ["PORT", "80a"],
    ["PORT", "99999999999999999999"],
    ["PUBLIC_URL", "tandem.example.com"],
    ["PUBLIC_URL", "https://tandem.example.com/path"],
    ["PUBLIC_URL", "https://tandem.example.com/?q"],
    ["PUBLIC_URL", "https://user:pw@tandem.example.com"],
    ["PUBLIC_URL", "wss://tandem.example.com"],
    ["TWILIO_ACCOUNT_SID", "AC123"],
    ["TWILIO_TWIML_APP_SID", `AC${"0".repeat(32)}`],
    ["TWILIO_API_KEY", "SKxyz"],
    ["TWILIO_NUMBER", "15550100"],
    ["TWILIO_NUMBER", "+05550100"],
    ["TWILIO_NUMBER", "+1555010000000000"],
    ["TWILIO_REGION", "de1"],
    ["TWILIO_EDGE", "paris"],
    ["TWILIO_CALLS_PER_SECOND", "0"],
    ["TWILIO_CALLS_PER_SECOND", "many"],
    ["TWILIO_API_BASE_URL", "ftp://example.com"],
    ["OPENAI_API_KEY", "two words"],
    ["OPENAI_BASE_URL", "https://api.openai.com/v1?x=1"],
    ["OPENAI_REALTIME_MODEL", "a model"],
    ["ELEVENLABS_AGENT_ID", "a/b"],
    ["DATABASE_URL", "sqlite://"],
    ["DATABASE_URL", "sqlite:///"],
    ["DATABASE_URL", "data/tandem.db"],
    ["DATABASE_URL", "postgres://db.example"],
    ["DATABASE_URL", "mysql://db.example/tandem"],
    ["TANDEM_CONSOLE_TOKEN", "short"],
    ["TANDEM_ENCRYPTION_KEY", "abcd"],
    ["TANDEM_ENCRYPTION_KEY", `${HEX64}00`],
    ["TANDEM_ENCRYPTION_KEY", Buffer.alloc(33).toString("base64")],
    ["LOG_LEVEL", "loud"],
  ])("%s=%s is refused by name, once, with a fix", async (name, value) => {
    const issues = await mistakes({ ...REAL, [name]: value });
    const own = issues.filter((issue) => issue.name === name);
    expect(own).toHaveLength(1);
    expect(own[0]?.problem).not.toBe("");
    expect(own[0]?.fix).not.toBe("");
  });

  test("a previous encryption key goes with a present one only", async () => {
    const previous = { TANDEM_ENCRYPTION_KEY_PREVIOUS: "ab".repeat(32) };
    const both = await load({ ...previous, TANDEM_ENCRYPTION_KEY: HEX64 });
    expect(both.previousEncryptionKey).toEqual(new Uint8Array(32).fill(0xab));
    expect(await mistakes(previous)).toMatchObject([{ name: "TANDEM_ENCRYPTION_KEY_PREVIOUS" }]);
  });

  test("an unknown TANDEM_ name is refused with the one that was meant", async () => {
    const [near, bare, far] = await mistakes({
      TANDEM_CONSOL_TOKEN: "x",
      TANDEM_DATABASE_URL: "x",
      TANDEM_WHATEVER_ELSE: "x",
    });
    expect(near).toMatchObject({ name: "TANDEM_CONSOL_TOKEN", fix: "did you mean TANDEM_CONSOLE_TOKEN?" });
    expect(bare).toMatchObject({ name: "TANDEM_DATABASE_URL", fix: "did you mean DATABASE_URL?" });
    expect(far?.fix).toContain("remove it");
  });

  test("a viewer's token needs the operator's beside it, and is another", async () => {
    const [operator, viewer] = ["an-operators-token", "a-viewers-own-token"];
    const both = { ...REAL, TANDEM_CONSOLE_TOKEN: operator };
    expect(await load({ ...both, TANDEM_VIEWER_TOKEN: viewer })).toMatchObject({ viewerToken: viewer });
    expect(await load(both)).toMatchObject({ viewerToken: null });
    expect(await namesOf({ ...REAL, TANDEM_VIEWER_TOKEN: viewer })).toEqual(["TANDEM_VIEWER_TOKEN"]);
    expect(await namesOf({ ...both, TANDEM_VIEWER_TOKEN: operator })).toEqual(["TANDEM_VIEWER_TOKEN"]);
    expect(await namesOf({ ...both, TANDEM_VIEWER_TOKEN: "short" })).toEqual(["TANDEM_VIEWER_TOKEN"]);
  });
});
