import { connect, createServer, type Socket } from "node:net";
import { createOpenAiRealtime } from "../../adapters/openai/realtime.ts";
import type { Persona } from "../../adapters/sandbox/model/persona.ts";
import { startModel } from "../../adapters/sandbox/model/server.ts";
import type { Hearing, Speech } from "../../adapters/sandbox/types.ts";
import { PCM_TO_ULAW } from "../../engine/media/g711.ts";
import { ModelTranscoder } from "../../engine/media/model-transcoder.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import type { ModelAudioFormat } from "../../engine/ports.ts";
import { speechModelContract } from "./speech-model.contract.ts";
import type { SpeechModelWorld } from "./speech-model.world.ts";

const FRAME_BYTES = 160;
const API_KEY = "sk-test-not-a-key";
const LOOKUP_WORDS = "please look up the opening hours";

/** A tone whose pitch is `seed`'s: different words sound different, frame by frame. */
function tone(seed: number, frames: number): Uint8Array {
  const ulaw = new Uint8Array(frames * FRAME_BYTES);
  for (let i = 0; i < ulaw.length; i++) {
    const sample = Math.round(12_000 * Math.sin((i * (seed + 3)) / 40 + Math.floor(i / FRAME_BYTES)));
    ulaw[i] = PCM_TO_ULAW[sample & 0xffff] as number;
  }
  return ulaw;
}

/** 60 ms of speech per letter. */
const framesOf = (text: string): number => Math.max(5, text.length * 3);
const speech: Speech = {
  say: async (text) => tone(1, framesOf(text)),
  close: () => undefined,
};

/** Knows the words of the frames it was told of. */
function makeHearing(): Hearing {
  const known = new Map<string, string[]>();
  return {
    note: (text, ulaw) => {
      for (let at = 0; at < ulaw.length; at += FRAME_BYTES) {
        known.set(ulaw.subarray(at, at + FRAME_BYTES).toHex(), [text]);
      }
    },
    lookup: (frame) => known.get(frame.toHex()) ?? [],
  };
}

/** Says what it is told to, repeats what a tool returned, and looks things up when asked. */
const parrot: Persona = {
  name: "parrot",
  reply: ({ asked, news }) => {
    const words = asked ? /"([^"]+)"/.exec(asked)?.[1] : undefined;
    if (words) return { say: words };
    if (news?.kind === "tool-output") return { say: (JSON.parse(news.text) as { say: string }).say };
    if (news?.text === LOOKUP_WORDS) {
      return { say: "", use: { name: "lookup", arguments: { subject: "opening hours" } } };
    }
    return { say: `You said: ${news?.text ?? "nothing"}` };
  },
};

/** As the engine sends them to a model of that format, one stream of the caller. */
function framer(audio: ModelAudioFormat): (ulaw: Uint8Array) => string[] {
  const transcoder = new ModelTranscoder(() => undefined);
  return (ulaw) => {
    const list: string[] = [];
    for (let at = 0; at < ulaw.length; at += FRAME_BYTES) {
      const base64 = ulaw.subarray(at, at + FRAME_BYTES).toBase64();
      list.push(audio === "pcmu" ? base64 : transcoder.toModel(base64));
    }
    return list;
  };
}

/** Carries bytes to `port` and can cut every wire at once, as a network does. */
async function startRelay(port: number) {
  const wires = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      wires.add(from);
      from.pipe(to);
      from.on("error", () => undefined);
      from.on("close", () => {
        wires.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    cut: () => {
      for (const wire of wires) wire.destroy();
    },
    stop: () => {
      for (const wire of wires) wire.destroy();
      server.close();
    },
  };
}

async function openAiWorld(audio: ModelAudioFormat): Promise<SpeechModelWorld> {
  const frames = framer(audio);
  const hearing = makeHearing();
  const clock = systemClock;
  const server = await startModel({
    clock,
    ids: seededIds(1),
    log: silentLog,
    speech,
    hearing,
    persona: parrot,
    apiKey: API_KEY,
    faults: { firstAudioDelayMs: 1, deltaIntervalMs: 2 },
  });
  const relay = await startRelay(Number(new URL(server.url).port));
  const options = {
    baseUrl: `http://127.0.0.1:${relay.port}/v1`,
    model: "gpt-realtime-2.1",
    audioFormat: audio,
    clock,
    ids: seededIds(2),
    log: silentLog,
    connectTimeoutMs: 5000,
    reconnect: { maxAttempts: 10, baseMs: 1, maxMs: 20 },
  };
  const silence = new Uint8Array(40 * FRAME_BYTES).fill(0xff);
  let turns = 0;
  const current = () => server.sessions().at(-1);
  return {
    model: createOpenAiRealtime({ ...options, apiKey: API_KEY }),
    unauthorised: createOpenAiRealtime({ ...options, apiKey: "sk-test-refused" }),
    audio,
    spokenMs: (words) => framesOf(words) * 20,
    instructionToSay: (words) => `Say "${words}"`,
    wordsThatCallLookup: LOOKUP_WORDS,
    callerSays: (words) => {
      const said = tone(10 + ++turns, 25);
      hearing.note(words, said);
      return [...frames(said), ...frames(silence)];
    },
    callerBegins: frames(tone(7, 25)),
    breakConnections: () => relay.cut(),
    openConnections: () => server.sessions().length,
    conversation: () =>
      (current()?.items ?? []).map(({ item, text }) => ({
        role: item.type === "message" ? item.role : item.type,
        text,
      })),
    instructions: () => current()?.config.instructions ?? null,
    stop: async () => {
      relay.stop();
      await server.stop();
    },
  };
}

speechModelContract("OpenAI Realtime on the sandbox model", () => openAiWorld("pcmu"));
speechModelContract("OpenAI Realtime on the sandbox model, PCM16 at 24 kHz", () => openAiWorld("pcm24k"));
