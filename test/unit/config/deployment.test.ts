import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostKind } from "../../../engine/config/addresses.ts";
import { defineDeployment } from "../../../engine/config/define.ts";
import { loadConfig } from "../../../engine/config/load.ts";
import { load, mistakes, namesOf, REAL } from "./support.ts";

/** The contract's example, every key of it. */
const EXAMPLE = defineDeployment({
  agent: {
    name: "after-hours",
    provider: "openai",
    voice: "marin",
    instructions: "…",
    greeting: "…",
    coachInstructions: "…",
  },
  escalation: {
    ackTimeoutMs: 120_000,
    repeat: 1,
    afterHandover: "coach",
    rungs: [
      {
        name: "primary",
        contacts: [
          { name: "on-call nurse", voice: "+15550100", sms: "+15550100", push: "https://push.example/hook" },
        ],
      },
    ],
  },
  region: "us1",
  recording: "none",
});

const withContact = (contact: unknown) => ({
  escalation: { rungs: [{ name: "primary", contacts: [contact] }] },
});

describe("the pacing of speech", () => {
  test("has defaults, and takes what is given", async () => {
    expect((await load({})).deployment.media).toEqual({ leadMs: 160, chunkMs: 20, markEveryMs: 160 });
    const media = { leadMs: 300, chunkMs: 100, markEveryMs: 100 };
    expect((await load({}, { media })).deployment.media).toEqual(media);
    expect((await load({}, { media: { leadMs: 60, chunkMs: 60 } })).deployment.media).toMatchObject({
      leadMs: 60,
      chunkMs: 60,
    });
  });

  const refused: [object, string, RegExp][] = [
    [{ leadMs: 10 }, "media.leadMs", /at least 20/],
    [{ leadMs: 1001 }, "media.leadMs", /at most 1000/],
    [{ chunkMs: 30 }, "media.chunkMs", /multiple of 20.*20, 40/],
    [{ chunkMs: 220 }, "media.chunkMs", /at most 200/],
    [{ chunkMs: 200 }, "media.leadMs", /160.*chunk of 200 ms.*media\.chunkMs or more/],
    [{ markEveryMs: 0 }, "media.markEveryMs", /at least 20/],
    [{ lead: 100 }, "media.lead", /leadMs/],
  ];
  for (const [media, name, problem] of refused) {
    test(`${JSON.stringify(media)} is refused by name, with the fix`, async () => {
      const found = await mistakes({}, { media });
      expect(found.map((issue) => issue.name)).toEqual([name]);
      expect(`${found[0]?.problem}: ${found[0]?.fix}`).toMatch(problem);
    });
  }
});

