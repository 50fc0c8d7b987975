import { afterEach, describe, expect, test } from "bun:test";
import { AudioCache } from "../../../../adapters/sandbox/speech/audio-cache.ts";
import { createSpeech, type SpeechOptions } from "../../../../adapters/sandbox/speech/speech.ts";
import { toSpeakableAscii } from "../../../../adapters/sandbox/speech/text.ts";
import { trimSilence } from "../../../../adapters/sandbox/speech/trim.ts";
import { ProviderError } from "../../../../engine/errors.ts";
import { VirtualClock } from "../../../../engine/platform/clock.ts";
import { silentLog } from "../../../../engine/platform/log.ts";
import { rms, ulawToFloat } from "./signals.ts";

const open: { close(): void }[] = [];

function speechWith(options: Partial<SpeechOptions> = {}) {
  const speech = createSpeech({ log: silentLog, ...options });
  open.push(speech);
  return speech;
}

afterEach(() => {
  for (const speech of open.splice(0)) speech.close();
});

/** A worker that runs `body` with each request as `data`, and `reply(ulaw)` to answer it. */
function scripted(body: string): () => Worker {
  const code = `self.onmessage = ({ data }) => {
    const reply = (ulaw) => self.postMessage({ id: data.id, ulaw });
    ${body}
  };`;
  return () => new Worker(URL.createObjectURL(new Blob([code], { type: "application/javascript" })));
}

describe("synthesised speech", () => {
  test("is audible, and about as long as a person would take", async () => {
    const speech = speechWith();
    const ulaw = await speech.say("Hello, this is the after hours line. How can I help you tonight?");
    const ms = ulaw.length / 8;
    expect(ms).toBeGreaterThan(2500);
    expect(ms).toBeLessThan(6000);
    expect(rms(ulawToFloat(ulaw), 0)).toBeGreaterThan(0.03);
  });

  test("begins and ends with speech, but for a moment", async () => {
    const samples = ulawToFloat(await speechWith().say("Good evening."));
    expect(rms(samples.subarray(0, 1200), 0)).toBeGreaterThan(0.005);
    expect(rms(samples.subarray(-1600), 0)).toBeGreaterThan(0.005);
  });

  test("is the same every time, from any worker", async () => {
    const first = await speechWith().say("The same again.");
    expect(await speechWith().say("The same again.")).toEqual(first);
  });

  test("is never empty for a text, even one without a word in it", async () => {
    const speech = speechWith();
    expect((await speech.say("...")).length).toBeGreaterThan(0);
    expect((await speech.say("日本語")).length).toBeGreaterThan(0);
    expect((await speech.say("-lv")).length).toBeGreaterThan(0);
    expect((await speech.say("  ")).length).toBe(0);
  });

  test("is made once for requests at the same time, and kept for later ones", async () => {
    const speech = speechWith();
    const [a, b] = await Promise.all([speech.say("One moment."), speech.say(" One moment. ")]);
    expect(a).toBe(b);
    expect(await speech.say("One moment.")).toBe(a);
    expect(speech.counters()).toMatchObject({ synthesised: 1, joined: 1, cacheHits: 1 });
  });

  test("is kept within the bytes allowed, least recently used dropped first", async () => {
    const speech = speechWith({
      maxCachedBytes: 1000,
      startWorker: scripted("reply(new Uint8Array(400));"),
    });
    for (const text of ["a", "b", "a", "c", "a", "b"]) await speech.say(text);
    // "b" was used longest ago when "c" came.
    expect(speech.counters()).toMatchObject({ synthesised: 4, cacheHits: 2, cachedBytes: 800 });
  });
});

