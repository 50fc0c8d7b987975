/**
 * What the engine relies on in every `SpeechModel`, checked against a provider or a faithful stand-in. One suite
 * per port: a new adapter runs it by giving a {@link SpeechModelWorld}.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ProviderError } from "../../engine/errors.ts";
import type { HistoryItem, ModelAudio } from "../../engine/ports.ts";
import { RecordingSink } from "./recording-sink.ts";
import { Stage, lookupTool, sessionConfig, type SpeechModelWorld } from "./speech-model.world.ts";

const asText = (items: readonly HistoryItem[]): string => items.map((i) => `${i.role}: ${i.text}`).join("\n");

/** Runs the suite. `makeWorld` starts a fresh provider for each test. */
export function speechModelContract(name: string, makeWorld: () => Promise<SpeechModelWorld>): void {
  describe(`SpeechModel contract: ${name}`, () => {
    let current: Stage;
    const stage = (): Stage => current;
    beforeEach(async () => {
      current = new Stage(await makeWorld());
    });
    afterEach(() => current.clear());
    speakingTests(stage);
    callerTests(stage);
    interruptionTests(stage);
    settingTests(stage);
    lossTests(stage);
    endTests(stage);
  });
}

function speakingTests(current: () => Stage): void {
  test("opening returns at once and says ready before anything else", async () => {
    const stage = current();
    stage.open();
    expect(stage.sink.events).toEqual([]);
    const { sessionId } = await stage.sink.nth("ready");
    expect(sessionId).not.toBe("");
    expect(stage.sink.events[0]?.type).toBe("ready");
    expect(stage.sink.all("failed")).toEqual([]);
  });

  test("a response has audio, its text, an end of the audio and an end", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "Good evening to you.");
    const responseId = await stage.sink.nth("responseStarted");
    const done = await stage.sink.nth("responseDone");
    expect(done).toMatchObject({ responseId, status: "completed" });
    if (done.usage) expect(done.usage.outputTokens).toBeGreaterThan(0);
    const [audioDone] = stage.sink.all("audioDone");
    expect(audioDone?.responseId).toBe(responseId);
    expect(session.capabilities.audio).toBe(stage.world.audio);
    const spokenMs = stage.world.spokenMs("Good evening to you.");
    expect(Math.abs(stage.sink.audioMs(audioDone?.itemId ?? "") - spokenMs)).toBeLessThan(spokenMs / 10);
    expect(stage.sink.spokenText(responseId).trim()).toBe("Good evening to you.");
    const types = stage.sink.events.map((e) => e.type);
    expect(types.lastIndexOf("audio")).toBeLessThan(types.indexOf("audioDone"));
    expect(asText(session.history())).toContain("assistant: Good evening to you.");
  });

  test("two requests give two responses, one after the other", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "This is the first.");
    stage.say(session, "This is the second.");
    await stage.sink.nth("responseDone", 2);
    const lifecycle = stage.sink.events.map((e) => e.type).filter((t) => t.startsWith("response"));
    expect(lifecycle).toEqual(["responseStarted", "responseDone", "responseStarted", "responseDone"]);
    const [first, second] = stage.sink.all("responseStarted");
    expect(stage.sink.spokenText(first).trim()).toBe("This is the first.");
    expect(stage.sink.spokenText(second).trim()).toBe("This is the second.");
  });

  test("of requests made while a response is active the last instructions win", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "This is the first.");
    await stage.sink.nth("responseStarted");
    stage.say(session, "This is never said.");
    stage.say(session, "This is said instead.");
    await stage.sink.nth("responseDone", 2);
    expect(stage.sink.spokenText()).not.toContain("never");
    expect(stage.sink.spokenText()).toContain("This is said instead.");
  });
}

