/** Performs a script in a call that has been answered. */
import { errorText } from "../../../engine/errors.ts";
import type { Clock } from "../../../engine/ports.ts";
import type { EarMonitor } from "../phone/ear-monitor.ts";
import type { Phone } from "../phone/phone.ts";
import type { Speech } from "../types.ts";
import type { EngineApi } from "./engine-api.ts";
import { type Actor, describeStep, type Step } from "./script.ts";
import type { Watch, WatchOutcome } from "./watch.ts";

const DEFAULT_WAIT_MS = 20_000;
/** A pause within a sentence is shorter than this. */
const DEFAULT_QUIET_MS = 900;
/** Less speech than this is not a turn: the end of the wait music, a click. */
const MIN_TURN_MS = 240;
/** An interrupted speaker has this long to stop. */
const DEFAULT_YIELD_MS = 3000;
/** Longer than the pause between two words, shorter than that between two turns. */
const YIELDED_QUIET_MS = 300;
const NOBODY_ON_CALL = "the deployment has nobody on call with a phone: no contact has a voice number";
const ANSWER_TIMEOUT_MS = 5000;

export interface Scene {
  readonly callSid: string;
  readonly caller: Phone;
  /** Number of the person on call; `null` when the deployment has none. */
  readonly onCallNumber: string | null;
  /** Connects a phone that has this number. */
  readonly connectOnCall: (number: string) => Promise<Phone>;
  readonly api: EngineApi;
  readonly speech: Speech;
  readonly clock: Clock;
  /** Poked on every frame, message and state; stopped when the call is over. */
  readonly watch: Watch;
  /** Every state of the call so far, oldest first. */
  readonly states: readonly string[];
  /** Called as each step begins. */
  readonly onStep: (step: Step) => void;
}

/** `over`: the call ended meanwhile. */
type StepOutcome = "done" | "over" | { readonly problem: string };

/** Returns what went wrong, or `null`. Never rejects. */
export async function playScript(steps: readonly Step[], scene: Scene): Promise<string | null> {
  const player = new ScriptPlayer(scene);
  for (const [index, step] of steps.entries()) {
    scene.onStep(step);
    const outcome = await player.perform(step).catch((error: unknown) => ({ problem: errorText(error) }));
    if (outcome === "over") {
      const expected = steps.slice(index).every(mayEndAt);
      return expected ? null : `the call ended during step ${index + 1} (${describeStep(step)})`;
    }
    if (outcome !== "done") return `step ${index + 1} (${describeStep(step)}): ${outcome.problem}`;
  }
  return null;
}

function mayEndAt(step: Step): boolean {
  return step.do === "await-end" || step.do === "hang-up" || ("optional" in step && step.optional === true);
}