describe("a synthesis that fails", () => {
  test.each([
    ["throws", 'if (data.text === "bad") throw new Error("boom"); reply(new Uint8Array(160));', "boom"],
    ["ends", 'if (data.text === "bad") process.exit(3); reply(new Uint8Array(160));', "ended"],
    ["gives no audio", 'reply(new Uint8Array(data.text === "bad" ? 0 : 160));', "no audio"],
  ])("because the worker %s rejects, and the next one works", async (_name, body, problem) => {
    const speech = speechWith({ startWorker: scripted(body) });
    const [bad, good] = await Promise.allSettled([speech.say("bad"), speech.say("good")]);
    expect(bad.status).toBe("rejected");
    expect((bad as PromiseRejectedResult).reason).toBeInstanceOf(ProviderError);
    expect(String((bad as PromiseRejectedResult).reason)).toContain(problem);
    expect(good.status).toBe("fulfilled");
    expect((await speech.say("later")).length).toBe(160);
    expect(speech.counters()).toMatchObject({ failed: 1, synthesised: 2 });
  });

  test("by a worker that never answers is given up, and a new worker takes over", async () => {
    const clock = new VirtualClock();
    let started = 0;
    const speech = speechWith({
      clock,
      startWorker: () => scripted(started++ === 0 ? "" : "reply(new Uint8Array(160));")(),
    });
    const stuck = speech.say("stuck");
    const next = speech.say("next");
    clock.advance(60_000);
    expect(stuck).rejects.toThrow("gave no answer within 60000 ms");
    expect((await next).length).toBe(160);
    expect(speech.counters().workersStarted).toBe(2);
  });

  test("to start its worker rejects", () => {
    const speech = speechWith({
      startWorker: () => {
        throw new Error("no threads left");
      },
    });
    expect(speech.say("hello")).rejects.toThrow("could not be started: no threads left");
  });

  test("is refused at once when the text is too long or too many wait", async () => {
    const speech = speechWith({ startWorker: scripted("") });
    expect(speech.say("x".repeat(4001))).rejects.toThrow("4001 characters");
    const waiting = Array.from({ length: 257 }, (_, n) => speech.say(`text ${n}`));
    expect(speech.say("one too many")).rejects.toMatchObject({ code: "overflow", retryable: true });
    speech.close();
    for (const result of await Promise.allSettled(waiting)) expect(result.status).toBe("rejected");
    expect(speech.say("after")).rejects.toThrow("was closed");
  });
});

test("a process that closes its speech synthesis ends by itself", async () => {
  const speechPath = new URL("../../../../adapters/sandbox/speech/speech.ts", import.meta.url).pathname;
  const logPath = new URL("../../../../engine/platform/log.ts", import.meta.url).pathname;
  const code = `
    const { createSpeech } = await import(${JSON.stringify(speechPath)});
    const { silentLog } = await import(${JSON.stringify(logPath)});
    const speech = createSpeech({ log: silentLog });
    console.log((await speech.say("Good bye.")).length > 1000);
    speech.close();`;
  const child = Bun.spawn([process.execPath, "-e", code], {
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
  });
  expect(await child.exited).toBe(0);
  expect((await child.stdout.text()).trim()).toBe("true");
});

describe("the parts of speech synthesis", () => {
  test("text is brought to ASCII", () => {
    expect(toSpeakableAscii("Café “naïve” – it’s 37° … Ærø")).toBe('Cafe "naive" , it\'s 37 degrees , aero');
    expect(toSpeakableAscii("a\u0000b\nc 😀 d")).toBe("a b c d");
  });

  test("silence is trimmed to a little on each side, and a clip of silence is left", () => {
    const pcm = new Int16Array(8000);
    pcm.fill(3000, 4000, 4800);
    expect(trimSilence(pcm).length).toBe(800 + 320 + 640);
    const quiet = new Int16Array(500).fill(100);
    expect(trimSilence(quiet)).toBe(quiet);
    expect(trimSilence(new Int16Array(100).fill(3000)).length).toBe(100);
  });

  test("a clip larger than the cache is not kept, and does not empty it", () => {
    const cache = new AudioCache(100);
    cache.set("small", new Uint8Array(60));
    cache.set("large", new Uint8Array(101));
    expect(cache.get("large")).toBeUndefined();
    expect(cache.get("small")?.length).toBe(60);
    cache.set("small", new Uint8Array(90));
    expect(cache.bytes).toBe(90);
  });
});