function callerTests(current: () => Stage): void {
  test("the caller's turn is noticed, answered and transcribed", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.feed(session, stage.world.callerSays("is anybody there"));
    const started = await stage.sink.nth("speechStarted");
    const stopped = await stage.sink.nth("speechStopped");
    await stage.sink.nth("responseDone");
    const { itemId, text } = await stage.sink.nth("userText");
    expect(text).toBe("is anybody there");
    // Whoever names the item of a turn names it rightly.
    for (const named of [started, stopped]) expect([itemId, undefined]).toContain(named);
    expect(stage.sink.all("audio").length).toBeGreaterThan(0);
    const history = session.history();
    expect(history[0]).toEqual({ role: "user", text: "is anybody there" });
    expect(history[1]?.role).toBe("assistant");
  });

  test("a tool call carries valid arguments and its result is spoken when asked for", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.feed(session, stage.world.callerSays(stage.world.wordsThatCallLookup));
    const call = await stage.sink.nth("toolCall");
    expect(call.name).toBe("lookup");
    expect(lookupTool.parameters.safeParse(JSON.parse(call.argumentsJson)).success).toBe(true);
    session.toolResult(call.callId, { say: "The answer is seven." }, { respond: true });
    await stage.sink.until(
      () => stage.sink.spokenText().includes("The answer is seven."),
      "spoken tool result",
    );
    expect(stage.sink.all("toolCall")).toHaveLength(1);
    expect(asText(session.history())).toContain("The answer is seven.");
  });

  test("a tool result that is not to be spoken starts no response", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.feed(session, stage.world.callerSays(stage.world.wordsThatCallLookup));
    const call = await stage.sink.nth("toolCall");
    await stage.sink.nth("responseDone");
    session.toolResult(call.callId, { say: "The answer is seven." }, { respond: false });
    // A confirmed round trip after it: had it started a response, that would have been told by now.
    expect(await session.setInstructions("You still answer the phone.")).toBe(true);
    expect(stage.sink.all("responseStarted")).toHaveLength(1);
  });

  test("a result for a call that was never made is a warning", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    session.toolResult("call_unknown", {}, { respond: true });
    expect((await stage.sink.nth("warning")).code).toBe("protocol_error");
  });

  test("a tool result that comes after a lost connection still reaches the model", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.feed(session, stage.world.callerSays(stage.world.wordsThatCallLookup));
    const call = await stage.sink.nth("toolCall");
    await stage.sink.nth("responseDone");
    stage.world.breakConnections();
    await stage.sink.nth("ready", 2);
    session.toolResult(call.callId, "The answer is eight.", { respond: true });
    await stage.sink.nth("responseDone", 2);
    expect(stage.sink.all("warning")).toEqual([]);
    if (stage.world.conversation()) expect(stage.providerText()).toContain("The answer is eight.");
  });
}

function interruptionTests(current: () => Stage): void {
  test("after an interruption no audio of that response comes and the history keeps what was heard", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "One two three four five six seven eight nine ten eleven twelve.");
    await stage.sink.nth("audio", 4);
    const chunk = stage.sink.all("audio")[0] as ModelAudio;
    const receivedMs = stage.sink.audioMs(chunk.itemId);
    session.interrupt([{ ...chunk, heardMs: receivedMs / 2, heardErrorMs: 0, receivedMs }]);
    const audioBefore = stage.sink.all("audio").length;
    await stage.sink.nth("responseDone");
    expect(await session.setInstructions("You were interrupted.")).toBe(true);
    expect(stage.sink.all("audio")).toHaveLength(audioBefore);
    const heard = session.history().find((item) => item.role === "assistant")?.text ?? "";
    expect(heard.length).toBeLessThan(
      "One two three four five six seven eight nine ten eleven twelve.".length,
    );
    expect("One two three four five six seven eight nine ten eleven twelve.").toStartWith(heard);
    expect(stage.sink.all("failed")).toEqual([]);
    expect(stage.sink.all("warning")).toEqual([]);
  });

  test("the caller cuts in: the response ends and the engine's interruption does no harm", async () => {
    const stage = current();
    const session = stage.open();
    stage.sink.onEvent = (event) => {
      if (event.type !== "speechStarted") return;
      const chunk = stage.sink.all("audio")[0] as ModelAudio;
      const receivedMs = stage.sink.audioMs(chunk.itemId);
      session.interrupt([{ ...chunk, heardMs: 20, heardErrorMs: 0, receivedMs }]);
    };
    await stage.sink.nth("ready");
    stage.say(session, "A long answer that goes on and on and that nobody wants to hear to its end.");
    await stage.sink.nth("audio", 2);
    stage.feed(session, stage.world.callerBegins);
    await stage.sink.nth("speechStarted");
    await stage.sink.nth("responseDone");
    expect(stage.sink.all("warning")).toEqual([]);
    expect(stage.sink.all("failed")).toEqual([]);
  });

  test("speech that nobody heard leaves the history", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "Nobody hears this.");
    await stage.sink.nth("responseDone");
    const chunk = stage.sink.all("audio")[0] as ModelAudio;
    session.interrupt([
      { ...chunk, heardMs: 0, heardErrorMs: 0, receivedMs: stage.sink.audioMs(chunk.itemId) },
    ]);
    expect(await session.setInstructions("Go on.")).toBe(true);
    expect(session.history()).toEqual([]);
    if (session.capabilities.truncation) expect(stage.providerText()).not.toContain("Nobody hears this.");
  });
}

