/** Talks drawn at random: whoever has spoken is answered in the end, and what the engine wants said is said. */
import { expect, test } from "bun:test";
import { createOpenAiRealtime } from "../../../adapters/openai/realtime.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { ModelSession } from "../../../engine/ports.ts";
import { RecordingSink } from "../../contract/recording-sink.ts";
import { sessionConfig } from "../../contract/speech-model.world.ts";
import { TalkServer } from "./talk-server.ts";

const TALKS = 80;
const STEPS = 12;
const DELTA_MS = 100;

/** The engine and the caller: what they have heard of the model, and what they wait for. */
class Listener {
  readonly sink = new RecordingSink();
  readonly story: string[] = [];
  /** The caller has spoken and was not answered. */
  owed = false;
  /** What the engine wants said and was not. */
  wish = "";
  session: ModelSession | null = null;
  readonly #clock: VirtualClock;
  readonly #server: TalkServer;
  #speaking = false;
  /** Answers that began after the last turn. */
  readonly #since = new Set<string>();
  /** By item, what came since all was heard or cut. */
  readonly #unheard = new Map<string, { readonly responseId: string; readonly receivedMs: number }>();
  #endsAtMs = 0;

  constructor(clock: VirtualClock, server: TalkServer) {
    this.#clock = clock;
    this.#server = server;
    this.sink.onEvent = (event) => {
      if (event.type === "audio") this.#heard(event.value.responseId, event.value.itemId);
      else this.note(event.type);
      if (event.type === "responseStarted") this.#since.add(event.value);
      if (event.type === "reconnecting" && this.#speaking) this.owed = true;
      if (event.type === "speechStarted") {
        this.#speaking = true;
        this.#cut();
      }
      if (event.type !== "speechStopped") return;
      this.owed = this.#speaking;
      this.#since.clear();
    };
  }

  note(text: string): void {
    this.story.push(`${Math.round(this.#clock.monotonicMs())} ${text}`);
  }

  #heard(responseId: string, itemId: string): void {
    this.note(`audio of ${responseId}`);
    if (this.#server.askedWith.get(responseId) === this.wish) this.wish = "";
    if (this.#since.has(responseId)) this.owed = this.#speaking = false;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#endsAtMs) this.#unheard.clear();
    const receivedMs = (this.#unheard.get(itemId)?.receivedMs ?? 0) + DELTA_MS;
    this.#unheard.set(itemId, { responseId, receivedMs });
    this.#endsAtMs = Math.max(this.#endsAtMs, nowMs) + DELTA_MS;
  }

  #cut(): void {
    if (this.#clock.monotonicMs() >= this.#endsAtMs) return;
    const at = { contentIndex: 0, heardMs: 0, heardErrorMs: 0 };
    this.session?.interrupt([...this.#unheard].map(([itemId, item]) => ({ ...item, itemId, ...at })));
    this.#unheard.clear();
    this.#endsAtMs = 0;
  }
}

/** Lets what was resolved go on. */
async function advance(clock: VirtualClock, ms: number): Promise<void> {
  for (let leftMs = ms; leftMs > 0; leftMs -= 50) {
    clock.advance(Math.min(50, leftMs));
    for (let n = 0; n < 4; n++) await Promise.resolve();
  }
}

/** Returns what went wrong, with what happened. */
async function talk(seed: number): Promise<string> {
  const clock = new VirtualClock();
  const ids = seededIds(seed);
  const random = (): number => ids.random();
  // A line that dies just before its session is replaced is found by nobody: one of them at a time.
  const linesDie = random() < 0.5;
  const model = { random, failing: 0.2 };
  const server = new TalkServer(clock, model);
  const listener = new Listener(clock, server);
  const session = createOpenAiRealtime({
    apiKey: "sk-test-not-a-key",
    baseUrl: "http://127.0.0.1/v1",
    model: "gpt-realtime-2.1",
    clock,
    ids,
    log: silentLog,
    network: server.network,
    recycleAfterMs: linesDie ? 600_000 : 20_000,
  }).open(sessionConfig(), listener.sink);
  listener.session = session;
  const speak = async (): Promise<void> => {
    if (!server.speak()) return;
    listener.note("they speak");
    if (server.isDead) listener.owed = true;
    await advance(clock, 100 + random() * 1500);
    server.stopSpeaking();
    listener.note("they stop");
  };
  await advance(clock, 1000);
  for (let step = 0; step < STEPS; step++) {
    const what = random();
    if (what < 0.45) {
      await speak();
    } else if (what < 0.7) {
      listener.wish = `wish ${step}`;
      listener.note(listener.wish);
      session.respond(listener.wish);
    } else if (what < 0.78 && !server.isDead) {
      listener.note("the line breaks");
      server.break();
    } else if (what < 0.82 && linesDie) {
      listener.note("the line dies");
      server.die();
      await speak();
    }
    await advance(clock, random() * random() * 6000);
  }
  model.failing = 0;
  await advance(clock, 60_000);
  session.close();
  // One that fails time and again is given up: what becomes of the call is not for here.
  const gaveUp = listener.sink.all("failed").length > 0;
  if (gaveUp || (!listener.owed && listener.wish === "")) return "";
  return `talk ${seed}: ${listener.owed ? "a turn" : listener.wish} got no answer\n${listener.story.join("\n")}`;
}

test("with a model that fails, writes, says nothing, or whose line breaks or dies, everybody is answered in the end", async () => {
  const wrong: string[] = [];
  for (let seed = 1; seed <= TALKS; seed++) {
    const problem = await talk(seed);
    if (problem) wrong.push(problem);
  }
  expect(wrong).toEqual([]);
});
