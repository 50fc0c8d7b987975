/**
 * A caller who asks and listens, turn after turn, and the times at which a turn's sound passed each boundary,
 * all by one clock. Every frame is known by its bytes.
 */
import { FRAME_BYTES, FRAME_MS, type PhoneLine } from "../adapters/sandbox/types.ts";
import { ULAW_SILENCE } from "../engine/media/g711.ts";
import type { Clock, Ids } from "../engine/ports.ts";
import { noise } from "../test/support/world.ts";

/** 300 ms of speech make a question, and an answer. */
export const SPEECH_MS = 300;
const QUESTION_FRAMES = SPEECH_MS / FRAME_MS;
/** So much silence after an answer, and a little more: turns of many callers must not fall in step. */
const PAUSE_FRAMES = 10;
const MAX_EXTRA_FRAMES = 10;
/** A turn that has no answer after 5 s has failed. */
const ANSWER_FRAMES_MAX = 250;

/** Milliseconds of one turn, from boundary to boundary; the sum of all is mouth to ear. */
export interface TurnTimes {
  /** The last frame of the question said → written to the stream's socket. */
  readonly toSocketMs: number;
  /** … → in an append at the model. */
  readonly engineInMs: number;
  /** … → the first delta of the answer sent. */
  readonly modelMs: number;
  /** … → its first frame at the carrier's socket. */
  readonly engineOutMs: number;
  /** … → heard. */
  readonly toEarMs: number;
}

export interface Caught {
  turns: TurnTimes[];
  /** Carrier's socket → model, of every frame said. */
  inboundMs: number[];
  failedTurns: number;
}

export class Caller implements PhoneLine {
  readonly number: string;
  /** Base64 of each frame of the question, in order. */
  readonly payloads: readonly string[];
  onHangup: () => void = () => undefined;
  onDigit: (digit: string) => void = () => undefined;
  caught: Caught = { turns: [], inboundMs: [], failedTurns: 0 };
  /** Has heard the model speak: turns may be timed. */
  ready = false;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #question: Uint8Array;
  readonly #answerHead: Uint8Array;
  readonly #sentAtMs: Float64Array;
  #phase: "listening" | "asking" | "waiting" = "listening";
  #frame = 0;
  #quietFrames = 0;
  #pauseFrames = PAUSE_FRAMES;
  #saidAtMs = 0;
  #lastSentAtMs = 0;
  #appendedAtMs = 0;
  #deltaAtMs = 0;
  #arrivedAtMs = 0;

  constructor(options: {
    readonly number: string;
    readonly clock: Clock;
    readonly ids: Ids;
    readonly answer: Uint8Array;
  }) {
    this.number = options.number;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#question = noise(options.number, SPEECH_MS);
    this.#answerHead = options.answer.subarray(0, FRAME_BYTES);
    this.#sentAtMs = new Float64Array(QUESTION_FRAMES);
    this.payloads = Array.from({ length: QUESTION_FRAMES }, (_, i) => this.#frameAt(i).toBase64());
  }

  // ------------------------------------------------------------------ at the phone

  read(out: Uint8Array): boolean {
    if (this.#phase === "listening" && this.ready && this.#quietFrames >= this.#pauseFrames) {
      this.#phase = "asking";
      this.#frame = 0;
      this.#deltaAtMs = 0;
      this.#arrivedAtMs = 0;
    }
    if (this.#phase !== "asking") return false;
    out.set(this.#frameAt(this.#frame++));
    if (this.#frame === QUESTION_FRAMES) {
      this.#saidAtMs = this.#clock.monotonicMs();
      this.#phase = "waiting";
      this.#quietFrames = 0;
    }
    return true;
  }

  write(frame: Uint8Array): void {
    this.#quietFrames = frame[0] === ULAW_SILENCE ? this.#quietFrames + 1 : 0;
    if (this.#isAnswer(frame)) {
      if (this.#phase === "waiting") this.#answered();
      this.ready = true;
    } else if (this.#phase === "waiting" && this.#quietFrames > ANSWER_FRAMES_MAX) {
      this.caught.failedTurns++;
      this.#rest();
    }
  }

  /** Nothing is said or timed any more: nobody reads from here. */
  hangUp(): void {
    this.ready = false;
  }

  // ------------------------------------------------------------------ at the sockets

  /** A frame of the question was written to the stream's socket. */
  sent(frame: number, nowMs: number): void {
    this.#sentAtMs[frame] = nowMs;
    if (frame === QUESTION_FRAMES - 1) this.#lastSentAtMs = nowMs;
  }

  /** A frame of the question is at the model. */
  appended(frame: number, nowMs: number): void {
    this.caught.inboundMs.push(nowMs - (this.#sentAtMs[frame] as number));
    if (frame === QUESTION_FRAMES - 1) this.#appendedAtMs = nowMs;
  }

  /** The model sent audio. */
  delta(nowMs: number): void {
    if (this.#phase === "waiting" && this.#deltaAtMs === 0) this.#deltaAtMs = nowMs;
  }

  /** A frame of the model's audio is at the carrier's socket. */
  arrived(nowMs: number): void {
    if (this.#deltaAtMs !== 0 && this.#arrivedAtMs === 0) this.#arrivedAtMs = nowMs;
  }

  #answered(): void {
    // A turn whose beginning was not seen whole is no measurement.
    if (this.#arrivedAtMs !== 0 && this.#appendedAtMs > this.#saidAtMs) {
      this.caught.turns.push({
        toSocketMs: this.#lastSentAtMs - this.#saidAtMs,
        engineInMs: this.#appendedAtMs - this.#lastSentAtMs,
        modelMs: this.#deltaAtMs - this.#appendedAtMs,
        engineOutMs: this.#arrivedAtMs - this.#deltaAtMs,
        toEarMs: this.#clock.monotonicMs() - this.#arrivedAtMs,
      });
    } else {
      this.caught.failedTurns++;
    }
    this.#rest();
  }

  #rest(): void {
    this.#phase = "listening";
    this.#quietFrames = 0;
    this.#pauseFrames = PAUSE_FRAMES + Math.floor(this.#ids.random() * MAX_EXTRA_FRAMES);
  }

  #isAnswer(frame: Uint8Array): boolean {
    const head = this.#answerHead;
    for (let i = 0; i < head.length; i++) if (frame[i] !== head[i]) return false;
    return true;
  }

  #frameAt(index: number): Uint8Array {
    return this.#question.subarray(index * FRAME_BYTES, (index + 1) * FRAME_BYTES);
  }
}
