/** The text transformations that every 20 ms frame of a call takes, against the obvious way. */
import { AudioDeltaReader } from "../adapters/openai/audio-delta.ts";
import { EventIds } from "../adapters/openai/client-events.ts";
import { invariant } from "../engine/errors.ts";
import { checkedBytes } from "../engine/media/base64.ts";
import { MediaLeg } from "../engine/media/leg.ts";
import { MediaTextReader, MediaTextWriter } from "../engine/media/media-text.ts";
import type { MediaSocket } from "../engine/media/socket.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock, LogFields } from "../engine/ports.ts";
import { FRAME_BYTES, FRAME_MS, deltaTexts, noiseOf, twilioTexts } from "./frame-texts.ts";
import {
  type Bench,
  type BenchOptions,
  type Rows,
  type Variant,
  compare,
  comparedRow,
  fold,
  foldText,
} from "./runner.ts";

/** Enough different texts that none of them stays in the nearest cache. */
const MESSAGES = 512;
/** OpenAI sends speech in pieces of this length and more. */
const FRAMES_PER_DELTA = 5;
const STREAM_SID = "MZ00000000000000000000000000000001";
/** Inside the audio of either text, past every fixed part. */
const PAYLOAD_AT = 180;
const PAYLOAD_MASK = 31;

export const bench: Bench = {
  name: "text-path",
  claim: "Cutting audio out of JSON text costs less than parsing and writing JSON, in both directions.",
  run: async (options) => {
    const parts = [
      await runFrameIn(options),
      await runFrameOut(options),
      await runFrameWritten(options),
      await runDelta(options),
      await runLegIn(options),
      await runLegOut(options),
    ];
    return {
      rows: parts.flatMap(({ rows }) => rows),
      hash: parts.reduce((hash, part) => fold(hash, part.hash), 0),
      notes: [
        "A frame's text is first made in parts that the engine joins when somebody reads it: what the socket is handed. Written to the wire it is joined, and the row after it says what that leaves of the saving.",
        "Cutting also proves what the baselines do not look at: that the payload is base64 of the standard alphabet and the message of this stream.",
        "Through the leg in: with its timeline of lost audio, its level meter and its timings. Out: with queue, pacing slots, marks, level meter and the ledger of what was heard. The baselines have nothing of that.",
      ],
    };
  },
};

/** Twilio's text to bytes and time. */
function runFrameIn({ smoke, clock }: BenchOptions): Promise<Rows> {
  const texts = twilioTexts(smoke ? 8 : MESSAGES, { streamSid: STREAM_SID });
  const variants = [parseFrame(texts), cutFrame(texts)];
  return against({ clock, smoke, variants, operations: smoke ? 16 : MESSAGES, ratioAtMost: 0.25 });
}

/** Bytes to Twilio's text, as it is handed to the socket. */
function runFrameOut({ smoke, clock }: BenchOptions): Promise<Rows> {
  const variants = frameWriters("160 bytes → Twilio text", (text) => text.length);
  return against({ clock, smoke, variants, operations: smoke ? 16 : MESSAGES, ratioAtMost: 0.4 });
}

/** The same as it is written: a socket makes the text whole. */
function runFrameWritten({ smoke, clock }: BenchOptions): Promise<Rows> {
  const variants = frameWriters("the same, made whole", (text) => foldText(0, text, PAYLOAD_AT));
  return against({ clock, smoke, variants, operations: smoke ? 16 : MESSAGES });
}

/** 100 ms of a model's speech to bytes: PCM16 at 24 kHz, and μ-law. */
async function runDelta({ smoke, clock }: BenchOptions): Promise<Rows> {
  const parts: Rows[] = [];
  for (const { name, bytes, target } of [
    { name: "delta of 100 ms PCM24k → bytes", bytes: 4800, target: { ratioAtMost: 0.2 } },
    { name: "delta of 100 ms μ-law → bytes", bytes: 800, target: {} },
  ]) {
    const texts = deltaTexts(smoke ? 4 : MESSAGES / FRAMES_PER_DELTA, noiseOf(2, bytes));
    const variants = [parseAndDecode(name, texts), cutAndDecode(name, texts)];
    parts.push(await against({ clock, smoke, variants, operations: smoke ? 4 : 100, ...target }));
  }
  return {
    rows: parts.flatMap(({ rows }) => rows),
    hash: parts.reduce((hash, part) => fold(hash, part.hash), 0),
  };
}

