/**
 * Who looked at what, in the engine's log: once for each call and what of it, and again when it was a while ago. A page
 * that asks again and again fills no log.
 */
import { RecentMap } from "../platform/recent-map.ts";
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
  readonly #seenAtMs = new RecentMap<string, number>(MAX_REMEMBERED);
  #views = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  get counters(): Readonly<Record<string, number>> {
    return { views: this.#views, viewsForgotten: this.#seenAtMs.forgotten };
  }

  note({ name: by, role, via }: Who, what: Viewed, callSid: string | null = null): void {
    this.#views++;
    const key = `${by} ${via} ${what} ${callSid}`;
    const nowMs = this.#clock.now();
    const before = this.#seenAtMs.get(key);
    if (before !== undefined && nowMs - before < AGAIN_AFTER_MS) return;
    this.#seenAtMs.set(key, nowMs);
    const fields = { by, role, via, what, ...(callSid === null ? {} : { callSid }) };
    this.#log.info("console.viewed", fields);
  }
}