describe("the deployment file", () => {
  test("the built-in example pages primary, secondary and six fallbacks, 120 s each", async () => {
    const { escalation } = (await load({})).deployment;
    expect(escalation.rungs.map((rung) => rung.name)).toEqual([
      "primary",
      "secondary",
      ...[1, 2, 3, 4, 5, 6].map((n) => `fallback ${n}`),
    ]);
    expect(escalation).toMatchObject({ ackTimeoutMs: 120_000, repeat: 1, afterHandover: "coach" });
  });

  test("the contract's example loads, and what it leaves out takes the defaults", async () => {
    const { deployment, deploymentFile } = await load({}, EXAMPLE);
    expect(deployment).toMatchObject(EXAMPLE as object);
    expect(deployment.agent.audioFormat).toBe("pcmu");
    expect(deployment.speakers).toBe("mixed");
    expect(deployment.agent.turnDetection).toEqual({
      type: "server_vad",
      threshold: 0.5,
      prefixPaddingMs: 300,
      silenceMs: 500,
    });
    expect(deployment.limits).toEqual({
      maxCallMs: 14_400_000,
      arriveTimeoutMs: 30_000,
      modelReadyTimeoutMs: 10_000,
      drainMs: 30_000,
      onDrainEnd: "hand-over",
      maxLiveCalls: 500,
    });
    expect(deploymentFile).toBe(join(process.cwd(), "deployment.json"));
  });

  test("the limit of lateness is 5 ms for real calls, and in the sandbox only what is set", async () => {
    const limits = { loopLatenessMs: 12, minLiveCalls: 3 };
    expect((await load(REAL)).deployment.overload).toEqual({ loopLatenessMs: 3, minLiveCalls: 20 });
    expect((await load({})).deployment.overload).toEqual({ loopLatenessMs: 0, minLiveCalls: 20 });
    for (const env of [REAL, {}]) {
      expect((await load(env, { overload: limits })).deployment.overload).toEqual(limits);
    }
  });

  test("a fallback number that is the engine's own is refused: callers would go round in circles", async () => {
    const overload = (fallbackNumber: string) => ({ overload: { fallbackNumber } });
    expect(await mistakes(REAL, overload(REAL["TWILIO_NUMBER"] ?? ""))).toEqual([
      {
        name: "overload.fallbackNumber",
        problem: "is the number that callers dial: whoever is turned away would only come back",
        fix: "give another number, or leave it out",
      },
    ]);
    expect(await mistakes(REAL, overload("5550100"))).toMatchObject([
      { name: "overload.fallbackNumber", problem: "is not a phone number in E.164 form" },
    ]);
    const { deployment } = await load(REAL, overload("+15550100"));
    expect(deployment.overload.fallbackNumber).toBe("+15550100");
  });

  test.each([
    ["unknown key", { recoring: "leg" }, "recoring", "did you mean recording?"],
    [
      "unknown nested key",
      { agent: { instruction: "x" } },
      "agent.instruction",
      "did you mean instructions?",
    ],
    [
      "unknown key in a contact",
      withContact({ name: "n", voice: "+15550100", mail: "x" }),
      "escalation.rungs[0].contacts[0].mail",
      "remove it; known keys: name, voice, sms, push",
    ],
    [
      "unknown key of a turn detection",
      { agent: { turnDetection: { type: "server_vad", eagerness: "low" } } },
      "agent.turnDetection.eagerness",
      "remove it; known keys: type, threshold, prefixPaddingMs, silenceMs",
    ],
    [
      "unknown key of a model's prices",
      { prices: { currency: "EUR", models: { "a-model": { textInpt: 4 } } } },
      "prices.models.a-model.textInpt",
      "did you mean textInput?",
    ],
    [
      "date of prices that is none",
      { prices: { currency: "EUR", asOf: "2026-13-01" } },
      "prices.asOf",
      "write it like 2026-11-22",
    ],
    [
      "contact without a channel",
      withContact({ name: "n" }),
      "escalation.rungs[0].contacts[0]",
      "add voice, sms or push",
    ],
    [
      "contact without a name",
      withContact({ sms: "+15550100" }),
      "escalation.rungs[0].contacts[0].name",
      "add it, as a string",
    ],
    [
      "number not E.164",
      withContact({ name: "n", sms: "555 0100" }),
      "escalation.rungs[0].contacts[0].sms",
      "write + and the country code, digits only, like +15550100",
    ],
    [
      "empty rung",
      { escalation: { rungs: [{ name: "r", contacts: [] }] } },
      "escalation.rungs[0].contacts",
      "add one entry or more",
    ],
    ["no rung", { escalation: { rungs: [] } }, "escalation.rungs", "add one entry or more"],
    [
      "seconds for milliseconds",
      { escalation: { ackTimeoutMs: 120 } },
      "escalation.ackTimeoutMs",
      "use a number that is at least 1000",
    ],
    [
      "too long a window",
      { escalation: { ackTimeoutMs: 3_600_001 } },
      "escalation.ackTimeoutMs",
      "use a number that is at most 3600000",
    ],
    ["fraction", { escalation: { repeat: 0.5 } }, "escalation.repeat", "write a whole number"],
    ["text for a number", { escalation: { repeat: "2" } }, "escalation.repeat", "write a number"],
    [
      "too many walks",
      { escalation: { repeat: 101 } },
      "escalation.repeat",
      "use a number that is at most 100",
    ],
    [
      "unknown handover",
      { escalation: { afterHandover: "stay" } },
      "escalation.afterHandover",
      "use one of: coach, remove",
    ],
    ["unknown speakers", { speakers: "told" }, "speakers", "use one of: mixed, forked"],
    ["unknown recording", { recording: "always" }, "recording", "use one of: none, conference, leg"],
    ["unknown region", { region: "us3" }, "region", "use one of: us1, us2, ie1, de1, sg1, br1, au1, jp1"],
    [
      "unknown audio format",
      { agent: { audioFormat: "pcm16" } },
      "agent.audioFormat",
      "use one of: pcmu, pcm24k",
    ],
    ["unknown provider", { agent: { provider: "acme" } }, "agent.provider", "use one of: openai, elevenlabs"],
    [
      "empty instructions",
      { agent: { instructions: "  " } },
      "agent.instructions",
      "write a text of one character or more",
    ],
    [
      "unknown turn detection",
      { agent: { turnDetection: { type: "magic" } } },
      "agent.turnDetection.type",
      "use one of: server_vad, semantic_vad",
    ],
    ["not an object", [], "the deployment", "write an object"],
  ])("%s is refused by path, with a fix", async (_, deployment, name, fix) => {
    const issues = await mistakes({}, deployment);
    expect(issues.map((issue) => [issue.name, issue.fix])).toEqual([[name, fix]]);
  });

  test("two contacts of one rung with one number are refused, whichever channels they share it by", async () => {
    const rung = (name: string, ...contacts: object[]) => ({ name, contacts });
    const a = { name: "a", voice: "+15550111", sms: "+15550111" };
    const issuesOf = async (...rungs: object[]) => await mistakes({}, { escalation: { rungs } });
    const shared = await issuesOf(rung("r", a, { name: "b", voice: "+15550112", sms: "+15550111" }));
    expect(shared).toEqual([
      {
        name: "escalation.rungs[0].contacts[1].sms",
        problem: "is a number of contacts[0] of the same rung",
        fix: "give each contact of a rung numbers of their own, or make them one contact",
      },
    ]);
    expect(await issuesOf(rung("r", a), rung("s", { name: "b", voice: 5 }, a))).toHaveLength(1);
    const apart = await load({}, { escalation: { rungs: [rung("r", a), rung("s", a)] } });
    expect(apart.deployment.escalation.rungs).toHaveLength(2);
  });

  test.each([["both"], [["conference", "leg"]], ["conference,leg"]])(
    "both recordings at once (%j) are refused for their price",
    async (recording) => {
      const [issue] = await mistakes({}, { recording });
      expect(issue).toMatchObject({ name: "recording", problem: expect.stringContaining("both are billed") });
    },
  );

  test.each([
    "http://push.example/hook",
    "https://10.0.0.7/hook",
    "https://192.168.1.1",
    "https://172.31.255.255/",
    "https://169.254.169.254/latest/meta-data",
    "http://0x0a000001/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[64:ff9b::a00:1]/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://printer.local/",
    "https://user:pw@push.example/hook",
    "ftp://push.example/hook",
    "push.example/hook",
  ])("a push to %s is refused", async (push) => {
    expect(await namesOf({}, withContact({ name: "n", push }))).toEqual([
      "escalation.rungs[0].contacts[0].push",
    ]);
  });

  test.each([
    "https://push.example/hook?k=v",
    "http://127.0.0.1:9/x",
    "http://localhost:9",
    "http://[::1]:9/",
    "https://172.32.0.1/",
  ])("a push to %s is taken", async (push) => {
    const { escalation } = (await load({}, withContact({ name: "n", push }))).deployment;
    expect(escalation.rungs[0]?.contacts[0]).toEqual({ name: "n", push });
  });

  test("addresses are told apart at the ends of their blocks", () => {
    expect(["9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"].map(hostKind)).toEqual([
      "public",
      "private",
      "private",
      "public",
    ]);
    expect(["127.255.255.255", "128.0.0.0", "223.255.255.255", "224.0.0.0"].map(hostKind)).toEqual([
      "loopback",
      "public",
      "public",
      "private",
    ]);
    expect(["[2606:4700::1111]", "[febf::1]", "[::ffff:7f00:1]", "[::]"].map(hostKind)).toEqual([
      "public",
      "private",
      "loopback",
      "private",
    ]);
  });
});

