/** Changes of the standing instructions: one at a time, each confirmed by its own `session.updated`. */
import type { Clock } from "../../engine/ports.ts";

/** A change that is not confirmed within this time is reported as such. */
export const CONFIRM_TIMEOUT_MS = 5000;
/** Changes that may wait at once; above it the oldest is reported as not confirmed. */
const MAX_WAITING = 16;

interface Waiter {
  readonly text: string;
  readonly resolve: (confirmed: boolean) => void;
  timer: unknown;
}

export class InstructionUpdates {
  readonly #clock: Clock;
  /** Sends `session.update` and returns its event id; an empty one when no session is ready. */
  readonly #send: (text: string) => string;
  readonly #waiting: Waiter[] = [];
  #inFlight: { readonly waiter: Waiter; readonly eventId: string } | null = null;
  #wanted: string;
  #confirmed: string;
  #over = false;

  constructor(initial: string, clock: Clock, send: (text: string) => string) {
    this.#wanted = initial;
    this.#confirmed = initial;
    this.#clock = clock;
    this.#send = send;
  }

  /** What a new session is to be configured with. */
  get wanted(): string {
    return this.#wanted;
  }

  /** `true` once the provider confirmed it; `false` when it refused, fell silent or the session ended. */
  set(text: string): Promise<boolean> {
    if (this.#over) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter: Waiter = { text, resolve, timer: null };
    waiter.timer = this.#clock.setTimeout(() => this.#settle(waiter, false), CONFIRM_TIMEOUT_MS);
    const oldest = this.#waiting[0];
    if (oldest && this.#waiting.length >= MAX_WAITING) this.#settle(oldest, false);
    this.#waiting.push(waiter);
    this.#wanted = text;
    this.#pump();
    return promise;
  }

  /** A session is ready that was configured with `text`. */
  sessionReady(text: string): void {
    this.#inFlight = null;
    this.#confirmed = text;
    if (text === this.#wanted) {
      // What was asked for in between is superseded: it has never been in force.
      for (const waiter of this.#waiting.splice(0)) this.#finish(waiter, waiter.text === text);
      return;
    }
    // Nobody waits for it any more, but it is what the session is to have.
    if (this.#waiting.length === 0) this.#send(this.#wanted);
    else this.#pump();
  }

  sessionLost(): void {
    this.#inFlight = null;
  }

  /** `echo`: the instructions that `session.updated` shows, if it shows any. */
  updated(echo: string | null | undefined): void {
    const sent = this.#inFlight?.waiter;
    if (!sent) return;
    // A late answer to an earlier change that was given up.
    if (typeof echo === "string" && echo.trim() !== sent.text.trim()) return;
    this.#confirmed = sent.text;
    this.#settle(sent, true);
  }

  refused(eventId: string): void {
    const sent = this.#inFlight;
    if (!sent || sent.eventId !== eventId) return;
    // A later session must not be configured with what was refused.
    if (this.#wanted === sent.waiter.text) this.#wanted = this.#confirmed;
    this.#settle(sent.waiter, false);
  }

  close(): void {
    this.#over = true;
    for (const waiter of this.#waiting.splice(0)) this.#finish(waiter, false);
  }

  #settle(waiter: Waiter, confirmed: boolean): void {
    const at = this.#waiting.indexOf(waiter);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    if (this.#inFlight?.waiter === waiter) this.#inFlight = null;
    this.#finish(waiter, confirmed);
    this.#pump();
  }

  #finish(waiter: Waiter, confirmed: boolean): void {
    this.#clock.clearTimeout(waiter.timer);
    waiter.resolve(confirmed);
  }

  #pump(): void {
    const next = this.#waiting[0];
    if (this.#inFlight || !next) return;
    const eventId = this.#send(next.text);
    if (eventId) this.#inFlight = { waiter: next, eventId };
  }
}
