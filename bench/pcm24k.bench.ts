/** What a model without μ-law costs per frame: both directions of the transcoder, against doing nothing and naively. */
import { mulaw } from "alawmulaw";
import { AudioDeltaReader } from "../adapters/openai/audio-delta.ts";
import { EventIds } from "../adapters/openai/client-events.ts";
import { invariant } from "../engine/errors.ts";
import { MediaTextReader } from "../engine/media/media-text.ts";
import { ModelTranscoder } from "../engine/media/model-transcoder.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { FRAME_BYTES, deltaTexts, twilioTexts } from "./frame-texts.ts";
import {
  type Bench,
  type BenchOptions,
  type Compared,
  type Row,
  type Variant,
  compare,
  comparedRow,
  fold,
} from "./runner.ts";

const RATIO = 3;
/** OpenAI sends speech in pieces of 100 ms and more. */
const FRAMES_PER_DELTA = 5;
/** Enough different texts that none of them stays in the nearest cache. */
const MESSAGES = 250;
const DELTAS = MESSAGES / FRAMES_PER_DELTA;
/** In μ-law. */
const DELTA_BYTES = FRAME_BYTES * FRAMES_PER_DELTA;
const STREAM_SID = "MZ00000000000000000000000000000001";

export const bench: Bench = {
  name: "pcm24k",
  claim:
    "A model without μ-law costs a few microseconds more per frame: less than a naive path with worse filters.",
  run: async (options) => {
    const sink = { hash: 0 };
    const inbound = await against(options, [naiveIn(sink), transcodeIn(sink), passIn(sink)]);
    const outbound = await against(options, [naiveOut(sink), transcodeOut(sink), passOut(sink)]);
    return {
      rows: [...rowsOf(inbound), ...rowsOf(outbound), addedRow(inbound, outbound)],
      notes: [verdict("in", inbound), verdict("out", outbound)],
      hash: sink.hash,
    };
  },
};

/** Where what the variants make goes: it differs between them, as their audio does. */
interface Sink {
  hash: number;
}

async function against({ smoke, clock }: BenchOptions, variants: readonly Variant[]) {
  const repetitions = smoke ? 3 : 601;
  const operations = smoke ? 2 * FRAMES_PER_DELTA : MESSAGES;
  return await compare({ clock, variants, operations, repetitions, warmUps: smoke ? 1 : 100 });
}

function rowsOf(compared: readonly Compared[]): readonly Row[] {
  return compared.map((each, i) => comparedRow(each, i === 1 ? { of: "ratio", atMost: 0.6 } : null));
}

/**
 * A frame of a call, there and back through four sockets, took 26 µs in a saturated bridge that passes audio on;
 * one that transcodes may take 1.35 times that.
 */
function addedRow(...ways: readonly (readonly Compared[])[]): Row {
  const added = ways.map(([, transcoded, passed]) => medianNs(transcoded) - medianNs(passed));
  return {
    what: "both ways: what transcoding adds to a frame",
    unit: "µs",
    median: added.reduce((sum, ns) => sum + ns, 0) / 1000,
    p99: null,
    samples: ways[0]?.[0]?.ns.samples ?? 0,
    ratio: null,
    baseline: false,
    target: { of: "median", atMost: 9 },
  };
}

function verdict(way: string, [, transcoded, passed]: readonly Compared[]): string {
  const ratio = medianNs(transcoded) / medianNs(passed);
  return `${way}: transcoding takes ${ratio.toFixed(1)} times as long as passing the text on, sockets left out`;
}

function medianNs(compared: Compared | undefined): number {
  return compared?.ns.median ?? Number.NaN;
}

/** Folds the length of a text and, so that it is made whole, one of its characters. */
function take(sink: Sink, text: string, at: number): void {
  sink.hash = fold(sink.hash, text.length * 256 + text.charCodeAt(200 + (at & 15)));
}

// ---------------------------------------------------------------- carrier → model

function inboundTexts(): readonly string[] {
  const speech = voice(8000);
  return twilioTexts(MESSAGES, {
    streamSid: STREAM_SID,
    payloadOf: () => mulaw.encode(speech(FRAME_BYTES)),
  });
}

