import { errorText } from "../../../../engine/errors.ts";
import type { Clock, Log } from "../../../../engine/ports.ts";
import type { Hearing, PhoneLine, RingHandle, RingOutcome, Speech } from "../../types.ts";
import { ClipQueue } from "./clip.ts";
import { isAudible } from "./levels.ts";
import { beep } from "./tones.ts";

export type PhoneBehaviour = "answer" | "no-answer" | "busy" | "decline" | "voicemail";

export interface PhoneScript {
  readonly behaviour: PhoneBehaviour;
  /** From the first ring to what it does; default by behaviour. */
  readonly afterMs?: number;
  /**
   * Keys pressed after answering (`0-9*#`): half a second into what it hears, or after 5 s of hearing
   * nothing.
   */
  readonly press?: string;
}

const DEFAULT_AFTER_MS: Record<Exclude<PhoneBehaviour, "no-answer">, number> = {
  answer: 1_000,
  busy: 300,
  decline: 2_000,
  voicemail: 3_000,
};
const OUTCOME: Record<Exclude<PhoneBehaviour, "no-answer">, RingOutcome> = {
  answer: "answered",
  busy: "busy",
  decline: "declined",
  voicemail: "voicemail",
};
const VOICEMAIL_GREETING =
  "You have reached the voicemail of the number you dialed. Please leave a message after the tone.";

const MAX_SCRIPTS = 10_000;

/** Frames of 20 ms. */
const PRESS_AFTER_HEARD_FRAMES = 25;
const PRESS_AFTER_FRAMES = 250;
const BETWEEN_KEYS_FRAMES = 10;

/** A phone in a call that says what it was given and may press keys. */
class ScriptedLine implements PhoneLine {
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

  constructor(number: string, keys: string, onOver: () => void) {
    this.number = number;
    this.#keys = [...keys];
    this.#onOver = onOver;
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

  hangUp(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onOver();
  }
}

/** Phones that act by themselves, by number. One call each at a time: a second one finds it busy. */
export class ScriptedPhones {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hearing: Hearing;
  readonly #speech: Speech;
  readonly #scripts = new Map<string, PhoneScript>();
  /** Numbers that ring or are in a call. */
  readonly #engaged = new Set<string>();
  readonly #timers = new Set<unknown>();

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly hearing: Hearing;
    readonly speech: Speech;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#hearing = options.hearing;
    this.#speech = options.speech;
  }

  get engaged(): number {
    return this.#engaged.size;
  }

  /** A call under way goes on as it began. `false`: too many numbers. */
  set(number: string, script: PhoneScript): boolean {
    if (this.#scripts.size >= MAX_SCRIPTS && !this.#scripts.has(number)) return false;
    this.#scripts.set(number, script);
    return true;
  }

  /** `null` when the number has no script. */
  ring(number: string, onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void): RingHandle | null {
    const script = this.#scripts.get(number);
    if (!script) return null;
    if (this.#engaged.has(number)) return this.#after(0, () => onOutcome("busy", null));
    this.#engaged.add(number);
    const free = () => void this.#engaged.delete(number);
    if (script.behaviour === "no-answer") return { cancel: free };
    const { behaviour } = script;
    const line =
      behaviour === "answer" || behaviour === "voicemail" ? this.#line(number, script, free) : null;
    let over = false;
    const act = this.#after(script.afterMs ?? DEFAULT_AFTER_MS[behaviour], () => {
      over = true;
      if (!line) free();
      onOutcome(OUTCOME[behaviour], line);
    });
    const cancel = () => {
      if (over) return;
      over = true;
      act.cancel();
      free();
    };
    return { cancel };
  }

  stop(): void {
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    this.#engaged.clear();
  }

  #line(number: string, script: PhoneScript, free: () => void): ScriptedLine {
    if (script.behaviour === "answer") return new ScriptedLine(number, script.press ?? "", free);
    const line = new ScriptedLine(number, "", free);
    void this.#greet(line);
    return line;
  }

  async #greet(line: ScriptedLine): Promise<void> {
    try {
      const ulaw = await this.#speech.say(VOICEMAIL_GREETING);
      this.#hearing.note(VOICEMAIL_GREETING, ulaw);
      line.saying.push(ulaw);
    } catch (error) {
      this.#log.warn("sandbox.phone.greeting_failed", { error: errorText(error) });
    }
    line.saying.push(beep());
  }

  #after(delayMs: number, fn: () => void): RingHandle {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      try {
        fn();
      } catch (error) {
        this.#log.error("sandbox.phone.callback_failed", { error: errorText(error) });
      }
    }, delayMs);
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#clock.clearTimeout(timer);
        this.#timers.delete(timer);
      },
    };
  }
}
