import type { PhoneLine } from "../../types.ts";
import { ClipQueue } from "./clip.ts";
import { isAudible } from "./levels.ts";

/** Frames of 20 ms. */
const PRESS_AFTER_HEARD_FRAMES = 25;
const PRESS_AFTER_FRAMES = 250;
const BETWEEN_KEYS_FRAMES = 10;

/** A scripted phone in a call: it says what it was given, presses keys, and may hang up. */
export class ScriptedLine implements PhoneLine {
  readonly number: string;
  onHangup: () => void = () => undefined;
  onDigit: (digit: string) => void = () => undefined;
  readonly saying = new ClipQueue();
  readonly #keys: string[];
  readonly #onOver: () => void;
  #over = false;
  #frames = 0;
  #heardFrames = 0;
  #nextKeyAt = 0;

  /** `keys` are pressed one after the other once it hears something; `onOver` is called once. */
  constructor(number: string, keys: string, onOver: () => void) {
    this.number = number;
    this.#keys = [...keys];
    this.#onOver = onOver;
  }

  get over(): boolean {
    return this.#over;
  }

  read(out: Uint8Array): boolean {
    return !this.#over && this.saying.next(out);
  }

  write(frame: Uint8Array): void {
    if (this.#over || this.#keys.length === 0) return;
    this.#frames++;
    if (isAudible(frame)) this.#heardFrames++;
    const prompted = this.#heardFrames >= PRESS_AFTER_HEARD_FRAMES || this.#frames >= PRESS_AFTER_FRAMES;
    if (!prompted || this.#frames < this.#nextKeyAt) return;
    this.#nextKeyAt = this.#frames + BETWEEN_KEYS_FRAMES;
    this.onDigit(this.#keys.shift() as string);
  }

  /** The far end ended the call. */
  hangUp(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onOver();
  }

  /** The person ends the call. */
  end(): void {
    if (this.#over) return;
    this.hangUp();
    this.onHangup();
  }
}