function runLegIn({ smoke, clock }: BenchOptions): Promise<Rows> {
  const texts = twilioTexts(smoke ? 8 : MESSAGES, { streamSid: STREAM_SID });
  const variants = [parseAndStringify(texts), cutAndAppend(texts), throughLeg(texts, clock)];
  return against({ clock, smoke, variants, operations: smoke ? 16 : MESSAGES, ratioAtMost: 0.5 });
}

/** The leg does more than the baseline, which paces nothing and knows nothing of what was heard. */
function runLegOut({ smoke, clock }: BenchOptions): Promise<Rows> {
  const texts = deltaTexts(
    smoke ? 4 : MESSAGES / FRAMES_PER_DELTA,
    noiseOf(2, FRAME_BYTES * FRAMES_PER_DELTA),
  );
  const variants = [parseAndWrap(texts), cutAndPlay(texts)];
  // Whole deltas only, so that both variants send the same frames.
  const operations = (smoke ? 4 : 100) * FRAMES_PER_DELTA;
  return against({ clock, smoke, variants, operations, ratioAtMost: 1 });
}

async function against(work: {
  readonly clock: Clock;
  readonly smoke: boolean;
  readonly variants: readonly Variant[];
  readonly operations: number;
  readonly ratioAtMost?: number;
}): Promise<Rows> {
  const { clock, smoke, variants, operations, ratioAtMost } = work;
  const repetitions = smoke ? 3 : 601;
  const compared = await compare({ clock, variants, operations, repetitions, warmUps: smoke ? 1 : 200 });
  const target = ratioAtMost === undefined ? null : ({ of: "ratio", atMost: ratioAtMost } as const);
  const rows = compared.map((each, index) => comparedRow(each, index === 0 ? null : target));
  return { rows, hash: compared[0]?.hash ?? 0 };
}

// ---------------------------------------------------------------- one frame

function parseFrame(texts: readonly string[]): Variant {
  return {
    name: "Twilio text → 160 bytes and time: JSON.parse and Buffer.from",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const { media } = JSON.parse(texts[i % texts.length] as string) as {
          readonly media: { readonly payload: string; readonly timestamp: string };
        };
        const bytes = Buffer.from(media.payload, "base64");
        hash = fold(fold(hash, Number(media.timestamp)), bytes.length * 256 + (bytes[i & 127] as number));
      }
      return hash;
    },
  };
}

function cutFrame(texts: readonly string[]): Variant {
  const reader = new MediaTextReader(STREAM_SID);
  return {
    name: "Twilio text → 160 bytes and time: cut and decoded in place",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        invariant(reader.cut(texts[i % texts.length] as string), "the fast path refused a message");
        hash = fold(
          fold(hash, reader.timestampMs),
          reader.payloadBytes * 256 + (checkedBytes()[i & 127] as number),
        );
      }
      return hash;
    },
  };
}

function frameWriters(what: string, read: (text: string) => number): readonly Variant[] {
  const bytes = noiseOf(3, FRAME_BYTES)();
  const buffer = Buffer.from(bytes);
  const writer = new MediaTextWriter(STREAM_SID);
  const stringified = (): string =>
    JSON.stringify({
      event: "media",
      streamSid: STREAM_SID,
      media: { payload: buffer.toString("base64") },
    });
  const written = (): string => writer.media(bytes.toBase64());
  invariant(stringified() === written(), "the two texts differ");
  const folded = (text: () => string) => (operations: number) => {
    let hash = 0;
    for (let i = 0; i < operations; i++) hash = fold(hash, read(text()));
    return hash;
  };
  return [
    { name: `${what}: base64 and JSON.stringify`, run: folded(stringified) },
    { name: `${what}: base64 between fixed parts`, run: folded(written) },
  ];
}

// ---------------------------------------------------------------- carrier → model

function parseAndStringify(texts: readonly string[]): Variant {
  return {
    name: "in: JSON.parse, then JSON.stringify",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const message = JSON.parse(texts[i % texts.length] as string) as {
          readonly media: { readonly payload: string };
        };
        const append = {
          type: "input_audio_buffer.append",
          event_id: `append_${i + 1}`,
          audio: message.media.payload,
        };
        hash = foldText(hash, JSON.stringify(append), PAYLOAD_AT + (i & PAYLOAD_MASK));
      }
      return hash;
    },
  };
}

/** Also checks what the baseline does not: that the payload is base64. */
function cutAndAppend(texts: readonly string[]): Variant {
  const reader = new MediaTextReader(STREAM_SID);
  return {
    name: "in: payload cut and checked, append text around it",
    run: (operations) => {
      const ids = new EventIds();
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        invariant(reader.cut(texts[i % texts.length] as string), "the fast path refused a message");
        hash = foldText(hash, ids.appendText(reader.payload) ?? "", PAYLOAD_AT + (i & PAYLOAD_MASK));
      }
      return hash;
    },
  };
}

