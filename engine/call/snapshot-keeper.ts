import type { Clock, Snapshot, Store } from "../ports.ts";

/** How long what changes beside the actors, such as words, may wait to be saved. */
const SOON_MS = 500;

export interface SnapshotKeeperOptions {
  readonly callSid: string;
  readonly clock: Clock;
  readonly store: Pick<Store, "saveSnapshot" | "dropSnapshot">;
  readonly take: () => Snapshot;
}

/**
 * Saves how a call stands, after every step of its actors and soon after what changes beside them. The store
 * writes only the last of those that wait: a burst of events costs one write.
 */
export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  readonly #counters = { snapshots: 0, snapshotCharsMax: 0, snapshotMs: 0 };
  #timer: unknown = null;
  #stopped = false;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  /** `snapshotMs`: what taking them has cost in all. */
  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters, snapshotMs: Math.round(this.#counters.snapshotMs) };
  }

  save(): void {
    if (this.#stopped) return;
    const { callSid, clock, store, take } = this.#options;
    this.#disarm();
    const startMs = clock.monotonicMs();
    const snapshot = take();
    store.saveSnapshot(callSid, snapshot);
    this.#counters.snapshots++;
    this.#counters.snapshotMs += clock.monotonicMs() - startMs;
    this.#counters.snapshotCharsMax = Math.max(this.#counters.snapshotCharsMax, snapshot.body.length);
  }

  soon(): void {
    if (this.#stopped || this.#timer !== null) return;
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = null;
      this.save();
    }, SOON_MS);
  }

  /** Nothing is saved any more: somebody else goes on. */
  stop(): void {
    this.#stopped = true;
    this.#disarm();
  }

  /** There is nothing to go on with. */
  drop(): void {
    this.stop();
    this.#options.store.dropSnapshot(this.#options.callSid);
  }

  #disarm(): void {
    if (this.#timer !== null) this.#options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }
}
