/**
 * What the engine relies on in every `SpeechModel`, checked against a provider or a faithful stand-in. One suite
 * per port: a new adapter runs it by giving a {@link SpeechModelWorld}.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { z } from "zod";
import { ProviderError } from "../../engine/errors.ts";
import type {
  HistoryItem,
  ModelAudio,
  ModelSession,
  ModelSessionConfig,
  ModelSink,
  SpeechModel,
} from "../../engine/ports.ts";

/** A provider whose model repeats what it is told. */
export interface SpeechModelWorld {
  readonly model: SpeechModel;
  /** The same provider, with a key that it refuses. */
  readonly unauthorised: SpeechModel;
  /** Instructions that make the model say `words`. */
  instructionToSay(words: string): string;
  /** Words of the caller that make the model call the tool `lookup` with `{ "subject": … }`. */
  readonly wordsThatCallLookup: string;
  /** One whole turn of the caller, ended by silence, as base64 frames. */
  callerSays(words: string): readonly string[];
  /** Speech of the caller that does not end. */
  readonly callerBegins: readonly string[];
  /** Breaks every connection that is open. */
  breakConnections(): void;
  openConnections(): number;
  /** The provider's own view of the current conversation, oldest first; null when it shows none. */
  conversation(): readonly { readonly role: string; readonly text: string }[] | null;
  /** The standing instructions of the current conversation as the provider has them. */
  instructions(): string | null;
  stop(): Promise<void>;
}

type SinkEvent = {
  readonly [K in keyof ModelSink]: { readonly type: K; readonly value: Parameters<ModelSink[K]>[0] };
}[keyof ModelSink];
type ValueOf<K extends keyof ModelSink> = Parameters<ModelSink[K]>[0];

/** A sink that keeps what it was told and wakes those who wait for it. */
export class RecordingSink implements ModelSink {
  readonly events: SinkEvent[] = [];
  onEvent: (event: SinkEvent) => void = () => undefined;
  #waiters: (() => void)[] = [];

  /** The `nth` (from 1) event of this kind, as soon as it is there. */
  async nth<K extends keyof ModelSink>(type: K, nth = 1): Promise<ValueOf<K>> {
    await this.until(() => this.all(type).length >= nth, `${nth} × ${type}`);
    return this.all(type)[nth - 1] as ValueOf<K>;
  }

  all<K extends keyof ModelSink>(type: K): ValueOf<K>[] {
    return this.events.filter((e) => e.type === type).map((e) => e.value as ValueOf<K>);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const guard = AbortSignal.timeout(10_000);
    while (!condition()) {
      if (guard.aborted) throw new Error(`no ${what}; got ${this.events.map((e) => e.type).join(" ")}`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiters.push(resolve);
      guard.addEventListener("abort", () => resolve(), { once: true });
      await promise;
    }
  }

  /** What the model said in this response, or in all. */
  spokenText(responseId?: string): string {
    const deltas = this.all("agentTextDelta").filter((d) => !responseId || d.responseId === responseId);
    return deltas.map((d) => d.delta).join("");
  }

  audioMs(itemId: string): number {
    const chunks = this.all("audio").filter((chunk) => chunk.itemId === itemId);
    return chunks.reduce((sum, chunk) => sum + Uint8Array.fromBase64(chunk.base64).length / 8, 0);
  }

  ready(value: ValueOf<"ready">): void {
    this.#add({ type: "ready", value });
  }
  audio(value: ModelAudio): void {
    this.#add({ type: "audio", value });
  }
  audioDone(value: ValueOf<"audioDone">): void {
    this.#add({ type: "audioDone", value });
  }
  speechStarted(): void {
    this.#add({ type: "speechStarted", value: undefined });
  }
  speechStopped(): void {
    this.#add({ type: "speechStopped", value: undefined });
  }
  interrupted(): void {
    this.#add({ type: "interrupted", value: undefined });
  }
  responseStarted(value: string): void {
    this.#add({ type: "responseStarted", value });
  }
  responseDone(value: ValueOf<"responseDone">): void {
    this.#add({ type: "responseDone", value });
  }
  userText(value: ValueOf<"userText">): void {
    this.#add({ type: "userText", value });
  }
  agentTextDelta(value: ValueOf<"agentTextDelta">): void {
    this.#add({ type: "agentTextDelta", value });
  }
  toolCall(value: ValueOf<"toolCall">): void {
    this.#add({ type: "toolCall", value });
  }
  reconnecting(value: ProviderError): void {
    this.#add({ type: "reconnecting", value });
  }
  warning(value: ProviderError): void {
    this.#add({ type: "warning", value });
  }
  failed(value: ProviderError): void {
    this.#add({ type: "failed", value });
  }

  #add(event: SinkEvent): void {
    this.events.push(event);
    const waiters = this.#waiters;
    this.#waiters = [];
    try {
      this.onEvent(event);
    } finally {
      for (const wake of waiters) wake();
    }
  }
}