function throughLeg(texts: readonly string[], clock: Clock): Variant {
  return {
    name: "in: the same through the media leg, with its timeline",
    run: (operations) => {
      const ids = new EventIds();
      let hash = 0;
      let frames = 0;
      const leg = newLeg(clock, new PacingWheel({ clock }), { send: () => 1 });
      const audio = (base64: string): void => {
        hash = foldText(hash, ids.appendText(base64) ?? "", PAYLOAD_AT + (frames++ & PAYLOAD_MASK));
      };
      leg.listen({ audio, dtmf: () => undefined, itemHeard: () => undefined });
      for (let i = 0; i < operations; i++) leg.onText(texts[i % texts.length] as string);
      leg.dispose();
      return hash;
    },
  };
}

// ---------------------------------------------------------------- model → carrier

function parseAndDecode(what: string, texts: readonly string[]): Variant {
  return {
    name: `${what}: JSON.parse and Buffer.from`,
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const message = JSON.parse(texts[i % texts.length] as string) as { readonly delta: string };
        const bytes = Buffer.from(message.delta, "base64");
        hash = foldBytes(hash, bytes, bytes.length, i);
      }
      return hash;
    },
  };
}

function cutAndDecode(what: string, texts: readonly string[]): Variant {
  const reader = new AudioDeltaReader();
  return {
    name: `${what}: cut and decoded in place`,
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        invariant(reader.cut(texts[i % texts.length] as string) !== null, "the fast path refused a delta");
        hash = foldBytes(hash, reader.bytes, reader.byteCount, i);
      }
      return hash;
    },
  };
}

function foldBytes(hash: number, bytes: Uint8Array, count: number, at: number): number {
  return fold(hash, count * 256 + (bytes[at & 511] as number));
}

function parseAndWrap(texts: readonly string[]): Variant {
  return {
    name: "out: JSON.parse, then JSON.stringify, unpaced",
    run: (operations) => {
      let hash = 0;
      let frames = 0;
      for (let i = 0; frames < operations; i++) {
        const message = JSON.parse(texts[i % texts.length] as string) as { readonly delta: string };
        const bytes = Buffer.from(message.delta, "base64");
        for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
          const payload = bytes.toString("base64", at, at + FRAME_BYTES);
          const text = JSON.stringify({ event: "media", streamSid: STREAM_SID, media: { payload } });
          hash = foldText(hash, text, PAYLOAD_AT + (frames++ & PAYLOAD_MASK));
        }
      }
      return hash;
    },
  };
}

/** The whole outbound path: queue, pacing slots, marks and ledger as in a call. */
function cutAndPlay(texts: readonly string[]): Variant {
  const deltas = new AudioDeltaReader();
  return {
    name: "out: delta cut, then queued, paced and marked by the leg",
    run: (operations) => {
      const clock = new SteppedClock();
      let hash = 0;
      let frames = 0;
      const send = (text: string): number => {
        if (text.startsWith('{"event":"media"')) {
          hash = foldText(hash, text, PAYLOAD_AT + (frames++ & PAYLOAD_MASK));
        }
        return text.length;
      };
      const leg = newLeg(clock, new PacingWheel({ clock }), { send });
      for (let i = 0; i * FRAMES_PER_DELTA < operations; i++) {
        const chunk = deltas.cut(texts[i % texts.length] as string);
        invariant(chunk !== null, "the fast path refused a delta");
        leg.play(chunk);
        for (let slot = 0; slot < FRAMES_PER_DELTA; slot++) clock.step(FRAME_MS);
      }
      invariant(frames === operations, `the leg sent ${frames} frames instead of ${operations}`);
      leg.dispose();
      return hash;
    },
  };
}

/** Time by hand, with the one timer of a pacing wheel. */
class SteppedClock implements Clock {
  #nowMs = 0;
  #timer: (() => void) | null = null;

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  readonly setTimeout = (fn: () => void): unknown => (this.#timer = fn);

  readonly clearTimeout = (): void => {
    this.#timer = null;
  };

  step(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timer;
    this.#timer = null;
    due?.();
  }
}

function newLeg(clock: Clock, wheel: PacingWheel, carrier: Pick<MediaSocket, "send">): MediaLeg {
  const fail = (event: string, fields?: LogFields): void =>
    invariant(false, `the leg failed: ${event} ${JSON.stringify(fields)}`);
  const socket = { ...carrier, bufferedBytes: () => 0, close: () => undefined };
  return new MediaLeg({ socket, streamSid: STREAM_SID, clock, wheel, log: { ...silentLog, error: fail } });
}
