/** The people on the phones: the caller, and those who are rung. */
import { ClipQueue } from "../../adapters/sandbox/carrier/media/clip.ts";
import type { PhoneLine } from "../../adapters/sandbox/types.ts";

const ULAW_SILENCE = 0xff;

/** One phone in one call. */
export class Line implements PhoneLine {
  readonly number: string;
  onHangup: () => void = () => undefined;
  onDigit: (digit: string) => void = () => undefined;
  over = false;
  readonly #mouth = new ClipQueue();
  readonly #onFrame: ((audible: boolean) => void) | null;
  readonly #onOver: () => void;

  /** `onFrame` is told of each frame it hears, and whether there is anything to hear. */
  constructor(number: string, onOver: () => void, onFrame: ((audible: boolean) => void) | null = null) {
    this.number = number;
    this.#onOver = onOver;
    this.#onFrame = onFrame;
  }

  read(out: Uint8Array): boolean {
    return !this.over && this.#mouth.next(out);
  }

  write(frame: Uint8Array): void {
    if (this.over || !this.#onFrame) return;
    const quiet = frame[0] === ULAW_SILENCE && frame[frame.length >> 1] === ULAW_SILENCE;
    this.#onFrame(!quiet || frame[frame.length - 1] !== ULAW_SILENCE);
  }

  /** The far end ended the call. */
  hangUp(): void {
    if (this.over) return;
    this.over = true;
    this.#onOver();
  }

  say(ulaw: Uint8Array): void {
    if (!this.over) this.#mouth.push(ulaw);
  }

  press(key: string): void {
    if (!this.over) this.onDigit(key);
  }

  /** The person hangs up. */
  leave(): void {
    if (this.over) return;
    this.over = true;
    this.#onOver();
    this.onHangup();
  }
}
