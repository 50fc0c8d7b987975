/** `<Gather input="dtmf">`. */
import { Aborted, abortable } from "../abortable.ts";
import type { Gather } from "../twiml/document.ts";
import { CarrierAlert } from "../alerts.ts";
import { runPrompt } from "./prompts.ts";
import { goTo, type Next, type Scope } from "./scope.ts";

interface Gathered {
  readonly digits: string;
  readonly finishedBy: string | null;
}

/**
 * Plays the prompts and collects digits; the first digit cuts the prompts off. Without any digit the next verb
 * follows, unless `actionOnEmptyResult`.
 */
export async function runGather(scope: Scope, gather: Gather): Promise<Next> {
  const collector = new Collector(scope, gather);
  const unlisten = scope.call.media.onDigits((digit) => collector.press(digit));
  try {
    const gathered = await collector.run();
    if (gathered.digits === "" && !gather.actionOnEmptyResult) return "continue";
    const action = gather.action ?? scope.documentUrl;
    if (action === null) throw new CarrierAlert(11100, "<Gather> has no action, and its document has no URL");
    const fields: [string, string][] = [["Digits", gathered.digits]];
    if (gathered.finishedBy !== null) fields.push(["FinishedOnKey", gathered.finishedBy]);
    return goTo(scope, action, gather.method, fields);
  } finally {
    unlisten();
  }
}

class Collector {
  readonly #scope: Scope;
  readonly #gather: Gather;
  /** Aborted by the first digit, and with the call. */
  readonly #prompting = new AbortController();
  #digits = "";
  #finishedBy: string | null = null;
  #finished = false;
  #wake: () => void = () => undefined;

  constructor(scope: Scope, gather: Gather) {
    this.#scope = scope;
    this.#gather = gather;
  }

  async run(): Promise<Gathered> {
    await this.#prompt();
    // Each key starts the wait for the next one afresh.
    while (!this.#finished) {
      await abortable<void>(this.#scope.signal, (done) => {
        this.#wake = done;
        return this.#scope.core.timers.after(this.#gather.timeoutMs, () => {
          this.#finished = true;
          done();
        });
      });
    }
    return { digits: this.#digits, finishedBy: this.#finishedBy };
  }

  async #prompt(): Promise<void> {
    const signal = AbortSignal.any([this.#scope.signal, this.#prompting.signal]);
    const scope: Scope = { ...this.#scope, signal };
    try {
      for (const prompt of this.#gather.prompts) await runPrompt(scope, prompt);
    } catch (error) {
      if (!(error instanceof Aborted) || this.#scope.signal.aborted) throw error;
    }
  }

  press(digit: string): void {
    if (this.#finished) return;
    if (digit === this.#gather.finishOnKey) {
      this.#finishedBy = digit;
      this.#finished = true;
    } else {
      this.#digits += digit;
      this.#finished = this.#digits.length >= (this.#gather.numDigits ?? 1000);
    }
    this.#prompting.abort();
    this.#wake();
  }
}
