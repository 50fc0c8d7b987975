/** One call at the carrier: its stream, what is played on it, and how its audio is timed. */
import type { Clock } from "../../engine/ports.ts";
import {
  CarrierStream,
  type StreamIdentity,
  type StreamListener,
  type StreamTarget,
} from "./carrier-stream.ts";
import { EchoAudio, type EchoWindow } from "./echo.ts";
import type { AudioFormat, ModelLine } from "./model-line.ts";
import { Playback } from "./playback.ts";
import type { SpeechTurns } from "./speech-turns.ts";
import { decodedBytes } from "./tags.ts";
import type { Paced } from "./ticker.ts";

export class LoadCall implements Paced, StreamListener {
  readonly callSid: string;
  readonly number: number;
  readonly echo: EchoAudio;
  /** The model's end of the call, once it has one. */
  line: ModelLine | null = null;
  turns: SpeechTurns | null = null;
  /** Its stream went away by itself and nobody asked for it. */
  lost = false;
  onClosed: (() => void) | null = null;
  readonly playback = new Playback();
  readonly #identity: StreamIdentity;
  readonly #clock: Clock;
  readonly #losesMark: () => boolean;
  #stream: CarrierStream;

  constructor(options: {
    readonly identity: StreamIdentity;
    readonly format: AudioFormat;
    readonly window: EchoWindow;
    readonly clock: Clock;
    /** Asked for each mark that was played. */
    readonly losesMark: () => boolean;
  }) {
    const { identity } = options;
    this.#identity = identity;
    this.#clock = options.clock;
    this.#losesMark = options.losesMark;
    this.callSid = identity.callSid;
    this.number = identity.callNumber;
    this.echo = new EchoAudio({
      number: identity.callNumber,
      format: options.format,
      window: options.window,
    });
    this.#stream = new CarrierStream(identity, this);
  }

  /** Also once more, after the stream was lost: then under a new sid. */
  async open(target: StreamTarget, streamSid: string): Promise<void> {
    this.#stream = new CarrierStream({ ...this.#identity, streamSid }, this);
    this.lost = false;
    await this.#stream.open(target);
  }

  tick(nowMs: number): void {
    this.echo.send(this.#stream, nowMs);
    for (;;) {
      const name = this.playback.takeMark(nowMs);
      if (name === null) break;
      if (!this.#losesMark()) this.#stream.sendMark(name);
    }
    this.turns?.tick(nowMs);
  }

  media(bytes: Buffer, at: number, end: number): void {
    const nowMs = this.#clock.monotonicMs();
    const length = decodedBytes(bytes, at, end);
    this.playback.media(length, nowMs);
    if (this.turns) {
      this.echo.framesIn++;
      this.turns.heard(length);
    } else {
      this.echo.media(bytes, at, length, nowMs);
    }
  }

  mark(name: string): void {
    this.playback.mark(name, this.#clock.monotonicMs());
  }

  clear(): void {
    const nowMs = this.#clock.monotonicMs();
    this.turns?.cleared(nowMs, this.playback.waitingMs(nowMs));
    this.playback.clear(nowMs);
  }

  closed(): void {
    this.lost = true;
    this.onClosed?.();
  }

  stop(): void {
    this.#stream.stop();
  }

  /** As when the network fails. */
  drop(): void {
    this.#stream.drop();
    this.closed();
  }
}