function cutIn(name: string, sink: Sink, toModel: (base64: string) => string): Variant {
  const texts = inboundTexts();
  const reader = new MediaTextReader(STREAM_SID);
  return {
    name,
    run: (operations) => {
      const ids = new EventIds();
      for (let i = 0; i < operations; i++) {
        invariant(reader.cut(texts[i % MESSAGES] as string), "the fast path refused a message");
        take(sink, ids.appendText(toModel(reader.payload)) ?? "", i);
      }
      return operations;
    },
  };
}

function passIn(sink: Sink): Variant {
  return cutIn("in: μ-law passes as it is", sink, (base64) => base64);
}

function transcodeIn(sink: Sink): Variant {
  const transcoder = new ModelTranscoder(() => undefined);
  return cutIn("in: raised to PCM16 at 24 kHz", sink, (base64) => transcoder.toModel(base64));
}

function naiveIn(sink: Sink): Variant {
  const texts = inboundTexts();
  let last = 0;
  return {
    name: "in: naively, JSON.parse, alawmulaw, linear interpolation",
    run: (operations) => {
      for (let i = 0; i < operations; i++) {
        const message = JSON.parse(texts[i % MESSAGES] as string) as {
          readonly media: { readonly payload: string };
        };
        const samples = mulaw.decode(Buffer.from(message.media.payload, "base64"));
        const raised = new Int16Array(samples.length * RATIO);
        for (let n = 0; n < samples.length; n++) {
          const next = samples[n] as number;
          for (let k = 0; k < RATIO; k++) raised[n * RATIO + k] = last + ((next - last) * k) / RATIO;
          last = next;
        }
        const audio = Buffer.from(raised.buffer).toString("base64");
        take(sink, JSON.stringify({ type: "input_audio_buffer.append", event_id: `append_${i}`, audio }), i);
      }
      return operations;
    },
  };
}

// ---------------------------------------------------------------- model → carrier

function pcmTexts(): readonly string[] {
  const speech = voice(24_000);
  return deltaTexts(DELTAS, () => new Uint8Array(speech(DELTA_BYTES * RATIO).buffer));
}

function passOut(sink: Sink): Variant {
  const speech = voice(8000);
  const texts = deltaTexts(DELTAS, () => mulaw.encode(speech(DELTA_BYTES)));
  const deltas = new AudioDeltaReader();
  return {
    name: "out: μ-law passes as it is",
    run: (operations) => {
      for (let i = 0; i < operations / FRAMES_PER_DELTA; i++) {
        take(sink, deltas.cut(texts[i % texts.length] as string)?.base64 ?? "", i);
      }
      return operations;
    },
  };
}

function transcodeOut(sink: Sink): Variant {
  const texts = pcmTexts();
  const transcoder = new ModelTranscoder(({ base64 }) => take(sink, base64, base64.length));
  const deltas = new AudioDeltaReader();
  return {
    name: "out: lowered from PCM16 at 24 kHz",
    run: (operations) => {
      for (let i = 0; i < operations / FRAMES_PER_DELTA; i++) {
        const chunk = deltas.cut(texts[i % texts.length] as string);
        invariant(chunk !== null && transcoder.fromModel(chunk), "the fast path refused a delta");
      }
      return operations;
    },
  };
}

function naiveOut(sink: Sink): Variant {
  const texts = pcmTexts();
  return {
    name: "out: naively, JSON.parse, mean of three, alawmulaw",
    run: (operations) => {
      for (let i = 0; i < operations / FRAMES_PER_DELTA; i++) {
        const message = JSON.parse(texts[i % texts.length] as string) as { readonly delta: string };
        const bytes = Buffer.from(message.delta, "base64");
        const lowered = new Int16Array(bytes.length / 2 / RATIO);
        for (let n = 0; n < lowered.length; n++) {
          let sum = 0;
          for (let k = 0; k < RATIO; k++) sum += bytes.readInt16LE((n * RATIO + k) * 2);
          lowered[n] = sum / RATIO;
        }
        take(sink, Buffer.from(mulaw.encode(lowered)).toString("base64"), i);
      }
      return operations;
    },
  };
}

/** Noise at a voice's level; the next samples of it at each call. */
function voice(seed: number): (samples: number) => Int16Array {
  const ids = seededIds(seed);
  return (samples) => Int16Array.from({ length: samples }, () => (ids.random() - 0.5) * 16_000);
}