class ScriptPlayer {
  readonly #scene: Scene;
  #onCall: Phone | null = null;
  /** The first state that the next wait for a state looks at. */
  #stateCursor = 0;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async perform(step: Step): Promise<StepOutcome> {
    switch (step.do) {
      case "say":
        return this.#speak(step.who, await this.#scene.speech.say(step.text), step.text);
      case "play":
        return this.#speak("caller", step.ulaw, step.text);
      case "await-turn": {
        const quietMs = step.quietMs ?? DEFAULT_QUIET_MS;
        const turn = (ear: EarMonitor) => ear.speechMs >= MIN_TURN_MS && ear.quietMs >= quietMs;
        return this.#listen(step, turn, "the other side did not speak and fall quiet");
      }
      case "await-speech":
        return this.#listen(step, (ear) => ear.speechMs >= step.speechMs, "the other side did not speak");
      case "interrupt":
        return this.#interrupt(step);
      case "await-state":
        return this.#awaitState(step);
      case "await-end":
        return this.#awaitEnd(step.timeoutMs);
      case "pause":
        return this.#pause(step.ms);
      case "command":
        return this.#command(step);
      case "register-on-call":
        return this.#register();
      case "await-ring":
        return this.#wait(step, () => this.#onCall?.state === "incoming", "the on-call phone did not ring");
      case "answer":
        this.#onCall?.answer();
        return this.#wait(
          { timeoutMs: ANSWER_TIMEOUT_MS },
          () => this.#onCall?.state === "in-call",
          "the on-call phone was not connected",
        );
      case "press":
        this.#phone(step.who)?.press(step.digits);
        return "done";
      case "hang-up":
        return this.#hangUp(step.who);
    }
  }

  async #register(): Promise<StepOutcome> {
    const { onCallNumber, connectOnCall } = this.#scene;
    if (onCallNumber === null) return { problem: NOBODY_ON_CALL };
    this.#onCall = await connectOnCall(onCallNumber);
    this.#onCall.register();
    return "done";
  }

  #phone(who: Actor | undefined): Phone | null {
    return who === "on-call" ? this.#onCall : this.#scene.caller;
  }

  async #speak(who: Actor | undefined, ulaw: Uint8Array, text: string | undefined): Promise<StepOutcome> {
    const phone = this.#phone(who);
    if (phone?.state !== "in-call") {
      return phone === this.#scene.caller ? "over" : { problem: "the person on call is not in the call" };
    }
    // What is said now is news to the other person; what comes after it is news to the one who says it.
    const other = phone === this.#scene.caller ? this.#onCall : this.#scene.caller;
    other?.ear.forget();
    const outcome = await phone.speak(ulaw, text);
    phone.ear.forget();
    if (outcome === "said") return "done";
    return phone === this.#scene.caller ? "over" : { problem: "the call of the person on call ended" };
  }

  async #interrupt(step: Extract<Step, { do: "interrupt" }>): Promise<StepOutcome> {
    const { ear } = this.#scene.caller;
    const spoken = await this.#wait(step, () => ear.speechMs >= step.afterMs, "the other side did not speak");
    if (spoken !== "done") return spoken;
    const limits = { timeoutMs: step.quietWithinMs ?? DEFAULT_YIELD_MS };
    const ulaw = await this.#scene.speech.say(step.text);
    const [said, yielded] = await Promise.all([
      this.#speak("caller", ulaw, step.text),
      this.#wait(limits, () => ear.quietMs >= YIELDED_QUIET_MS, "the other side did not stop speaking"),
    ]);
    return said === "done" ? yielded : said;
  }

  async #listen(
    step: { readonly who?: Actor; readonly timeoutMs?: number; readonly optional?: boolean },
    check: (ear: EarMonitor) => boolean,
    problem: string,
  ): Promise<StepOutcome> {
    const phone = this.#phone(step.who);
    if (!phone) return { problem: "the person on call has no phone yet" };
    return this.#wait(step, () => check(phone.ear), problem);
  }

  async #awaitState(step: Extract<Step, { do: "await-state" }>): Promise<StepOutcome> {
    const wanted = [step.state].flat();
    const { states } = this.#scene;
    const find = () => states.findIndex((state, at) => at >= this.#stateCursor && wanted.includes(state));
    const outcome = await this.#wait(
      step,
      () => find() >= 0,
      `the call did not become ${wanted.join(" or ")}`,
    );
    const found = find();
    if (found >= 0) {
      this.#stateCursor = found;
      // What was heard before, such as the wait music, is nobody's turn in the new state.
      this.#scene.caller.ear.forget();
    }
    if (outcome === "done" || outcome === "over") return outcome;
    return { problem: `${outcome.problem} but is ${states.at(-1) ?? "in no known state"}` };
  }

  async #awaitEnd(timeoutMs = DEFAULT_WAIT_MS): Promise<StepOutcome> {
    const outcome = await this.#scene.watch.until(() => false, timeoutMs);
    return outcome === "timeout"
      ? { problem: `the other side did not end the call within ${timeoutMs} ms` }
      : "done";
  }

  async #pause(ms: number): Promise<StepOutcome> {
    const outcome = await this.#scene.watch.until(() => false, ms);
    return outcome === "stopped" ? "over" : "done";
  }

  async #command(step: Extract<Step, { do: "command" }>): Promise<StepOutcome> {
    const { api, callSid, onCallNumber } = this.#scene;
    if (step.unlessRung && this.#onCall && this.#onCall.state !== "idle") return "done";
    if (step.operator.command !== "escalate") await api.command(callSid, step.operator);
    else if (onCallNumber === null) return { problem: NOBODY_ON_CALL };
    else await api.command(callSid, { ...step.operator, to: onCallNumber });
    return "done";
  }

  async #hangUp(who: Actor | undefined): Promise<StepOutcome> {
    const phone = this.#phone(who);
    phone?.hangUp();
    if (phone === this.#scene.caller) return this.#awaitEnd();
    return this.#wait({}, () => phone?.state !== "in-call", "the call of the person on call did not end");
  }

  async #wait(
    limits: { readonly timeoutMs?: number; readonly optional?: boolean },
    check: () => boolean,
    problem: string,
  ): Promise<StepOutcome> {
    const timeoutMs = limits.timeoutMs ?? DEFAULT_WAIT_MS;
    const outcome: WatchOutcome = await this.#scene.watch.until(check, timeoutMs);
    if (outcome === "met") return "done";
    if (outcome === "stopped") return "over";
    return limits.optional === true ? "done" : { problem: `${problem} within ${timeoutMs} ms` };
  }
}
