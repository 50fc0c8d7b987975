/** What the sandbox's text model reads out of what was said. */
import { describe, expect, test } from "bun:test";
import { fill } from "../../../../adapters/sandbox/model/text/fill.ts";
import { numbersIn } from "../../../../adapters/sandbox/model/text/numbers.ts";
import { claimOf } from "../../../../adapters/sandbox/model/text/rules.ts";
import { type Line, linesIn } from "../../../../adapters/sandbox/model/text/transcript.ts";

function saidOf(...texts: readonly string[]) {
  const all = texts.map((text, entry): Line => {
    const agent = text.startsWith("AI: ");
    return { entry, speaker: agent ? "agent" : "caller", text: agent ? text.slice(4) : text };
  });
  const by = (who: Line["speaker"]) => all.filter(({ speaker }) => speaker === who);
  return { all, caller: by("caller"), agent: by("agent") };
}

const read = (subject: string, ...texts: readonly string[]) =>
  claimOf(subject, { description: "", type: "string" }, saidOf(...texts));

/** Each place must quote what is there. */
function expectQuoted(claim: ReturnType<typeof read>, ...texts: readonly string[]): void {
  const { all } = saidOf(...texts);
  for (const { entry, start, end, text } of claim.spans)
    expect(all[entry]?.text.slice(start, end)).toBe(text);
}

describe("a name", () => {
  test.each([
    ["Hello, my name is Maria Gomez and I am ill.", "Maria Gomez"],
    ["This is Ann-Marie O'Neil.", "Ann-Marie O'Neil"],
    ["my name's jane doe, and it hurts", "jane doe"],
    ["This is urgent. I'm called José.", "José"],
    ["My name is Jan. No, sorry, my name is Jane.", "Jane"],
  ])("is read from %j", (text, name) => {
    const claim = read("name", text);
    expect(claim.value).toBe(name);
    expect(claim.spans).toHaveLength(1);
    expectQuoted(claim, text);
  });

  test.each(["It hurts.", "This is an emergency.", "My name is", "This is about my bill."])(
    "is not read from %j",
    (text) => {
      expect(read("name", text)).toMatchObject({ value: null, spans: [] });
    },
  );

  test("is the caller's, and not what the agent calls itself", () => {
    expect(read("name", "AI: My name is Tandem.", "Hello.").value).toBeNull();
  });
});

describe("a number", () => {
  test.each([
    ["Call me on 555-0142-88.", "555014288"],
    ["It is +1 (555) 014-2000, thanks", "+15550142000"],
    ["five five five, zero one four two", "5550142"],
    ["five double five oh one forty two", "5550142"],
    ["plus one triple five 0 1 4 2", "+15550142"],
    ["twenty one thirty fifteen", "213015"],
    ["For the constructor 555 0142", "5550142"],
  ])("said as %j is %s", (text, digits) => {
    const found = numbersIn({ entry: 0, speaker: "caller", text });
    expect(found.map((each) => each.digits)).toEqual([digits]);
    for (const { quote } of found) expect(text.slice(quote.start, quote.end)).toBe(quote.text);
  });

  test("to call back is long enough for one, and the last that was said", () => {
    const texts = [
      "I am 42 years old. My number is 555 0142.",
      "No, it is five five five, zero one four three.",
    ];
    const claim = read("callbackNumber", ...texts);
    expect(claim.value).toBe("5550143");
    expectQuoted(claim, ...texts);
    expect(read("callbackNumber", "I am 42 years old.").value).toBeNull();
  });
});

describe("what it is about", () => {
  test.each([
    ["urgency", "It is not urgent.", "low"],
    ["urgency", "She cannot breathe!", "emergency"],
    ["urgency", "It is urgent.", "high"],
    ["urgency", "Hello there.", null],
    ["intent", "I need a refill of my prescription.", "prescription"],
    ["intent", "Hello there.", "other"],
    ["sentiment", "I am so scared.", "distressed"],
    ["sentiment", "That is wonderful, thank you.", "positive"],
    ["sentiment", "Hello there.", "neutral"],
    ["escalate", "Can I talk to a nurse?", true],
    ["escalate", "Hello there.", false],
    ["leadScore", "I would like to sign up as a new patient.", 60],
    ["leadScore", "I want to cancel, I am not interested.", 0],
    ["reason", "My name is Bo. My ear hurts a lot. Thanks.", "My ear hurts a lot."],
    ["reason", "It is urgent. My name is Bo, my father is in pain.", "my father is in pain"],
    ["reason", "My name is Bo. I need an appointment.", "I need an appointment."],
  ])("%s of %j is %j, and what is claimed is quoted", (subject, text, value) => {
    const claim = read(subject, text);
    expect(claim.value).toBe(value as never);
    expectQuoted(claim, text);
  });

  test.each([
    [["Hello.", "AI: I have noted that."], "message_taken"],
    [["Hello.", "AI: The nurse is on the line now."], "handed_over"],
    [["Hello.", "AI: Somebody will call you back."], "callback_promised"],
    [["AI: Our hours are nine to five.", "Thanks, bye."], "resolved"],
    [["Hello?"], "abandoned"],
    [["Hello?", "AI: Yes?"], "unresolved"],
  ])("what became of %j is %s", (texts, outcome) => {
    expect(read("outcome", ...texts).value).toBe(outcome);
  });
});

describe("what only this deployment asks", () => {
  const ask = (name: string, type: string, ...texts: readonly string[]) => {
    const claim = claimOf(name, { description: "", type }, saidOf(...texts));
    expectQuoted(claim, ...texts);
    return claim.value;
  };

  test("is read by its own words: what follows them, a number, or whether it is so", () => {
    expect(ask("doctorsName", "string", "My doctors name is Smith.")).toBe("Smith");
    expect(ask("weightKg", "number", "My weight is seventy five.")).toBe(75);
    expect(ask("pregnant", "boolean", "I am pregnant.")).toBe(true);
    expect(ask("pregnant", "boolean", "I am not pregnant.")).toBe(false);
    expect(ask("pregnant", "boolean", "Hello.")).toBeNull();
  });

  test("is read from the answer to the agent's question", () => {
    expect(ask("allergies", "string", "AI: Do you have allergies?", "Only penicillin.")).toBe(
      "Only penicillin.",
    );
  });
});

test("a form is filled in as its schema says, also where nothing is known of it", () => {
  const finding = (value: object) => ({
    type: "object",
    properties: { value, confidence: { type: "number" }, spans: { type: "array" } },
  });
  const schema = {
    type: "object",
    properties: {
      name: finding({ anyOf: [{ type: "string" }, { type: "null" }] }),
      urgency: finding({ type: "string", enum: ["red", "green"] }),
      note: { type: "string" },
      count: { type: "integer", minimum: 3 },
      sure: { type: "boolean" },
    },
  };
  expect(fill(schema, "", saidOf("My name is Bo. It is urgent."))).toMatchObject({
    name: { value: "Bo" },
    urgency: { value: "red", confidence: 0, spans: [] },
    note: "",
    count: 3,
    sure: false,
  });
});

test("a text without entries is read line by line", () => {
  expect(linesIn("Hello [there]\n\nBye")).toEqual([
    { entry: 0, speaker: "caller", text: "Hello [there]" },
    { entry: 2, speaker: "caller", text: "Bye" },
  ]);
});
