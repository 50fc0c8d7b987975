/** The carrier's end of one Media Stream, over a real socket: it sends a frame each slot and takes what comes. */
import { invariant } from "../engine/errors.ts";
import type { PacedSlot } from "../engine/media/wheel.ts";
import type { Clock } from "../engine/ports.ts";

const FRAME_MS = 20;
const FRAME = new Uint8Array(160).fill(0x55).toBase64();
/** A frame is played about this long after it was sent: the engine's lead. */
const MARK_DELAY_MS = 160;
const GUARD_MS = 10_000;
/** A message that is answered by itself. */
export const ECHO = "echo";
/** One that is answered by the processor time of the engine's loop so far, in milliseconds. */
export const LOOP_CLOCK = "loop-clock";
/** One on which some call takes a step, which is not answered. */
export const STEP = "step";

export interface StreamNames {
  readonly callSid: string;
  readonly streamSid: string;
}

export class CarrierLine implements PacedSlot {
  readonly callSid: string;
  onClear: (() => void) | null = null;
  /** Frames that came. */
  frames = 0;
  /** Until when there is something to play. */
  playEndMs = 0;
  readonly #clock: Clock;
  readonly #streamSid: string;
  #socket: WebSocket | null = null;
  #sent = 0;

  constructor({ callSid, streamSid }: StreamNames, clock: Clock) {
    this.callSid = callSid;
    this.#streamSid = streamSid;
    this.#clock = clock;
  }

  /** Opens the stream. Resolves once it was let in and its first frame has come back. */
  async connect(url: string, token: string): Promise<void> {
    const socket = new WebSocket(url);
    this.#socket = socket;
    const started = Promise.withResolvers<void>();
    socket.addEventListener("open", () => {
      const { callSid } = this;
      const mediaFormat = { encoding: "audio/x-mulaw", sampleRate: 8000, channels: 1 };
      const start = { streamSid: this.#streamSid, callSid, mediaFormat, customParameters: { token } };
      socket.send('{"event":"connected","protocol":"Call","version":"1.0.0"}');
      socket.send(JSON.stringify({ event: "start", sequenceNumber: "1", start, streamSid: this.#streamSid }));
    });
    socket.addEventListener("close", () => started.reject(new Error(`${this.callSid}: the stream closed`)));
    socket.addEventListener("message", ({ data }) => {
      this.#onText(String(data));
      if (this.frames > 0) started.resolve();
    });
    await within(this.#clock, started.promise, "a stream to start");
  }

  /** 20 ms of the caller's voice. */
  onSlot(): void {
    const n = ++this.#sent;
    this.#socket?.send(
      `{"event":"media","sequenceNumber":"${n + 1}","media":{"track":"inbound","chunk":"${n}","timestamp":"${n * 20}","payload":"${FRAME}"},"streamSid":"${this.#streamSid}"}`,
    );
  }

  close(): void {
    this.#socket?.close();
  }

  #onText(text: string): void {
    if (text.startsWith('{"event":"media"')) {
      this.frames++;
      this.playEndMs = Math.max(this.playEndMs, this.#clock.monotonicMs()) + FRAME_MS;
    } else if (text.startsWith('{"event":"clear"')) {
      this.playEndMs = Math.min(this.playEndMs, this.#clock.monotonicMs());
      this.onClear?.();
    } else if (text.startsWith('{"event":"mark"'))
      this.#clock.setTimeout(() => this.#returnMark(text), MARK_DELAY_MS);
  }

  #returnMark(text: string): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(text);
  }
}

/** The socket on which a model would report: each message is answered, and the answer is timed. */
export class Prompt {
  readonly #clock: Clock;
  #socket: WebSocket | null = null;
  #onAnswer: ((text: string) => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `origin`: of the engine, such as `ws://127.0.0.1:1`. */
  async open(origin: string): Promise<void> {
    const socket = new WebSocket(`${origin}/prompt`);
    this.#socket = socket;
    const opened = Promise.withResolvers<void>();
    socket.addEventListener("open", () => opened.resolve());
    socket.addEventListener("message", ({ data }) => this.#onAnswer?.(String(data)));
    await within(this.#clock, opened.promise, "the prompt socket");
  }

  /** Milliseconds of a message to the engine and back. */
  async echo(): Promise<number> {
    return await this.timed(ECHO, (done) => (this.#onAnswer = done));
  }

  /** A call takes a step. */
  step(): void {
    this.#socket?.send(STEP);
  }

  /** Processor time that the engine's loop has had when it answers, in milliseconds. */
  async loopClockMs(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#onAnswer = resolve;
    this.#socket?.send(LOOP_CLOCK);
    return Number(await within(this.#clock, promise, "the loop's clock"));
  }

  /** Milliseconds until what the message brings about is heard of. */
  async timed(message: string, listen: (done: () => void) => void): Promise<number> {
    const answered = Promise.withResolvers<number>();
    listen(() => answered.resolve(this.#clock.monotonicMs()));
    const startMs = this.#clock.monotonicMs();
    this.#socket?.send(message);
    return (await within(this.#clock, answered.promise, `the answer to "${message}"`)) - startMs;
  }

  close(): void {
    this.#socket?.close();
  }
}

/** A benchmark that waits for ever would hide what broke. */
async function within<T>(clock: Clock, promise: Promise<T>, what: string): Promise<T> {
  let timer: unknown;
  const late = new Promise<null>((resolve) => {
    timer = clock.setTimeout(() => resolve(null), GUARD_MS);
  });
  const wrapped = promise.then((value) => ({ value }));
  try {
    const outcome = await Promise.race([wrapped, late]);
    invariant(outcome !== null, `waited ${GUARD_MS} ms for ${what}`);
    return outcome.value;
  } finally {
    clock.clearTimeout(timer);
  }
}
