/** The two text transformations that every 20 ms frame of a call takes, against the obvious way. */
import { cutAudioDelta } from "../adapters/openai/audio-delta.ts";
import { EventIds } from "../adapters/openai/client-events.ts";
import { invariant } from "../engine/errors.ts";
import { decodeBase64 } from "../engine/media/base64.ts";
import { MediaLeg } from "../engine/media/leg.ts";
import { MediaTextReader } from "../engine/media/media-text.ts";
import type { MediaSocket } from "../engine/media/socket.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock, LogFields } from "../engine/ports.ts";
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

const FRAME_BYTES = 160;
const FRAME_MS = 20;
/** Enough different texts that none of them stays in the nearest cache. */
const MESSAGES = 512;
/** OpenAI sends speech in pieces of this length and more. */
const FRAMES_PER_DELTA = 5;
const STREAM_SID = "MZ00000000000000000000000000000001";
/** Inside the audio of either text, past every fixed part. */
const PAYLOAD_AT = 180;
const PAYLOAD_MASK = 31;

export const bench: Bench = {
  name: "frame-path",
  claim: "Cutting audio out of JSON text costs less than parsing and writing JSON, in both directions.",
  run: async (options) => {
    const parts = [await runInbound(options), await runDelta(options), await runOutbound(options)];
    return {
      rows: parts.flatMap(({ rows }) => rows),
      hash: parts.reduce((hash, part) => fold(hash, part.hash), 0),
    };
  },
};

function runInbound({ smoke, clock }: BenchOptions): Promise<Rows> {
  const texts = inboundTexts(smoke ? 8 : MESSAGES);
  const variants = [parseAndStringify(texts), cutAndAppend(texts), throughLeg(texts, clock)];
  return against({ clock, smoke, variants, operations: smoke ? 16 : MESSAGES, ratioAtMost: 0.5 });
}

function runDelta({ smoke, clock }: BenchOptions): Promise<Rows> {
  const texts = deltaTexts(smoke ? 4 : MESSAGES / FRAMES_PER_DELTA);
  const variants = [parseAndDecode(texts), cutAndDecode(texts)];
  return against({ clock, smoke, variants, operations: smoke ? 4 : 200, ratioAtMost: 0.2 });
}

/** The leg does more than the baseline, which paces nothing and knows nothing of what was heard. */
function runOutbound({ smoke, clock }: BenchOptions): Promise<Rows> {
  const texts = deltaTexts(smoke ? 4 : MESSAGES / FRAMES_PER_DELTA);
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
  readonly ratioAtMost: number;
}): Promise<Rows> {
  const { clock, smoke, variants, operations, ratioAtMost } = work;
  const repetitions = smoke ? 3 : 601;
  const compared = await compare({ clock, variants, operations, repetitions, warmUps: smoke ? 1 : 200 });
  const rows = compared.map((each, index) =>
    comparedRow(each, index === 0 ? null : { of: "ratio", atMost: ratioAtMost }),
  );
  return { rows, hash: compared[0]?.hash ?? 0 };
}

// ---------------------------------------------------------------- carrier → model

/** As Twilio sends them. */
function inboundTexts(count: number): readonly string[] {
  const noise = noiseOf(1);
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      event: "media",
      sequenceNumber: String(i + 2),
      media: {
        track: "inbound",
        chunk: String(i + 1),
        timestamp: String(i * FRAME_MS),
        payload: noise(FRAME_BYTES).toBase64(),
      },
      streamSid: STREAM_SID,
    }),
  );
}

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
        hash = foldText(hash, ids.appendText(reader.payload), PAYLOAD_AT + (i & PAYLOAD_MASK));
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
        hash = foldText(hash, ids.appendText(base64), PAYLOAD_AT + (frames++ & PAYLOAD_MASK));
      };
      leg.listen({ audio, dtmf: () => undefined, itemHeard: () => undefined });
      for (let i = 0; i < operations; i++) leg.onText(texts[i % texts.length] as string);
      leg.dispose();
      return hash;
    },
  };
}

// ---------------------------------------------------------------- model → carrier

/** As OpenAI sends them. */
function deltaTexts(count: number): readonly string[] {
  const noise = noiseOf(2);
  return Array.from({ length: Math.floor(count) }, (_, i) =>
    JSON.stringify({
      type: "response.output_audio.delta",
      event_id: `event_${i}`,
      response_id: "resp_1",
      item_id: "item_1",
      output_index: 0,
      content_index: 0,
      delta: noise(FRAME_BYTES * FRAMES_PER_DELTA).toBase64(),
    }),
  );
}

function parseAndDecode(texts: readonly string[]): Variant {
  return {
    name: "100 ms of speech: JSON.parse and Buffer.from",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const message = JSON.parse(texts[i % texts.length] as string) as { readonly delta: string };
        hash = foldBytes(hash, Buffer.from(message.delta, "base64"), i);
      }
      return hash;
    },
  };
}

function cutAndDecode(texts: readonly string[]): Variant {
  return {
    name: "100 ms of speech: delta cut, decoded in place",
    run: (operations) => {
      let hash = 0;
      for (let i = 0; i < operations; i++) {
        const bytes = decodeBase64(cutAudioDelta(texts[i % texts.length] as string)?.base64 ?? "");
        invariant(bytes !== null, "the delta does not decode");
        hash = foldBytes(hash, bytes, i);
      }
      return hash;
    },
  };
}

function foldBytes(hash: number, bytes: Uint8Array, at: number): number {
  return fold(hash, bytes.length * 256 + (bytes[at & 511] as number));
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
        const chunk = cutAudioDelta(texts[i % texts.length] as string);
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

function noiseOf(seed: number): (bytes: number) => Uint8Array {
  const ids = seededIds(seed);
  return (bytes) => Uint8Array.from({ length: bytes }, () => Math.floor(ids.random() * 256));
}
