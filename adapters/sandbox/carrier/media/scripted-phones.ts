import { errorText } from "../../../../engine/errors.ts";
import type { Clock, Log } from "../../../../engine/ports.ts";
import type { Hearing, PhoneLine, RingHandle, RingOutcome, Speech } from "../../types.ts";
import { ScriptedLine } from "./scripted-line.ts";
import { beep } from "./tones.ts";

export type PhoneBehaviour = "answer" | "no-answer" | "busy" | "decline" | "voicemail";

export interface PhoneScript {
  readonly behaviour: PhoneBehaviour;
  /** From the first ring to what it does; default by behaviour. */
  readonly afterMs?: number | undefined;
  /**
   * Keys pressed after answering (`0-9*#`): half a second into what it hears, or after 5 s of hearing
   * nothing.
   */
  readonly press?: string | undefined;
  /** Keys at given times after answering; a voicemail presses none. */
  readonly presses?: readonly KeyPress[] | undefined;
  /** It hangs up so long after answering, and after the keys that are due by then. */
  readonly hangUpAfterMs?: number | undefined;
}

export interface KeyPress {
  readonly afterMs: number;
  /** One of `0-9*#`. */
  readonly key: string;
}

/** One script for each ring, in turn; the last one holds from then on. */
export type PhoneScripts = readonly [PhoneScript, ...PhoneScript[]];

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

/** Phones that act by themselves, by number. One call each at a time: a second one finds it busy. */
export class ScriptedPhones {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hearing: Hearing;
  readonly #speech: Speech;
  readonly #scripts = new Map<string, PhoneScripts>();
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
  set(number: string, scripts: PhoneScripts): boolean {
    if (this.#scripts.size >= MAX_SCRIPTS && !this.#scripts.has(number)) return false;
    this.#scripts.set(number, scripts);
    return true;
  }

  /** `null` when the number has no script. */
  ring(number: string, onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void): RingHandle | null {
    const scripts = this.#scripts.get(number);
    if (!scripts) return null;
    // A phone in a call is not rung: its next script is for the next ring.
    if (this.#engaged.has(number)) return this.#after(0, () => onOutcome("busy", null));
    const [script, ...later] = scripts;
    if (isScripts(later)) this.#scripts.set(number, later);
    this.#engaged.add(number);
    const free = () => void this.#engaged.delete(number);
    if (script.behaviour === "no-answer") return { cancel: free };
    const { behaviour } = script;
    const scene =
      behaviour === "answer" || behaviour === "voicemail" ? this.#scene(number, script, free) : null;
    let over = false;
    const act = this.#after(script.afterMs ?? DEFAULT_AFTER_MS[behaviour], () => {
      over = true;
      if (!scene) free();
      onOutcome(OUTCOME[behaviour], scene?.line ?? null);
      scene?.begin();
    });
    const cancel = () => {
      if (over) return;
      over = true;
      act.cancel();
      free();
    };
    return { cancel };
  }

  /** The line of a machine that has picked up: it greets, beeps, and says nothing more. */
  voicemail(number: string): PhoneLine {
    const line = new ScriptedLine(number, "", () => undefined);
    void this.#greet(line);
    return line;
  }

  stop(): void {
    for (const timer of this.#timers) this.#clock.clearTimeout(timer);
    this.#timers.clear();
    this.#engaged.clear();
  }

  /** The line of a phone that answers, and what starts the times of its script. */
  #scene(number: string, script: PhoneScript, free: () => void): { line: ScriptedLine; begin(): void } {
    const answers = script.behaviour === "answer";
    const due: RingHandle[] = [];
    const line = new ScriptedLine(number, answers ? (script.press ?? "") : "", () => {
      for (const timer of due) timer.cancel();
      free();
    });
    if (!answers) void this.#greet(line);
    const begin = (): void => {
      if (line.over) return;
      for (const { afterMs, key } of answers ? (script.presses ?? []) : []) {
        due.push(this.#after(afterMs, () => line.onDigit(key)));
      }
      const { hangUpAfterMs } = script;
      if (hangUpAfterMs !== undefined) due.push(this.#after(hangUpAfterMs, () => line.end()));
    };
    return { line, begin };
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

function isScripts(scripts: readonly PhoneScript[]): scripts is PhoneScripts {
  return scripts.length > 0;
}
