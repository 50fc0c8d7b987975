/**
 * Carries out what the actors of one call ask for: notes it in the call's log and in the feed, and brings the
 * answer back through the call's queue.
 */
import type { AnyActorRef, InspectionEvent } from "xstate";
import { errorText } from "../errors.ts";
import type { CallError } from "../../machines/context.ts";
import { MAX_ERRORS } from "../../machines/record.ts";
import { observeActors } from "../audit/observer.ts";
import type { CallJournal, Turn } from "../effects/journal.ts";
import type { Clock, Log } from "../ports.ts";
import type { EffectSpans } from "../tracing/effect-spans.ts";
import { answerOf, type EffectAnswer, type NamedEffect } from "./effect-answer.ts";
import type { Recorder } from "./recorder.ts";

export interface EffectRunnerOptions<E extends NamedEffect> {
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: Recorder;
  readonly journal: CallJournal;
  /** Carries it out when its turn is ready; `null`: it acts at once, and nothing is to be answered. */
  readonly perform: (effect: E, turn: Turn) => Promise<EffectAnswer> | null;
  readonly tell: (name: string, outcome: "started" | "done" | "failed") => void;
  readonly deliver: (answer: EffectAnswer) => void;
  /** Left out: no spans. */
  readonly spans?: EffectSpans | undefined;
}

export class EffectRunner<E extends NamedEffect> {
  readonly #options: EffectRunnerOptions<E>;
  /** Asked for, and not answered yet. */
  readonly #waiting = new Map<string, E>();
  #handedOver = false;

  constructor(options: EffectRunnerOptions<E>) {
    this.#options = options;
  }

  get journal(): CallJournal {
    return this.#options.journal;
  }

  /** In the order in which they were asked for. */
  get waiting(): readonly E[] {
    return [...this.#waiting.values()];
  }

  /** For `inspect` of `createActor`: what the actors ask for is run, and what they do is in the call's log. */
  listener(): (event: InspectionEvent) => void {
    const { recorder } = this.#options;
    const steps = observeActors(({ actor, ...step }) => recorder.write("step", actor, step));
    return hearEffects((effect: E) => this.run(effect), steps);
  }

  run(effect: E): void {
    const { recorder, tell } = this.#options;
    recorder.write("effect", effect.name, { id: effect.id, ...effect.input });
    tell(effect.name, "started");
    this.#begin(effect);
  }

  /**
   * Goes on with what an engine before had begun, once the actors are restored: each is looked for, done if it
   * was not, and answered. So is each of `waiting`, for whose answer the actors wait: it may have been written
   * while the actors' state was not.
   */
  resume(waiting: readonly E[] = []): void {
    const { recorder, tell, journal } = this.#options;
    const { unfinished } = journal;
    for (const effect of unfinished) {
      recorder.write("note", "effect.resumed", { id: effect.id, name: effect.name });
      tell(effect.name, "started");
      const begun = journal.begin(effect, true);
      if (typeof begun === "object" && "turn" in begun) this.#perform(effect as E, begun.turn);
    }
    for (const effect of waiting) {
      if (!unfinished.some(({ id }) => id === effect.id)) this.#begin(effect);
    }
  }

  /** Another engine goes on with what is under way. */
  handOver(): void {
    this.#handedOver = true;
    this.#options.journal.handOver();
  }

  /** What the row tells of errors, with the outcomes that nobody knows: of pages the call itself keeps none. */
  withLost(errors: readonly CallError[]): readonly CallError[] {
    const all = [...errors, ...this.#options.journal.lost];
    return all.toSorted((a, b) => a.atMs - b.atMs).slice(0, MAX_ERRORS);
  }

  #begin(effect: E): void {
    const begun = this.#options.journal.begin(effect);
    if (begun === "pending") return;
    if ("turn" in begun) this.#perform(effect, begun.turn);
    // Not in the middle of the step that asks.
    else queueMicrotask(() => this.#answered(begun.answer));
  }

  #perform(effect: E, turn: Turn): void {
    const { perform, clock, log, spans } = this.#options;
    try {
      const answer = perform(effect, spans ? heard(turn, () => spans.repeat(effect)) : turn);
      if (!answer) return;
      this.#waiting.set(effect.id, effect);
      spans?.begin(effect);
      void answer.then((each) => this.#answered(each));
    } catch (error) {
      // A bug of ours must not end in an endless wait for its answer.
      log.error("effect.threw", { name: effect.name, error: errorText(error) });
      const fault = (): Promise<never> => Promise.reject(new Error("it could not be begun"));
      void answerOf(effect, clock, fault).then((answer) => this.#answered(answer));
    }
  }

  #answered(answer: EffectAnswer): void {
    const { recorder, journal, log, tell, deliver, spans } = this.#options;
    if (this.#handedOver) return;
    this.#waiting.delete(answer.id);
    journal.settle(answer);
    spans?.end(answer);
    recorder.write("result", answer.type, { ...answer });
    const failed = answer.type === "effect.failed";
    if (failed) {
      const { name, code, status } = answer;
      log[isOvertaken(name, status) ? "info" : "warn"]("effect.failed", { name, code, status });
    }
    tell(answer.name, failed ? "failed" : "done");
    deliver(answer);
  }
}

/** Of somebody who is in the room: mutes them, and the like. */
const CHANGES: ReadonlySet<string> = new Set([
  "carrier.hold",
  "carrier.mute",
  "carrier.coach",
  "carrier.uncoach",
  "carrier.endOnLeave",
]);

/** They left, or the room was closed, just before: nothing is wrong, and Twilio's callback of it is on its way. */
const isOvertaken = (name: string, status: number): boolean => status === 404 && CHANGES.has(name);

/**
 * `createActor`'s `inspect` that hears the effects of all actors of a system: XState's `emit` reaches listeners
 * of the very actor only, and the ladders and pages of a call are actors of their own. An actor is announced
 * when it is made, spawned or restored, before it can emit anything. `observe` is told of everything.
 */
export function hearEffects<E>(
  run: (effect: E) => void,
  observe?: (event: InspectionEvent) => void,
): (event: InspectionEvent) => void {
  return (event) => {
    if (event.type === "@xstate.actor")
      (event.actorRef as AnyActorRef).on("effect", (each) => run(each as E));
    observe?.(event);
  };
}

/** The same turn, which tells when the effect is repeated. What it has noted is read when it is asked for. */
function heard(turn: Turn, onRepeated: () => void): Turn {
  const { sinceMs, resumed } = turn;
  return {
    sinceMs,
    resumed,
    get request() {
      return turn.request;
    },
    ready: (request) => turn.ready(request),
    note: (what) => {
      turn.note(what);
      if (what === "repeated") onRepeated();
    },
  };
}
