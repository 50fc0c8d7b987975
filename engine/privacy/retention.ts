/** Lets go of what has been kept for long enough, a little at a time. */
import { errorText } from "../errors.ts";
import { iso } from "../platform/clock.ts";
import type { Clock, Log, PrivateRecordings, PrivateStore } from "../ports.ts";

const DAY_MS = 86_400_000;
const SWEEP_MS = 3_600_000;
/** When more was due than goes at once. */
const SOON_MS = 10_000;
/** Most of each kind that go at once: their deletion is one transaction, which live calls wait for. */
const LIMIT = 50;

/** In days from the end of a call (of a log: from its beginning); `null`: for ever. */
export interface RetentionDays {
  readonly rowsDays: number | null;
  readonly recordingsDays: number | null;
  readonly auditDays: number | null;
}

export interface RetentionOptions {
  readonly days: RetentionDays;
  readonly store: Pick<PrivateStore, "expire">;
  readonly recordings: PrivateRecordings;
  readonly clock: Clock;
  readonly log: Log;
}

export class Retention {
  readonly #options: RetentionOptions;
  readonly counters = { rowsExpired: 0, recordingsExpired: 0, logsExpired: 0, sweepsFailed: 0 };
  #timer: unknown = null;
  #stopped = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Sweeps now, and then again and again; never when everything is kept. */
  start(): void {
    if (Object.values(this.#options.days).some((days) => days !== null)) void this.sweep();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** One sweep, and the next is due. Never rejects. */
  async sweep(): Promise<void> {
    let more = false;
    try {
      more = await this.#sweep();
    } catch (error) {
      // The store closes under it.
      if (this.#stopped) return;
      this.counters.sweepsFailed++;
      this.#options.log.error("retention.failed", { error: errorText(error) });
    }
    if (this.#stopped) return;
    this.#timer = this.#options.clock.setTimeout(() => void this.sweep(), more ? SOON_MS : SWEEP_MS);
  }

  /** Whether there may be more. */
  async #sweep(): Promise<boolean> {
    const { days, store, recordings, clock, log } = this.#options;
    const before = (kept: number | null): number | null =>
      kept === null ? null : clock.now() - kept * DAY_MS;
    const [rowsBefore, logsBefore] = [iso(before(days.rowsDays)), iso(before(days.auditDays))];
    const { calls, logs } = await store.expire({ rowsBefore, logsBefore, limit: LIMIT });
    let files = 0;
    for (const callSid of calls) files += await recordings.erase(callSid);
    const recordedBefore = before(days.recordingsDays);
    const old = recordedBefore === null ? 0 : await recordings.expire(recordedBefore, LIMIT);
    files += old;
    this.counters.rowsExpired += calls.length;
    this.counters.recordingsExpired += files;
    this.counters.logsExpired += logs;
    if (calls.length + files + logs > 0) {
      log.info("retention.swept", { rows: calls.length, recordings: files, logs });
    }
    return [calls.length, logs, old].includes(LIMIT);
  }
}