describe("reading the file", () => {
  test.each([
    ['{\n  "agent": {},\n}', "line 3, column 1", "a key in double quotes"],
    ['{ "agent" {} }', "line 1, column 11", "a colon"],
    ['{ "a": 01 }', "line 1, column 8", "a value"],
    ['{ "a": "x\ny" }', "line 1, column 8", "a value"],
    ['{ "a": 1 "b": 2 }', "line 1, column 10", "a comma or }"],
    ["[1, 2", "line 1, column 6", "a comma or ] is expected, but the file ends"],
    ["{} x", "line 1, column 4", "nothing more"],
    ["", "line 1, column 1", "but the file ends"],
    ["{ 'a': 1 }", "line 1, column 3", "a key in double quotes"],
  ])("JSON that breaks is located: %j", async (text, where, what) => {
    const [issue] = await mistakes({}, text);
    expect(issue?.name).toBe("TANDEM_CONFIG");
    expect(issue?.problem).toContain(where);
    expect(issue?.problem).toContain(what);
  });

  test("a byte order mark does no harm", async () => {
    expect((await load({}, '\uFEFF{ "recording": "leg" }')).deployment.recording).toBe("leg");
  });

  test("a file that is not there, or of another kind, is named with its path", async () => {
    const [missing] = await loadConfig({ env: { TANDEM_CONFIG: "no/such.json" } }).catch((e) => e.issues);
    expect(missing).toMatchObject({
      name: "TANDEM_CONFIG",
      problem: expect.stringContaining("cannot be read"),
    });
    expect(missing.fix).toContain(join(process.cwd(), "no/such.json"));
    const [kind] = await loadConfig({ env: { TANDEM_CONFIG: "deployment.yaml" } }).catch((e) => e.issues);
    expect(kind.problem).toBe("is not a .json, .ts or .js file");
  });

  test("a TypeScript file exports its deployment; other exports are refused", async () => {
    const cwd = await mkdtemp(join(tmpdir(), "tandem-config-"));
    const define = join(import.meta.dir, "../../../engine/config/define.ts");
    const write = (name: string, text: string) => Bun.write(join(cwd, name), text);
    const problem = async (file: string) =>
      (await loadConfig({ cwd, env: { TANDEM_CONFIG: file } }).catch((e) => e.issues[0])).problem as string;
    try {
      await write(
        "good.ts",
        `import { defineDeployment } from ${JSON.stringify(define)};
        export default defineDeployment({ region: "ie1" satisfies string });`,
      );
      const config = await loadConfig({ cwd, env: { TANDEM_CONFIG: "./good.ts" } });
      expect(config.deployment.region).toBe("ie1");
      expect(config.deploymentFile).toBe(join(cwd, "good.ts"));
      await write("none.js", "export const deployment = {};");
      expect(await problem("none.js")).toBe("has no default export");
      await write("function.ts", "export default () => ({});");
      expect(await problem("function.ts")).toBe("has a default export that is not an object");
      await write("broken.ts", "export default {");
      expect(await problem("broken.ts")).toContain("cannot be loaded");
      expect(await problem("absent.ts")).toContain("cannot be loaded");
    } finally {
      await rm(cwd, { recursive: true, force: true });
    }
  });
});
