/** One 20 ms frame of many calls each way, with as little garbage as the engine makes and with the usual much. */
import { mulaw } from "alawmulaw";
import { AudioDeltaReader } from "../adapters/openai/audio-delta.ts";
import { EventIds } from "../adapters/openai/client-events.ts";
import { invariant } from "../engine/errors.ts";
import { decodeBase64 } from "../engine/media/base64.ts";
import { MediaLeg } from "../engine/media/leg.ts";
import { ulawPower } from "../engine/media/level.ts";
import type { MediaSocket } from "../engine/media/socket.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock } from "../engine/ports.ts";
import { FRAME_BYTES, FRAME_MS, deltaTexts, noiseOf, twilioTexts } from "./frame-texts.ts";
import { fold, foldText } from "./runner.ts";

/** OpenAI sends speech in pieces of this length and more. */
const FRAMES_PER_DELTA = 5;
/** Enough different texts that none of them stays in the nearest cache. */
const TEXTS = 512;
/** Inside the audio of either text. */
const PAYLOAD_AT = 180;

/** Times one frame: called after each, in either direction. */
export type FrameDone = () => void;

export interface Work {
  /** One frame of every call in, and one out. */
  tick(frameDone: FrameDone): void;
  /** Of everything that was made. */
  readonly hash: number;
}

export const WORKS: Readonly<Record<string, (calls: number) => Work>> = {
  naive: (calls) => new NaiveWork(calls),
  lean: (calls) => new LeanWork(calls),
};

/** JSON parsed and written, a buffer for each payload, and alawmulaw for the level. */
class NaiveWork implements Work {
  hash = 0;
  readonly #calls: number;
  readonly #texts = twilioTexts(TEXTS, { streamSid: "MZ1", everyMs: 0 });
  readonly #deltas = deltaTexts(TEXTS, noiseOf(2, FRAME_BYTES * FRAMES_PER_DELTA));
  readonly #audio: Buffer[];
  #tick = 0;

  constructor(calls: number) {
    this.#calls = calls;
    this.#audio = Array.from({ length: calls }, () => Buffer.alloc(0));
  }

  tick(frameDone: FrameDone): void {
    const tick = this.#tick++;
    for (let call = 0; call < this.#calls; call++) {
      const at = tick + call;
      this.#in(this.#texts[at % TEXTS] as string, at);
      frameDone();
      this.#out(call, tick);
      frameDone();
    }
  }

  #in(text: string, at: number): void {
    const { media } = JSON.parse(text) as { readonly media: { readonly payload: string } };
    const samples = mulaw.decode(Buffer.from(media.payload, "base64"));
    let power = 0;
    for (const sample of samples) power += sample * sample;
    const append = { type: "input_audio_buffer.append", event_id: `append_${at}`, audio: media.payload };
    this.hash = fold(foldText(this.hash, JSON.stringify(append), PAYLOAD_AT), power / FRAME_BYTES);
  }

  #out(call: number, tick: number): void {
    let audio = this.#audio[call] as Buffer;
    if ((tick + call) % FRAMES_PER_DELTA === 0) {
      const { delta } = JSON.parse(this.#deltas[(tick + call) % TEXTS] as string) as {
        readonly delta: string;
      };
      audio = Buffer.concat([audio, Buffer.from(delta, "base64")]);
    }
    const payload = audio.subarray(0, FRAME_BYTES).toString("base64");
    this.#audio[call] = audio.subarray(FRAME_BYTES);
    if (payload === "") return;
    const text = JSON.stringify({ event: "media", streamSid: "MZ1", media: { payload } });
    this.hash = foldText(this.hash, text, PAYLOAD_AT);
  }
}

/** The engine's own legs, pacing and ledger included; every mark comes back. */
class LeanWork implements Work {
  hash = 0;
  readonly #clock = new TickClock();
  readonly #wheel = new PacingWheel({ clock: this.#clock });
  readonly #ids = new EventIds();
  readonly #reader = new AudioDeltaReader();
  readonly #legs: readonly MediaLeg[];
  readonly #texts = twilioTexts(TEXTS, { streamSid: "MZ1", everyMs: 0 });
  readonly #deltas = deltaTexts(TEXTS, noiseOf(2, FRAME_BYTES * FRAMES_PER_DELTA));
  readonly #marks: { readonly leg: number; readonly text: string }[] = [];
  #frameDone: FrameDone = () => undefined;
  #tick = 0;

  constructor(calls: number) {
    this.#legs = Array.from({ length: calls }, (_, call) => this.#leg(call));
  }

  tick(frameDone: FrameDone): void {
    this.#frameDone = frameDone;
    const tick = this.#tick++;
    const marks = this.#marks.splice(0);
    for (const { leg, text } of marks) this.#legs[leg]?.onText(text);
    for (let call = 0; call < this.#legs.length; call++) {
      const leg = this.#legs[call] as MediaLeg;
      leg.onText(this.#texts[(tick + call) % TEXTS] as string);
      frameDone();
      if ((tick + call) % FRAMES_PER_DELTA !== 0) continue;
      const chunk = this.#reader.cut(this.#deltas[(tick + call) % TEXTS] as string);
      invariant(chunk !== null, "the fast path refused a delta");
      leg.play(chunk);
    }
    this.#clock.step(FRAME_MS);
  }

  #leg(call: number): MediaLeg {
    const send = (text: string): number => {
      if (text.startsWith('{"event":"media"')) {
        this.hash = foldText(this.hash, text, PAYLOAD_AT);
        this.#frameDone();
      } else {
        this.#marks.push({ leg: call, text });
      }
      return text.length;
    };
    const socket: MediaSocket = { send, bufferedBytes: () => 0, close: () => undefined };
    const options = { socket, streamSid: "MZ1", clock: this.#clock, wheel: this.#wheel, log: silentLog };
    const leg = new MediaLeg(options);
    leg.listen({ audio: (base64) => this.#in(base64), dtmf: ignore, itemHeard: ignore });
    return leg;
  }

  #in(base64: string): void {
    const ulaw = decodeBase64(base64);
    invariant(ulaw !== null, "the payload does not decode");
    const power = ulawPower(ulaw, ulaw.length);
    const text = this.#ids.appendText(base64) ?? "";
    this.hash = fold(foldText(this.hash, text, PAYLOAD_AT), power * 1e6);
  }
}

const ignore = (): void => undefined;

/** Time that moves with the ticks, for everything that is paced. */
class TickClock implements Clock {
  #nowMs = 0;
  #timer: { readonly fn: () => void; readonly atMs: number } | null = null;

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  readonly setTimeout = (fn: () => void, delayMs: number): unknown =>
    (this.#timer = { fn, atMs: this.#nowMs + delayMs });

  readonly clearTimeout = (): void => {
    this.#timer = null;
  };

  step(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (let due = this.#timer; due !== null && due.atMs <= endMs; due = this.#timer) {
      this.#timer = null;
      this.#nowMs = due.atMs;
      due.fn();
    }
    this.#nowMs = endMs;
  }
}
