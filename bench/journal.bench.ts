/** What the journal, the log and the snapshots of many calls cost the loop that moves their audio. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFieldCipher } from "../adapters/store/protect.ts";
import { createStore } from "../adapters/store/store.ts";
import { chainedEntry, chainStart } from "../engine/audit/chain.ts";
import { pause } from "../engine/platform/clock.ts";
import { seededIds, systemIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock, Store } from "../engine/ports.ts";
import { Lines } from "./media-lines.ts";
import { type Bench, type BenchOptions, type Rows, pictureSeries, sampledRow, summarise } from "./runner.ts";

const CALLS = 300;
/**
 * As in the longest log of `test/corpus`: 47 steps and 195 entries, from the greeting over the ladder, a person who
 * asks the AI first and the coach to the end. Every call does all of that in two minutes.
 */
const STEPS_PER_S = 47 / 120;
const ENTRIES_PER_STEP = 4;
/** Every so many steps ask for something of the outside world. */
const STEPS_PER_EFFECT = 3;
/** About what the actors of a call with a ladder persist. */
const SNAPSHOT_CHARACTERS = 12_000;
const TICK_MS = 10;
const ECHO_EVERY_MS = 2;

export const bench: Bench = {
  name: "journal",
  claim: "Journal, log and snapshots of 300 calls cost their audio nothing that can be measured.",
  limitMs: () => 300_000,
  run: runJournal,
};

async function runJournal({ clock, smoke }: BenchOptions): Promise<Rows> {
  const calls = smoke ? 20 : CALLS;
  const folder = await mkdtemp(join(tmpdir(), "tandem-journal-"));
  const cipher = createFieldCipher({ key: new Uint8Array(32).fill(7), ids: systemIds, log: silentLog });
  const store = await createStore({
    url: `sqlite://${join(folder, "calls.db")}`,
    clock,
    log: silentLog,
    cipher,
  });
  const lines = new Lines(calls, clock);
  const scribe = new Scribe(store, clock, calls);
  const without: number[] = [];
  const having: number[] = [];
  try {
    await lines.start();
    await echoes(lines, clock, smoke ? 50 : 3_000);
    for (let repetition = 0; repetition < (smoke ? 1 : 4); repetition++) {
      without.push(...(await echoes(lines, clock, smoke ? 200 : 10_000)));
      scribe.start();
      // What begins is not what goes on.
      await pause(clock, smoke ? 20 : 1_000);
      having.push(...(await echoes(lines, clock, smoke ? 200 : 10_000)));
      await scribe.stop();
    }
  } finally {
    await lines.stop();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
  return toRows({ calls, without, having, scribe, counters: store.counters() });
}

/** How long a message waits for the loop, both ways: what a frame that comes at that moment waits too. */
async function echoes(lines: Lines, clock: Clock, durationMs: number): Promise<number[]> {
  const took: number[] = [];
  const endMs = clock.monotonicMs() + durationMs;
  while (clock.monotonicMs() < endMs) {
    took.push(await lines.echo());
    await pause(clock, ECHO_EVERY_MS);
  }
  return took;
}

/** Writes as so many calls do, evenly spread. */
class Scribe {
  readonly durableMs: number[] = [];
  steps = 0;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #calls: { readonly callSid: string; hash: string; seq: number; steps: number }[];
  readonly #body = JSON.stringify({ value: "escalating", context: "x".repeat(SNAPSHOT_CHARACTERS) });
  #timer: unknown = null;
  #owed = 0;
  #sinceMs = 0;
  #next = 0;

  constructor(store: Store, clock: Clock, calls: number) {
    this.#store = store;
    this.#clock = clock;
    const ids = seededIds(calls);
    // Their effects are spread as their steps are; the first call's comes at once.
    this.#calls = Array.from({ length: calls }, (_, index) => {
      const callSid = ids.sid("CA");
      const steps = STEPS_PER_EFFECT - 1 - (index % STEPS_PER_EFFECT);
      return { callSid, hash: chainStart(callSid), seq: 0, steps };
    });
  }

  start(): void {
    this.#sinceMs = this.#clock.monotonicMs();
    this.#arm();
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => {
      this.#arm();
      const nowMs = this.#clock.monotonicMs();
      this.#owed += (this.#calls.length * STEPS_PER_S * (nowMs - this.#sinceMs)) / 1000;
      this.#sinceMs = nowMs;
      for (; this.#owed >= 1; this.#owed--) this.#step();
    }, TICK_MS);
  }

  async stop(): Promise<void> {
    this.#clock.clearTimeout(this.#timer);
    await this.#store.flush();
  }

  #step(): void {
    const call = this.#calls[this.#next++ % this.#calls.length];
    if (!call) return;
    this.steps++;
    call.steps++;
    const { callSid } = call;
    for (let n = 0; n < ENTRIES_PER_STEP; n++) {
      const at = new Date(this.#clock.now()).toISOString();
      const data = { state: "escalating", value: { escalating: "paging" }, effects: ["page.call"], n };
      const content = { callSid, seq: ++call.seq, at, kind: "step" as const, name: "call", data };
      const entry = chainedEntry(call.hash, content);
      call.hash = entry.hash;
      this.#store.appendEvents([entry]);
    }
    if (call.steps % STEPS_PER_EFFECT === 0) void this.#effect(callSid, call.steps);
    this.#store.saveSnapshot(callSid, { seq: call.seq, machineHash: "bench", version: 1, body: this.#body });
  }

  async #effect(callSid: string, ordinal: number): Promise<void> {
    const effectId = `${callSid}/${ordinal}/page.call`;
    const entry = { callSid, effectId, name: "page.call", atMs: this.#clock.now() } as const;
    const data = { input: { label: `human-${ordinal}`, incident: 1, to: "+15550100" } };
    this.#store.appendJournal([{ ...entry, state: "intent", data }]);
    const beganMs = this.#clock.monotonicMs();
    await this.#store.durable();
    this.durableMs.push(this.#clock.monotonicMs() - beganMs);
    this.#store.appendJournal([{ ...entry, state: "done", data: { callSid } }]);
  }
}

