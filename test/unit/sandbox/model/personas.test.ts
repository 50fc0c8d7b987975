import { describe, expect, test } from "bun:test";
import type { PersonaTurn } from "../../../../adapters/sandbox/model/persona.ts";
import { wordsOfToolOutput, wordsWanted } from "../../../../adapters/sandbox/model/persona.ts";
import {
  afterHours,
  echoText,
  longTalker,
  personaIn,
  silent,
} from "../../../../adapters/sandbox/model/personas.ts";

function turn(more: Partial<PersonaTurn> = {}): PersonaTurn {
  return {
    trigger: "client",
    asked: null,
    standing: "",
    news: null,
    tools: new Set(["escalate", "end_call"]),
    history: [],
    memory: new Map(),
    ...more,
  };
}
const heard = (text: string, more: Partial<PersonaTurn> = {}) =>
  turn({ trigger: "turn", news: { kind: "heard", text }, ...more });

describe("after-hours", () => {
  test("greets, with the greeting of the instructions when they quote one", () => {
    expect(afterHours.reply(turn()).say).toStartWith("Hello");
    const standing = 'Greet the caller with: "Good evening, this is the clinic."';
    expect(afterHours.reply(turn({ standing })).say).toBe("Good evening, this is the clinic.");
    expect(afterHours.reply(turn({ asked: 'Say exactly: "Welcome back."' })).say).toBe("Welcome back.");
  });

  test.each([
    ["There is an emergency!", "emergency"],
    ["This is urgent.", "high"],
    ["I need help now", "high"],
    ["Can I speak to a nurse?", "normal"],
    ["Get me a doctor please", "normal"],
    ["I want to talk to a human, thank you", "normal"],
    ["Is there a real person?", "normal"],
  ])("%s escalates as %s", (said, urgency) => {
    expect(afterHours.reply(heard(said))).toEqual({
      say: "",
      use: { name: "escalate", arguments: { reason: said, urgency } },
    });
  });

  test("does not escalate what is said not to be urgent, nor twice in a row, nor without the tool", () => {
    expect(afterHours.reply(heard("It is not urgent, I have a prescription")).use).toBeUndefined();
    const memory = new Map<string, number>();
    expect(afterHours.reply(heard("I need a nurse", { memory })).use?.name).toBe("escalate");
    expect(afterHours.reply(heard("I need a nurse", { memory })).use).toBeUndefined();
    for (let i = 0; i < 3; i++) afterHours.reply(heard("My arm hurts", { memory }));
    expect(afterHours.reply(heard("I need a nurse", { memory })).use?.name).toBe("escalate");
    const bare = afterHours.reply(heard("I need a nurse", { tools: new Set() }));
    expect(bare.use).toBeUndefined();
    expect(bare.say).not.toBe("");
  });

  test("says what a tool's output tells it", () => {
    const output = (text: string) => afterHours.reply(turn({ news: { kind: "tool-output", text } })).say;
    expect(output('{"status":"paging","message":"I am reaching the nurse."}')).toBe(
      "I am reaching the nurse.",
    );
    expect(output("Please hold the line.")).toBe("Please hold the line.");
    expect(output('{"ok":true}')).not.toBe("");
  });

  test.each(["Bye", "Okay, thank you.", "That is all."])("%s ends the call after a goodbye", (said) => {
    const reply = afterHours.reply(heard(said));
    expect(reply.say).toContain("Goodbye");
    expect(reply.use?.name).toBe("end_call");
  });

  test("thanks in the middle of a sentence end nothing", () => {
    const said = "Thanks for picking up, I have a question about my appointment";
    expect(afterHours.reply(heard(said)).use).toBeUndefined();
  });

  test("moves on without words, in different ways", () => {
    const memory = new Map<string, number>();
    const said = [1, 2, 3].map(() => afterHours.reply(heard("", { memory })).say);
    expect(new Set(said).size).toBe(3);
    expect(said).not.toContain("");
  });

  const COACH = "You are now a COACH. Whisper short advice to the nurse.";

  test("as a COACH it gives one sentence of advice about what was said, and calls no tool", () => {
    const reply = afterHours.reply(heard("It is urgent, my chest hurts", { standing: COACH }));
    expect(reply).toEqual({ say: "Ask where it hurts, and since when." });
  });

  test("as a COACH it says nothing that it has said before, and nothing when it has no advice", () => {
    const memory = new Map<string, number>();
    const whisper = (text: string) => afterHours.reply(heard(text, { standing: COACH, memory })).say;
    expect(whisper("Hello, this is the nurse. What is the matter?")).toBe("");
    expect(whisper("")).toBe("");
    const advice = ["My baby has a rash", "Yes, my baby", "A rash", "My baby has a rash"].map(whisper);
    expect(advice.map((line) => line !== "")).toEqual([true, false, true, false]);
    expect(new Set(advice).size).toBe(3);
    expect(afterHours.reply(turn({ standing: COACH, memory })).say).toBe("");
  });

  test("says that it is back when it talks to the caller again, whatever it was before", () => {
    const asked =
      'You are the agent.\n\nNow: You talk to the caller again; nobody else is in the call. Say: "I am back with you."';
    expect(afterHours.reply(turn({ standing: COACH, asked })).say).toBe("I am back with you.");
  });

  test.each([
    ["You can go now, thank you.", "end_call"],
    ["Please leave.", "end_call"],
    ["Please take the caller back.", "take_back"],
    ["I am handing her back to you.", "take_back"],
  ])("as a COACH that is told: %s, it uses %s", (said, name) => {
    const tools = new Set(["end_call", "take_back"]);
    const reply = afterHours.reply(heard(said, { standing: "COACH MODE.", tools }));
    expect(reply).toEqual({ say: "", use: { name, arguments: { reason: said } } });
  });
});

test("long-talker speaks for ten seconds or more", () => {
  expect(longTalker.reply(turn()).say.split(" ").length).toBeGreaterThan(60);
});

test("echo-text repeats, silent says nothing", () => {
  expect(echoText.reply(heard("One two three.")).say).toBe("One two three.");
  expect(silent.reply(heard("One two three."))).toEqual({ say: "" });
});

test("a line in the instructions picks the persona; an unknown name does not", () => {
  expect(personaIn("Be kind.\nsandbox-persona: echo-text\nBe brief.")?.name).toBe("echo-text");
  expect(personaIn("sandbox-persona: nobody")).toBeNull();
  expect(personaIn("Mention sandbox-persona: silent in passing")).toBeNull();
});

test("the words wanted are the last quotation that something asks to say", () => {
  expect(wordsWanted('Avoid "I am only a machine". Say exactly: "Hello there."')).toBe("Hello there.");
  expect(wordsWanted("Greeting: “Good evening.”")).toBe("Good evening.");
  expect(wordsWanted('Greet with "Hello." Now tell the caller: "Please hold."')).toBe("Please hold.");
  expect(wordsWanted("Tell the caller that the nurse is on the way.")).toBeNull();
  expect(wordsWanted("Answer the question.")).toBeNull();
});

test("a tool output without words tells nothing", () => {
  expect(wordsOfToolOutput('{"ok":true}')).toBeNull();
  expect(wordsOfToolOutput("")).toBeNull();
  expect(wordsOfToolOutput('{"status":"open","note":"Nobody has joined yet."}')).toBeNull();
  expect(wordsOfToolOutput('{"note":"Nobody yet. Say: \\"Hold on.\\""}')).toBe("Hold on.");
  expect(wordsOfToolOutput('{"say":"Hold on."}')).toBe("Hold on.");
  expect(wordsOfToolOutput('"Hold on."')).toBe("Hold on.");
});
