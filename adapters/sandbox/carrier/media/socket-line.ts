import type { JitterCounters } from "../../../../engine/media/jitter/counters.ts";
import { JitterBuffer } from "../../../../engine/media/jitter/jitter-buffer.ts";
import type { JitterBufferSize } from "../../../../engine/ports.ts";
import { BUFFERS } from "./buffer-sizes.ts";
import { FRAME_MS, type PhoneLine } from "../../types.ts";

/** Half a second: a stall of a browser or a network costs no words, it only delays them for a while. */
const CAPACITY_FRAMES = 25;
/** Never less than one frame behind the one that is due: timers of pages and programs wobble by that much. */
const MIN_TARGET_FRAMES = 2;

/** What a line needs of the phone at its other end. */
export interface LineOwner {
  /** The first frame reached the ear of a phone that was dialling. */
  lineAnswered(line: SocketLine): void;
  hear(frame: Uint8Array): void;
  /** The carrier ended the call. */
  lineEnded(line: SocketLine): void;
}

/** One call of a phone that is connected by WebSocket. */
export class SocketLine implements PhoneLine {
  readonly number: string;
  /** Empty until the carrier has given the call its sid. */
  callSid: string;
  onHangup: () => void = () => undefined;
  onDigit: (digit: string) => void = () => undefined;
  readonly #owner: LineOwner;
  readonly #microphone = new JitterBuffer({
    capacityFrames: CAPACITY_FRAMES,
    minTargetFrames: MIN_TARGET_FRAMES,
  });
  #spoken = 0;
  #answered: boolean;
  #over = false;
  #endReason = "";

  /** `answered`: the phone was rung and has answered; otherwise it is dialling. */
  constructor(number: string, callSid: string, answered: boolean, owner: LineOwner) {
    this.number = number;
    this.callSid = callSid;
    this.#answered = answered;
    this.#owner = owner;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why the carrier ended it. */
  get endReason(): string {
    return this.#endReason;
  }

  /** What the microphone's buffer has done. */
  get microphone(): JitterCounters {
    return this.#microphone.counters;
  }

  /** A frame from the phone. The socket keeps order and carries no time: frames are numbered as they come. */
  speak(frame: Uint8Array, arrivalMs: number): void {
    const sequence = this.#spoken++;
    this.#microphone.push(sequence, sequence * FRAME_MS, arrivalMs, frame);
  }

  read(out: Uint8Array): boolean {
    return !this.#over && this.#microphone.pop(out) !== "silence";
  }

  sizeBuffer(size: JitterBufferSize | null): void {
    if (size === null) this.#microphone.adapt();
    else this.#microphone.fixTarget(BUFFERS[size].targetFrames, BUFFERS[size].maxLateMs);
  }

  /** The first frame tells a dialling phone that it was answered: a carrier lets nothing through before. */
  write(frame: Uint8Array): void {
    if (this.#over) return;
    if (!this.#answered && this.callSid !== "") {
      this.#answered = true;
      this.#owner.lineAnswered(this);
    }
    this.#owner.hear(frame);
  }

  hangUp(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#endReason = reason;
    this.#owner.lineEnded(this);
  }

  /** The phone's side ended it: from now on the line is silent. */
  end(): void {
    this.#over = true;
  }
}