export const lookupTool = {
  name: "lookup",
  description: "Looks a subject up.",
  parameters: z.object({ subject: z.string() }),
};

export function sessionConfig(patch: Partial<ModelSessionConfig> = {}): ModelSessionConfig {
  return {
    callId: "CA00000000000000000000000000000001",
    instructions: "You answer the phone.",
    voice: "marin",
    tools: [lookupTool],
    turnDetection: { type: "server_vad", silenceMs: 300 },
    history: [],
    ...patch,
  };
}

/** Runs the suite. `makeWorld` starts a fresh provider for each test. */
export function speechModelContract(name: string, makeWorld: () => Promise<SpeechModelWorld>): void {
  describe(`SpeechModel contract: ${name}`, () => {
    let world: SpeechModelWorld;
    let sink: RecordingSink;
    let opened: ModelSession[];

    const open = (patch: Partial<ModelSessionConfig> = {}, model = world.model): ModelSession => {
      const session = model.open(sessionConfig(patch), sink);
      opened.push(session);
      return session;
    };
    const feed = (session: ModelSession, frames: readonly string[]): void => {
      for (const frame of frames) session.appendAudio(frame);
    };
    const say = (session: ModelSession, words: string): void =>
      session.respond(world.instructionToSay(words));
    const anyText = (): string => (world.conversation() ?? []).map((item) => item.text).join("\n");
    const texts = (items: readonly HistoryItem[]): string =>
      items.map((i) => `${i.role}: ${i.text}`).join("\n");

    beforeEach(async () => {
      world = await makeWorld();
      sink = new RecordingSink();
      opened = [];
    });
    afterEach(async () => {
      for (const session of opened) session.close();
      await world.stop();
    });

    test("opening returns at once and says ready before anything else", async () => {
      open();
      expect(sink.events).toEqual([]);
      const { sessionId } = await sink.nth("ready");
      expect(sessionId).not.toBe("");
      expect(sink.events[0]?.type).toBe("ready");
      expect(sink.all("failed")).toEqual([]);
    });

    test("a response has audio, its text, an end of the audio and an end", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "Good evening to you.");
      const responseId = await sink.nth("responseStarted");
      const done = await sink.nth("responseDone");
      expect(done).toMatchObject({ responseId, status: "completed" });
      if (done.usage) expect(done.usage.outputTokens).toBeGreaterThan(0);
      const [audioDone] = sink.all("audioDone");
      expect(audioDone?.responseId).toBe(responseId);
      expect(sink.audioMs(audioDone?.itemId ?? "")).toBeGreaterThan(100);
      expect(sink.spokenText(responseId).trim()).toBe("Good evening to you.");
      const types = sink.events.map((e) => e.type);
      expect(types.lastIndexOf("audio")).toBeLessThan(types.indexOf("audioDone"));
      expect(texts(session.history())).toContain("assistant: Good evening to you.");
    });

    test("two requests give two responses, one after the other", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "This is the first.");
      say(session, "This is the second.");
      await sink.nth("responseDone", 2);
      const lifecycle = sink.events.map((e) => e.type).filter((t) => t.startsWith("response"));
      expect(lifecycle).toEqual(["responseStarted", "responseDone", "responseStarted", "responseDone"]);
      const [first, second] = sink.all("responseStarted");
      expect(sink.spokenText(first).trim()).toBe("This is the first.");
      expect(sink.spokenText(second).trim()).toBe("This is the second.");
    });

    test("of requests made while a response is active the last instructions win", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "This is the first.");
      await sink.nth("responseStarted");
      say(session, "This is never said.");
      say(session, "This is said instead.");
      await sink.nth("responseDone", 2);
      expect(sink.spokenText()).not.toContain("never");
      expect(sink.spokenText()).toContain("This is said instead.");
    });

    test("the caller's turn is noticed, answered and transcribed", async () => {
      const session = open();
      await sink.nth("ready");
      feed(session, world.callerSays("is anybody there"));
      await sink.nth("speechStarted");
      await sink.nth("speechStopped");
      await sink.nth("responseDone");
      expect((await sink.nth("userText")).text).toBe("is anybody there");
      expect(sink.all("audio").length).toBeGreaterThan(0);
      const history = session.history();
      expect(history[0]).toEqual({ role: "user", text: "is anybody there" });
      expect(history[1]?.role).toBe("assistant");
    });

    test("a tool call carries valid arguments and its result is spoken when asked for", async () => {
      const session = open();
      await sink.nth("ready");
      feed(session, world.callerSays(world.wordsThatCallLookup));
      const call = await sink.nth("toolCall");
      expect(call.name).toBe("lookup");
      expect(lookupTool.parameters.safeParse(JSON.parse(call.argumentsJson)).success).toBe(true);
      session.toolResult(call.callId, { say: "The answer is seven." }, { respond: true });
      await sink.until(() => sink.spokenText().includes("The answer is seven."), "spoken tool result");
      expect(sink.all("toolCall")).toHaveLength(1);
      expect(texts(session.history())).toContain("The answer is seven.");
    });

    test("a tool result that is not to be spoken starts no response", async () => {
      const session = open();
      await sink.nth("ready");
      feed(session, world.callerSays(world.wordsThatCallLookup));
      const call = await sink.nth("toolCall");
      await sink.nth("responseDone");
      session.toolResult(call.callId, { say: "The answer is seven." }, { respond: false });
      // A confirmed round trip after it: had it started a response, that would have been told by now.
      expect(await session.setInstructions("You still answer the phone.")).toBe(true);
      expect(sink.all("responseStarted")).toHaveLength(1);
    });

    test("a result for a call that was never made is a warning", async () => {
      const session = open();
      await sink.nth("ready");
      session.toolResult("call_unknown", {}, { respond: true });
      expect((await sink.nth("warning")).code).toBe("protocol_error");
    });

    test("after an interruption no audio of that response comes and the history keeps what was heard", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "One two three four five six seven eight nine ten eleven twelve.");
      await sink.nth("audio", 4);
      const chunk = sink.all("audio")[0] as ModelAudio;
      const receivedMs = sink.audioMs(chunk.itemId);
      session.interrupt([{ ...chunk, heardMs: receivedMs / 2, receivedMs }]);
      const audioBefore = sink.all("audio").length;
      await sink.nth("responseDone");
      expect(await session.setInstructions("You were interrupted.")).toBe(true);
      expect(sink.all("audio")).toHaveLength(audioBefore);
      const heard = session.history().find((item) => item.role === "assistant")?.text ?? "";
      expect(heard.length).toBeLessThan(
        "One two three four five six seven eight nine ten eleven twelve.".length,
      );
      expect("One two three four five six seven eight nine ten eleven twelve.").toStartWith(heard);
      expect(sink.all("failed")).toEqual([]);
      expect(sink.all("warning")).toEqual([]);
    });

    test("the caller cuts in: the response ends and the engine's interruption does no harm", async () => {
      const session = open();
      sink.onEvent = (event) => {
        if (event.type !== "speechStarted") return;
        const chunk = sink.all("audio")[0] as ModelAudio;
        const receivedMs = sink.audioMs(chunk.itemId);
        session.interrupt([{ ...chunk, heardMs: 20, receivedMs }]);
      };
      await sink.nth("ready");
      say(session, "A long answer that goes on and on and that nobody wants to hear to its end.");
      await sink.nth("audio", 2);
      feed(session, world.callerBegins);
      await sink.nth("speechStarted");
      await sink.nth("responseDone");
      expect(sink.all("warning")).toEqual([]);
      expect(sink.all("failed")).toEqual([]);
    });

    test("speech that nobody heard leaves the history", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "Nobody hears this.");
      await sink.nth("responseDone");
      const chunk = sink.all("audio")[0] as ModelAudio;
      session.interrupt([{ ...chunk, heardMs: 0, receivedMs: sink.audioMs(chunk.itemId) }]);
      expect(await session.setInstructions("Go on.")).toBe(true);
      expect(session.history()).toEqual([]);
      if (session.capabilities.truncation) expect(anyText()).not.toContain("Nobody hears this.");
    });

    test("new instructions are confirmed and in force", async () => {
      const session = open();
      await sink.nth("ready");
      expect(await session.setInstructions("You are the coach now.")).toBe(true);
      expect(world.instructions()).toBe("You are the coach now.");
    });

    test("changes of the instructions made at once are confirmed in order", async () => {
      const session = open();
      await sink.nth("ready");
      const results = ["first", "second", "third"].map((text) => session.setInstructions(text));
      expect((await Promise.all(results)).at(-1)).toBe(true);
      expect(world.instructions()).toBe("third");
    });

    test("instructions set before ready are in force once it is", async () => {
      const session = open();
      const confirmed = session.setInstructions("Set early.");
      await sink.nth("ready");
      expect(await confirmed).toBe(true);
      expect(world.instructions()).toBe("Set early.");
    });

    test("the conversation so far and added text reach the provider in order", async () => {
      const history: HistoryItem[] = [
        { role: "user", text: "I called before." },
        { role: "assistant", text: "Yes, I remember." },
      ];
      const session = open({ history });
      await sink.nth("ready");
      session.addText("system", "The nurse is on the way.");
      expect(await session.setInstructions("Go on.")).toBe(true);
      const expected = [...history, { role: "system" as const, text: "The nurse is on the way." }];
      expect(session.history()).toEqual(expected);
      const held = world.conversation();
      if (held) expect(held.map(({ role, text }) => ({ role, text }))).toEqual(expected);
    });

    test("a lost connection is rebuilt with its conversation and its instructions", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "Remember the number seven.");
      await sink.nth("responseDone");
      expect(await session.setInstructions("The later role.")).toBe(true);
      world.breakConnections();
      const error = await sink.nth("reconnecting");
      expect(error).toBeInstanceOf(ProviderError);
      expect(error.retryable).toBe(true);
      await sink.nth("ready", 2);
      say(session, "I am back.");
      await sink.nth("responseDone", 2);
      expect(texts(session.history())).toBe("assistant: Remember the number seven.\nassistant: I am back.");
      expect(world.instructions()).toBe("The later role.");
      if (world.conversation()) expect(anyText()).toContain("Remember the number seven.");
      expect(world.openConnections()).toBe(1);
    });

    test("a tool result that comes after a lost connection still reaches the model", async () => {
      const session = open();
      await sink.nth("ready");
      feed(session, world.callerSays(world.wordsThatCallLookup));
      const call = await sink.nth("toolCall");
      await sink.nth("responseDone");
      world.breakConnections();
      await sink.nth("ready", 2);
      session.toolResult(call.callId, "The answer is eight.", { respond: true });
      await sink.nth("responseDone", 2);
      expect(sink.all("warning")).toEqual([]);
      if (world.conversation()) expect(anyText()).toContain("The answer is eight.");
    });

    test("a response that a lost connection cut off is reported as ended", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "A long answer that is cut off by a lost connection somewhere in its middle part.");
      await sink.nth("audio", 2);
      world.breakConnections();
      const done = await sink.nth("responseDone");
      expect(done).toMatchObject({ responseId: sink.all("responseStarted")[0], status: "failed" });
      await sink.nth("ready", 2);
    });

    test("a refused key ends the session at once and for good", async () => {
      open({}, world.unauthorised);
      const error = await sink.nth("failed");
      expect(error).toMatchObject({ code: "auth_failed", retryable: false });
      expect(sink.events.map((e) => e.type)).toEqual(["failed"]);
    });

    test("after close nothing is called, and the provider's connection is gone", async () => {
      const session = open();
      await sink.nth("ready");
      say(session, "This is cut off by closing.");
      await sink.nth("audio");
      const before = sink.events.length;
      session.close();
      session.close();
      const other = new RecordingSink();
      const second = world.model.open(sessionConfig(), other);
      opened.push(second);
      await other.nth("ready");
      expect(await second.setInstructions("A round trip.")).toBe(true);
      expect(sink.events).toHaveLength(before);
      expect(world.openConnections()).toBe(1);
    });

    test("closing while it connects is silent", async () => {
      const session = open();
      session.close();
      const other = new RecordingSink();
      opened.push(world.model.open(sessionConfig(), other));
      await other.nth("ready");
      expect(sink.events).toEqual([]);
    });

    test("no method throws: before ready, when ready, or after close", async () => {
      const session = open();
      const useAll = (): Promise<boolean> => {
        session.appendAudio("//8=");
        session.appendAudio('not "base64"');
        session.interrupt([]);
        session.interrupt([
          { responseId: "r", itemId: "i", contentIndex: 0, heardMs: Number.NaN, receivedMs: -1 },
        ]);
        session.addText("system", "");
        session.respond();
        session.toolResult("nothing", 1n, { respond: true });
        session.history();
        return session.setInstructions("Anything.");
      };
      const early = useAll();
      await sink.nth("ready");
      expect(await early).toBe(true);
      await useAll();
      session.close();
      expect(await useAll()).toBe(false);
      expect(sink.all("failed")).toEqual([]);
    });

    test("a sink that throws loses its event and nothing else", async () => {
      const session = open();
      sink.onEvent = () => {
        throw new Error("the sink is broken");
      };
      await sink.nth("ready");
      say(session, "Still speaking.");
      expect((await sink.nth("responseDone")).status).toBe("completed");
    });
  });
}
