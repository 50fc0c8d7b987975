import { describe, expect, test } from "bun:test";
import { parseCallArgs } from "../../../../adapters/sandbox/cli/args.ts";
import {
  conversationSteps,
  findScenario,
  listScenarios,
} from "../../../../adapters/sandbox/cli/scenarios.ts";
import { textsOf } from "../../../../adapters/sandbox/cli/script.ts";
import { ConfigError } from "../../../../engine/errors.ts";

function mistakes(argv: string[], env: Record<string, string> = {}): readonly string[] {
  try {
    parseCallArgs(argv, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map(({ name, problem }) => `${name} ${problem}`);
    throw error;
  }
  return [];
}

describe("the arguments of `bun run call`", () => {
  test("default to the first scenario and the engine on this machine", () => {
    expect(parseCallArgs([], {})).toEqual({
      mode: "call",
      utterances: [],
      scenario: "after-hours",
      engineUrl: "http://127.0.0.1:8080",
      token: undefined,
      recordPath: null,
      from: "+15550142",
      timeoutMs: 300_000,
      json: false,
    });
  });

  test("take port and token from the environment", () => {
    const args = parseCallArgs([], { PORT: "9000", TANDEM_CONSOLE_TOKEN: "not-a-real-token" });
    expect(args).toMatchObject({ engineUrl: "http://127.0.0.1:9000", token: "not-a-real-token" });
  });

  test("keep the order of what is said, and give each text to its WAV", () => {
    const argv = ["--say", "one", "--wav", "a.wav", "--say=two", "--wav", "b.wav", "--text", "words of a"];
    expect(parseCallArgs(argv, {}).utterances).toEqual([
      { kind: "say", text: "one" },
      { kind: "wav", path: "a.wav", text: "words of a" },
      { kind: "say", text: "two" },
      { kind: "wav", path: "b.wav" },
    ]);
  });

  test("take every other option", () => {
    const argv = [
      "--scenario",
      "coach",
      "--record",
      "out.wav",
      "--engine",
      "https://tandem.example/",
      "--json",
    ];
    expect(parseCallArgs([...argv, "--timeout", "12.5", "--from", "+15550177"], {})).toMatchObject({
      scenario: "coach",
      recordPath: "out.wav",
      engineUrl: "https://tandem.example",
      json: true,
      timeoutMs: 12_500,
      from: "+15550177",
    });
    expect(parseCallArgs(["--list"], {}).mode).toBe("list");
    expect(parseCallArgs(["--list", "--help"], {}).mode).toBe("help");
  });

  test.each<[string, string[], string[]]>([
    ["unknown options", ["--sya", "x"], ["--sya is not known", "x is not an option"]],
    ["words without quotes", ["--say", "hello", "there"], ["there is not an option"]],
    ["options without a value", ["--record"], ["--record has no value"]],
    ["a scenario that is not known", ["--scenario", "party"], ['--scenario "party" is not known']],
    ["a number that is none", ["--from", "5550142"], ['--from "5550142" is not a phone number']],
    [
      "an address that is none",
      ["--engine", "localhost"],
      ['--engine gives "localhost", which is no address'],
    ],
    ["a time that is none", ["--timeout", "-1"], ['--timeout "-1" is not a time']],
    ["a text without a WAV", ["--text", "x"], ["--text has no --wav that it belongs to"]],
    [
      "a scenario and something to say",
      ["--scenario", "coach", "--say", "x"],
      ["--scenario is given together with --say or --wav"],
    ],
  ])("refuse %s", (_name, argv, problems) => {
    const found = mistakes(argv);
    for (const problem of problems) expect(found).toContain(problem);
  });

  test("name every mistake at once", () => {
    expect(mistakes(["--nope", "--timeout", "soon", "--from", "me"], { PORT: "http" }).length).toBe(4);
  });
});

describe("the scenarios", () => {
  test("are all there, by name", () => {
    const names = listScenarios().map(({ name }) => name);
    expect(names).toEqual([
      "after-hours",
      "barge-in",
      "coach",
      "escalation",
      "decline",
      "sms-ack",
      "ack-link",
      "consult",
      "remove",
      "hang-up-early",
    ]);
    expect(findScenario("coach")?.steps.length).toBeGreaterThan(5);
    expect(findScenario("Coach")).toBeNull();
  });

  test("connect every phone that acts before anything else", () => {
    for (const { steps } of listScenarios()) {
      const actors = steps.flatMap((step) =>
        "who" in step && step.do !== "register" && step.who !== "caller" ? [step.who] : [],
      );
      const [first] = steps;
      const connected = first?.do === "register" ? first.who : [];
      expect(new Set(actors).difference(new Set(connected)).size).toBe(0);
    }
  });

  test("never wait for the state that they have waited for last, which has come already", () => {
    for (const { name, steps } of listScenarios()) {
      const states = steps.flatMap((step) => (step.do === "await-state" ? [String(step.state)] : []));
      expect([name, states.filter((state, at) => state === states[at - 1])]).toEqual([name, []]);
    }
  });

  test("made of texts wait for the other side before each, and hang up at the end", () => {
    const steps = conversationSteps([
      { do: "say", text: "one" },
      { do: "say", text: "two" },
    ]);
    expect(steps.map((step) => step.do)).toEqual([
      "await-state",
      "await-turn",
      "say",
      "await-turn",
      "say",
      "await-turn",
      "hang-up",
    ]);
    expect(textsOf([...steps, ...steps])).toEqual(["one", "two"]);
  });
});
