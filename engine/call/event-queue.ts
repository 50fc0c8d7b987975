import { CallEventSchema, type CallEvent, type UnstampedCallEvent } from "../../machines/events.ts";
import { errorText } from "../errors.ts";
import type { Clock, Log } from "../ports.ts";

const MAX_QUEUED = 1000;
const MAX_SEEN = 1024;
/** Of whom the newest state is known: more legs than a call ever has. The oldest is forgotten. */
const MAX_ORDERED = 256;

/** Of events that each tell the whole state of the same thing: which one, and the event's number among them. */
export interface EventOrder {
  readonly of: string;
  readonly number: number;
}

/**
 * Takes a call's events from every edge: stamps, checks, drops repetitions and what newer events have overtaken,
 * and hands them on one at a time, so that an event caused by handling another waits its turn.
 */
export class EventQueue {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #handle: (event: CallEvent) => void;
  readonly #queue: CallEvent[] = [];
  readonly #seen = new Set<string>();
  readonly #newest = new Map<string, number>();
  #handling = false;
  #closed = false;
  readonly counters = { taken: 0, repeated: 0, outdated: 0, refused: 0, overflowed: 0, late: 0, failed: 0 };

  constructor(options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly handle: (event: CallEvent) => void;
  }) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#handle = options.handle;
  }

  /**
   * `key` names this very occurrence: a second event with the same key is a repetition. With `order` an event that
   * comes after one of a higher number of the same thing is dropped: it would set the state back.
   */
  push(event: UnstampedCallEvent | CallEvent, key?: string, order?: EventOrder): void {
    if (this.#closed) {
      this.counters.late++;
      return;
    }
    if (key !== undefined && this.#isRepeated(key)) return;
    if (order !== undefined && this.#isOutdated(order)) return;
    const parsed = CallEventSchema.safeParse({ at: this.#clock.now(), ...event });
    if (!parsed.success) {
      this.counters.refused++;
      this.#log.error("event.refused", {
        type: event.type,
        issues: parsed.error.issues.map((i) => i.path.join(".")),
      });
      return;
    }
    if (this.#queue.length >= MAX_QUEUED) {
      // Only an endless loop of our own could do this: the newest is dropped, the call goes on.
      this.counters.overflowed++;
      this.#log.error("event.overflow", { type: event.type });
      return;
    }
    this.#queue.push(parsed.data);
    this.#drain();
  }

  /** Keys of the events so far, oldest first. */
  get seen(): readonly string[] {
    return [...this.#seen];
  }

  /** Drops the repetitions of events that another queue of the same call has taken. */
  resume(seen: readonly string[]): void {
    for (const key of seen) this.#seen.add(key);
  }

  /** Does `work` as an event is handled: what it causes waits its turn. Not to be used within a handler. */
  hold(work: () => void): void {
    this.#handling = true;
    try {
      work();
    } finally {
      this.#handling = false;
    }
    this.#drain();
  }

  /** The counters as the call's row names them. */
  metrics(): Readonly<Record<string, number>> {
    const { taken, repeated, outdated, refused, overflowed, late, failed } = this.counters;
    return {
      events: taken,
      eventsRepeated: repeated,
      eventsOutdated: outdated,
      eventsRefused: refused + overflowed,
      eventsLate: late,
      eventsFailed: failed,
    };
  }

  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
    this.#seen.clear();
    this.#newest.clear();
  }

  #isRepeated(key: string): boolean {
    if (this.#seen.has(key)) {
      this.counters.repeated++;
      return true;
    }
    this.#seen.add(key);
    if (this.#seen.size > MAX_SEEN) this.#seen.delete(this.#seen.values().next().value as string);
    return false;
  }

  #isOutdated({ of, number }: EventOrder): boolean {
    if (number < (this.#newest.get(of) ?? number)) {
      this.counters.outdated++;
      return true;
    }
    this.#newest.set(of, number);
    if (this.#newest.size > MAX_ORDERED) this.#newest.delete(this.#newest.keys().next().value as string);
    return false;
  }

  #drain(): void {
    if (this.#handling) return;
    this.#handling = true;
    for (let event = this.#queue.shift(); event; event = this.#queue.shift()) {
      this.counters.taken++;
      try {
        this.#handle(event);
      } catch (error) {
        // Whoever brings the next event is not to blame, and what waits behind this one must not be lost.
        this.counters.failed++;
        this.#log.error("event.failed", { type: event.type, error: errorText(error) });
      }
    }
    this.#handling = false;
  }
}
