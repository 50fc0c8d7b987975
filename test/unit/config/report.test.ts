import { describe, expect, test } from "bun:test";
import { describeConfig } from "../../../engine/config/describe.ts";
import { ConfigError } from "../../../engine/errors.ts";
import { load, REAL } from "./support.ts";

const SECRETS = {
  TWILIO_AUTH_TOKEN: "sekrit auth",
  TWILIO_API_KEY: "sekrit-key",
  TWILIO_API_SECRET: "sekrit secret",
  OPENAI_API_KEY: "sekrit openai",
  ELEVENLABS_API_KEY: "sekrit eleven",
  DATABASE_URL: "postgres://user:sekrit@/",
  TANDEM_CONSOLE_TOKEN: "sekrit",
  TANDEM_ENCRYPTION_KEY: "sekrit",
  TANDEM_CONSOLE_TOKN: "sekrit-in-a-misspelt-name",
  OPENAI_BASE_URL: "https://user:sekrit@api.example/v1",
  PUBLIC_URL: "https://user:sekrit@tandem.example.com",
};

describe("a configuration that is wrong in many ways", () => {
  test("names every mistake of the environment and of the file at once", async () => {
    const deployment = { recording: "always", escalation: { repeat: -1 }, agnet: {}, agent: { voice: 7 } };
    const error = await load({ ...SECRETS, PORT: "x" }, deployment).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ConfigError);
    const names = (error as ConfigError).issues.map((issue) => issue.name);
    expect(names.toSorted()).toEqual(
      [
        ...Object.keys(SECRETS),
        "PORT",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_TWIML_APP_SID",
        "TWILIO_NUMBER",
        "recording",
        "escalation.repeat",
        "agnet",
        "agent.voice",
      ].toSorted(),
    );
  });

  test("never quotes a value", async () => {
    const deployment = { agent: { provider: "sekrit", instructions: 7, greeting: "sekrit".repeat(1000) } };
    const error = await load(SECRETS, deployment).catch((e: unknown) => e);
    expect(String(error)).not.toContain("sekrit auth");
    expect(String(error).replaceAll("TANDEM_CONSOLE_TOKN", "")).not.toContain("sekrit");
    const broken = await load({}, '{ "agent": "sekrit').catch((e: unknown) => e);
    expect(String(broken)).not.toContain("sekrit");
  });
});

describe("the banner", () => {
  test("says what will run and holds no secret and no phone number", async () => {
    const config = await load({
      ...REAL,
      TWILIO_API_KEY: `SK${"0".repeat(32)}`,
      TWILIO_API_SECRET: "fake-secret-api",
      DATABASE_URL: "postgres://user:fake-secret-password@db.example:5432/tandem",
      TANDEM_CONSOLE_TOKEN: "fake-secret-console-token",
      TANDEM_ENCRYPTION_KEY: "ab".repeat(32),
    });
    const text = describeConfig(config).join("\n");
    expect(text).toContain("twilio AC0123…");
    expect(text).toContain("postgres://db.example:5432/tandem");
    expect(text).toContain("openai gpt-realtime-2.1 at api.openai.com");
    expect(text).not.toMatch(/fake-secret|abab|\+1555|user/);
  });

  test("names the audio format only when it is not the usual one", async () => {
    expect(describeConfig(await load(REAL)).join("\n")).not.toContain("audio");
    const deployment = { agent: { audioFormat: "pcm24k" } };
    expect(describeConfig(await load(REAL, deployment)).join("\n")).toContain(", audio pcm24k");
    expect(describeConfig(await load({}, deployment)).join("\n")).toContain(", audio pcm24k");
  });

  test("says how the ladder is walked", async () => {
    const line = async (escalation?: object) =>
      describeConfig(await load({}, escalation && { escalation })).find((each) =>
        each.startsWith("escalation"),
      );
    expect(await line()).toBe(
      "escalation  8 rungs of 120 s, walked once, and again after 600 s until somebody owns it; then the AI coaches",
    );
    const rungs = [{ name: "r", contacts: [{ name: "n", voice: "+15550111" }] }];
    expect(await line({ rungs, repeat: 0, ackTimeoutMs: 30_000, afterHandover: "remove" })).toBe(
      "escalation  1 rung of 30 s, walked until somebody owns it; then the AI leaves",
    );
    expect(await line({ repeat: 3 })).toContain("walked 3 times, and again");
  });

  test("warns of people who can be paged and not rung, by their place in the file", async () => {
    const person = (name: string, channels: object) => ({ name, ...channels });
    const of = async (...contacts: object[]) =>
      describeConfig(await load({}, { escalation: { rungs: [{ name: "r", contacts }] } })).filter((line) =>
        line.startsWith("WARNING"),
      );
    expect(await of(person("a", { voice: "+15550111" }))).toEqual([]);
    const push = { push: "https://push.example/hook" };
    expect(await of(person("a", { voice: "+15550111" }), person("b", push))).toEqual([
      "WARNING     no phone number, so they can take a call but not join it: escalation.rungs[0].contacts[1]",
    ]);
    // Who answers a text is rung by the number that got it.
    expect(await of(person("a", { sms: "+15550112" }))).toEqual([]);
    const two = await of(person("a", push), person("b", push));
    expect(two[0]).toEndWith("escalation.rungs[0].contacts[0] and 1 more");
  });

  test("says whether those on the phone are told apart, what that costs, and that each is recorded", async () => {
    const lines = async (speakers: "mixed" | "forked") =>
      describeConfig(await load(REAL, { speakers, recording: "leg" })).join("\n");
    expect(await lines("mixed")).toContain("speakers    not told apart: ");
    const forked = await lines("forked");
    expect(forked).toContain(
      "speakers    told apart: the carrier forks the audio of each phone, and bills it",
    );
    expect(forked).toContain("the coach's whispers and what each leg says are not kept");
  });

  test("says where whispers are kept, or that they are not", async () => {
    const line = async (env: Record<string, string>, recording: string) =>
      describeConfig(await load({ ...REAL, ...env }, { recording })).find((each) =>
        each.startsWith("recording "),
      );
    const key = { TANDEM_ENCRYPTION_KEY: "ab".repeat(32) };
    expect(await line(key, "none")).toMatch(/ none$/);
    expect(await line({}, "conference")).toEndWith("whispers are not kept (no TANDEM_ENCRYPTION_KEY)");
    for (const [url, folder] of [
      ["sqlite://data/tandem.db", "data/recordings"],
      ["sqlite:///var/lib/tandem/calls.db", "/var/lib/tandem/recordings"],
      ["sqlite://calls.db", "recordings"],
      ["postgres://u:p@db.example:5432/tandem", "data/recordings"],
    ] as const) {
      const text = await line({ ...key, DATABASE_URL: url }, "leg");
      expect(text).toEndWith(`leg, by the carrier; the coach's whispers are kept encrypted in ${folder}`);
    }
  });

  test("warns when real calls would page the example's numbers", async () => {
    expect(describeConfig(await load(REAL)).join("\n")).toContain("WARNING");
    expect(describeConfig(await load({})).join("\n")).not.toContain("WARNING");
    const ladder = { escalation: { rungs: [{ name: "r", contacts: [{ name: "n", voice: "+15550111" }] }] } };
    expect(describeConfig(await load(REAL, ladder)).join("\n")).not.toContain("WARNING");
  });
});
