/** Performs a script in a call that has been answered. */
import { errorText } from "../../../engine/errors.ts";
import type { Clock } from "../../../engine/ports.ts";
import type { EarMonitor } from "../phone/ear-monitor.ts";
import type { Phone } from "../phone/phone.ts";
import type { Speech } from "../types.ts";
import { type EngineApi, fetchWithin, type SandboxInfo } from "./engine-api.ts";
import { People, type Person } from "./people.ts";
import { type Actor, describeStep, type PersonStep, type Step } from "./script.ts";
import type { Watch, WatchOutcome } from "./watch.ts";
import { type SaidLine, Whispers } from "./whispers.ts";

const DEFAULT_WAIT_MS = 20_000;
/** A pause within a sentence is shorter than this. */
const DEFAULT_QUIET_MS = 900;
/** Less speech than this is not a turn: the end of the wait music, a click. */
const MIN_TURN_MS = 240;
/** An interrupted speaker has this long to stop. */
const DEFAULT_YIELD_MS = 3000;
/** Longer than the pause between two words, shorter than that between two turns. */
const YIELDED_QUIET_MS = 300;
const ANSWER_TIMEOUT_MS = 5000;
/** From the end of a rung's window until its phones have stopped ringing. */
const WINDOW_SLACK_MS = 15_000;
/** Half of the frames of a short sentence. */
const MIN_WHISPER_FRAMES = 25;
const ACK_LINK = /https?:\/\/\S+\/ack\/[\w.~-]+/g;

export interface Scene {
  readonly callSid: string;
  readonly caller: Phone;
  readonly sandbox: SandboxInfo;
  readonly people: People;
  readonly api: EngineApi;
  readonly speech: Speech;
  readonly clock: Clock;
  /** Poked on every frame, message and state; stopped when the call is over. */
  readonly watch: Watch;
  /** Every state of the call so far, oldest first. */
  readonly states: readonly string[];
  /** What was said in the call so far. */
  readonly transcript: readonly SaidLine[];
  /** Called as each step begins. */
  readonly onStep: (step: Step) => void;
  /** Told what a step has found, in a sentence. */
  readonly onFinding: (text: string) => void;
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

function notConnected(who: Actor | undefined): StepOutcome {
  return { problem: `the script has not connected a phone for ${who}` };
}

class ScriptPlayer {
  readonly #scene: Scene;
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
      case "register":
        return this.#register(step.who);
      case "hang-up":
        return this.#hangUp(step.who);
      default: {
        const person = this.#scene.people.get(step.who);
        return person ? this.#act(person, step) : notConnected(step.who);
      }
    }
  }

  /** What only somebody on call does. */
  async #act(person: Person, step: PersonStep): Promise<StepOutcome> {
    const { who, phone, sms } = person;
    switch (step.do) {
      case "await-ring":
        return this.#wait(step, () => phone.state === "incoming", `the phone of ${who} did not ring`);
      case "answer":
        phone.answer();
        return this.#wait(
          { timeoutMs: ANSWER_TIMEOUT_MS },
          () => phone.state === "in-call",
          `the phone of ${who} was not connected`,
        );
      case "ignore": {
        const windowMs = this.#scene.sandbox.ackTimeoutMs + WINDOW_SLACK_MS;
        const limits = { timeoutMs: windowMs, ...step };
        return this.#wait(limits, () => phone.state !== "incoming", `the phone of ${who} went on ringing`);
      }
      case "decline":
        phone.refuse("decline");
        return "done";
      case "press":
        phone.press(step.digits);
        // What is waited for next is what the key brings.
        phone.ear.forget();
        return "done";
      case "await-sms":
        return this.#wait(
          step,
          () => sms.some((body) => body.includes(step.text ?? "")),
          `${who} got no such SMS`,
        );
      case "send-sms":
        phone.sendSms(this.#scene.sandbox.number, step.body);
        return "done";
      case "open-ack-link":
        return this.#openAckLink(person);
      case "check-whisper":
        return this.#checkWhisper(person, step);
    }
  }

  async #register(actors: readonly Actor[]): Promise<StepOutcome> {
    for (const who of actors) {
      const problem = await this.#scene.people.register(who);
      if (problem !== null) return { problem };
    }
    return "done";
  }

  #phone(who: Actor = "caller"): Phone | null {
    return who === "caller" ? this.#scene.caller : (this.#scene.people.get(who)?.phone ?? null);
  }

  async #speak(who: Actor = "caller", ulaw: Uint8Array, text: string | undefined): Promise<StepOutcome> {
    const phone = this.#phone(who);
    if (!phone) return notConnected(who);
    const gone = who === "caller" ? "over" : { problem: `${who} is not in the call` };
    if (phone.state !== "in-call") return gone;
    // What is said now is news to the others; what comes after it is news to the one who says it.
    for (const other of [this.#scene.caller, ...this.#scene.people.present.map((person) => person.phone)]) {
      if (other !== phone) other.ear.forget();
    }
    const outcome = await phone.speak(ulaw, text);
    phone.ear.forget();
    return outcome === "said" ? "done" : gone;
  }

  async #openAckLink({ who, sms }: Person): Promise<StepOutcome> {
    const link = sms.flatMap((body) => body.match(ACK_LINK) ?? []).at(-1);
    if (link === undefined) return { problem: `no SMS to ${who} has an acknowledgement link in it` };
    const { clock, onFinding } = this.#scene;
    for (const method of ["GET", "POST"]) {
      const { status } = await fetchWithin(clock, link, { method });
      onFinding(`${method} of the link of ${who}: ${status}`);
      if (status !== 200) return { problem: `${method} ${link} answered ${status}` };
    }
    return "done";
  }

  async #checkWhisper(person: Person, step: { readonly timeoutMs?: number }): Promise<StepOutcome> {
    const { transcript, caller, speech, onFinding } = this.#scene;
    const { who, phone } = person;
    const whispered = () => transcript.some(({ speaker, text }) => speaker === "coach" && text !== "");
    const outcome = await this.#wait(
      step,
      () => whispered() && phone.ear.quietMs >= DEFAULT_QUIET_MS,
      "the AI did not whisper",
    );
    if (outcome !== "done") return outcome;
    const whispers = await Whispers.of(transcript, speech);
    const [heard, leaked] = [phone, caller].map((ear) => whispers.framesIn(ear.recording().heard));
    onFinding(`of the coach's words ${who} heard ${heard} frames, the caller ${leaked}`);
    if (leaked !== 0) return { problem: `the caller heard ${leaked} frames of the coach` };
    if ((heard ?? 0) >= MIN_WHISPER_FRAMES) return "done";
    return { problem: `${who} heard ${heard} frames of the coach, too few for a sentence` };
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
    if (!phone) return notConnected(step.who);
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
    const { api, callSid, people } = this.#scene;
    if (step.unlessRung && people.present.some(({ phone }) => phone.state !== "idle")) return "done";
    if (step.operator.command !== "escalate") {
      await api.command(callSid, step.operator);
      return "done";
    }
    const found = people.numberOf("on-call");
    if ("problem" in found) return found;
    await api.command(callSid, { ...step.operator, to: found.number });
    return "done";
  }

  async #hangUp(who: Actor | undefined): Promise<StepOutcome> {
    const phone = this.#phone(who);
    if (!phone) return notConnected(who);
    phone.hangUp();
    if (phone === this.#scene.caller) return this.#awaitEnd();
    return this.#wait({}, () => phone.state !== "in-call", `the call of ${who} did not end`);
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