function settingTests(current: () => Stage): void {
  test("new instructions are confirmed and in force", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    expect(await session.setInstructions("You are the coach now.")).toBe(true);
    expect(stage.world.instructions()).toBe("You are the coach now.");
  });

  test("changes of the instructions made at once are confirmed in order", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    const results = ["first", "second", "third"].map((text) => session.setInstructions(text));
    expect((await Promise.all(results)).at(-1)).toBe(true);
    expect(stage.world.instructions()).toBe("third");
  });

  test("instructions set before ready are in force once it is", async () => {
    const stage = current();
    const session = stage.open();
    const confirmed = session.setInstructions("Set early.");
    await stage.sink.nth("ready");
    expect(await confirmed).toBe(true);
    expect(stage.world.instructions()).toBe("Set early.");
  });

  test("the conversation so far and added text reach the provider in order", async () => {
    const stage = current();
    const history: HistoryItem[] = [
      { role: "user", text: "I called before." },
      { role: "assistant", text: "Yes, I remember." },
    ];
    const session = stage.open({ history });
    await stage.sink.nth("ready");
    session.addText("system", "The nurse is on the way.");
    expect(await session.setInstructions("Go on.")).toBe(true);
    const expected = [...history, { role: "system" as const, text: "The nurse is on the way." }];
    expect(session.history()).toEqual(expected);
    const held = stage.world.conversation();
    if (held) expect(held.map(({ role, text }) => ({ role, text }))).toEqual(expected);
  });
}

function lossTests(current: () => Stage): void {
  test("a lost connection is rebuilt with its conversation and its instructions", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "Remember the number seven.");
    await stage.sink.nth("responseDone");
    expect(await session.setInstructions("The later role.")).toBe(true);
    stage.world.breakConnections();
    const error = await stage.sink.nth("reconnecting");
    expect(error).toBeInstanceOf(ProviderError);
    expect(error.retryable).toBe(true);
    await stage.sink.nth("ready", 2);
    stage.say(session, "I am back.");
    await stage.sink.nth("responseDone", 2);
    expect(asText(session.history())).toBe("assistant: Remember the number seven.\nassistant: I am back.");
    expect(stage.world.instructions()).toBe("The later role.");
    if (stage.world.conversation()) expect(stage.providerText()).toContain("Remember the number seven.");
    expect(stage.world.openConnections()).toBe(1);
  });

  test("a response that a lost connection cut off is reported as ended", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "A long answer that is cut off by a lost connection somewhere in its middle part.");
    await stage.sink.nth("audio", 2);
    stage.world.breakConnections();
    const done = await stage.sink.nth("responseDone");
    expect(done).toMatchObject({ responseId: stage.sink.all("responseStarted")[0], status: "failed" });
    await stage.sink.nth("ready", 2);
  });

  test("a refused key ends the session at once and for good", async () => {
    const stage = current();
    stage.open({}, stage.world.unauthorised);
    const error = await stage.sink.nth("failed");
    expect(error).toMatchObject({ code: "auth_failed", retryable: false });
    expect(stage.sink.events.map((e) => e.type)).toEqual(["failed"]);
  });
}

function endTests(current: () => Stage): void {
  test("after close nothing is called, and the provider's connection is gone", async () => {
    const stage = current();
    const session = stage.open();
    await stage.sink.nth("ready");
    stage.say(session, "This is cut off by closing.");
    await stage.sink.nth("audio");
    const before = stage.sink.events.length;
    session.close();
    session.close();
    const other = new RecordingSink();
    const second = stage.world.model.open(sessionConfig(), other);
    stage.opened.push(second);
    await other.nth("ready");
    expect(await second.setInstructions("A round trip.")).toBe(true);
    expect(stage.sink.events).toHaveLength(before);
    expect(stage.world.openConnections()).toBe(1);
  });

  test("closing while it connects is silent", async () => {
    const stage = current();
    const session = stage.open();
    session.close();
    const other = new RecordingSink();
    stage.opened.push(stage.world.model.open(sessionConfig(), other));
    await other.nth("ready");
    expect(stage.sink.events).toEqual([]);
  });

  test("no method throws: before ready, when ready, or after close", async () => {
    const stage = current();
    const session = stage.open();
    const useAll = (): Promise<boolean> => {
      session.appendAudio("//8=");
      session.appendAudio('not "base64"');
      session.interrupt([]);
      session.interrupt([
        {
          responseId: "r",
          itemId: "i",
          contentIndex: 0,
          heardMs: Number.NaN,
          heardErrorMs: 0,
          receivedMs: -1,
        },
      ]);
      session.addText("system", "");
      session.respond();
      session.toolResult("nothing", 1n, { respond: true });
      session.history();
      return session.setInstructions("Anything.");
    };
    const early = useAll();
    await stage.sink.nth("ready");
    expect(await early).toBe(true);
    await useAll();
    session.close();
    expect(await useAll()).toBe(false);
    expect(stage.sink.all("failed")).toEqual([]);
  });

  test("a sink that throws loses its event and nothing else", async () => {
    const stage = current();
    const session = stage.open();
    stage.sink.onEvent = () => {
      throw new Error("the sink is broken");
    };
    await stage.sink.nth("ready");
    stage.say(session, "Still speaking.");
    expect((await stage.sink.nth("responseDone")).status).toBe("completed");
  });
}
