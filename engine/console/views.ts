/**
 * Who looked at what, in the engine's log: once for each call and what of it, and again when it was a while ago. A page
 * that asks again and again fills no log.
 */
import type { Clock, Log } from "../ports.ts";
import type { Who } from "./who.ts";

/**
 * `row` has the conversation, `log` the audit log, `recording` audio of a track, `live` what happens, `feed` what happens in
 * every call, `export` all rows.
 */
export type Viewed = "board" | "list" | "row" | "log" | "recording" | "live" | "feed" | "verify" | "export";

const AGAIN_AFTER_MS = 10 * 60_000;
/** What was looked at lately; of more the oldest is forgotten, and may be told twice. */
const MAX_REMEMBERED = 2000;

export class Views {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #seenAtMs = new Map<string, number>();
  readonly counters = { views: 0, viewsForgotten: 0 };

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  note({ name: by, role, via }: Who, what: Viewed, callSid: string | null = null): void {
    this.counters.views++;
    const key = `${by} ${via} ${what} ${callSid}`;
    const nowMs = this.#clock.now();
    const before = this.#seenAtMs.get(key);
    if (before !== undefined && nowMs - before < AGAIN_AFTER_MS) return;
    // Taken out first, so that the order is that of the last times.
    this.#seenAtMs.delete(key);
    this.#seenAtMs.set(key, nowMs);
    for (const oldest of this.#seenAtMs.keys()) {
      if (this.#seenAtMs.size <= MAX_REMEMBERED) break;
      this.#seenAtMs.delete(oldest);
      this.counters.viewsForgotten++;
    }
    const fields = { by, role, via, what, ...(callSid === null ? {} : { callSid }) };
    this.#log.info("console.viewed", fields);
  }
}