function toRows(run: {
  readonly calls: number;
  readonly without: readonly number[];
  readonly having: readonly number[];
  readonly scribe: Scribe;
  readonly counters: Readonly<Record<string, number>>;
}): Rows {
  const { calls, without, having, scribe, counters } = run;
  const unit = "ms" as const;
  const byP99 = summarise(having).p99 / summarise(without).p99;
  return {
    rows: [
      sampledRow({
        what: `a message of ${calls} calls, nothing written`,
        unit,
        values: without,
        against: "is the baseline",
      }),
      sampledRow({
        what: "the same, with journal, log and snapshots",
        unit,
        values: having,
        against: without,
      }),
      {
        what: "p99 with by p99 without",
        unit: "",
        median: byP99,
        p99: null,
        samples: having.length,
        ratio: null,
        baseline: false,
        target: { of: "median", atMost: 1.1 },
      },
      sampledRow({ what: "an intent until it is durable", unit, values: scribe.durableMs }),
    ],
    hash: without.length + having.length + scribe.steps,
    notes: [
      `Each call takes ${STEPS_PER_S.toFixed(2)} steps a second, with ${ENTRIES_PER_STEP} entries of the log and a snapshot of ${SNAPSHOT_CHARACTERS} characters, and asks for an effect every ${STEPS_PER_EFFECT} steps: as if every call were escalated, handed over and coached within two minutes. ${counters["snapshots"]} snapshots and ${counters["events"]} entries went into ${counters["transactions"]} transactions.`,
      "Carrier, engine and writer share one process and its core: what is measured is the loop that all audio passes. Making a snapshot of the actors is not in it: its text is given.",
    ],
    pictures: [
      {
        title: "A message and back, with and without writing",
        series: [pictureSeries("without", without), pictureSeries("with", having)],
      },
    ],
  };
}
