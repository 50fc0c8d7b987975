/** What the journal, the log and the snapshots of many calls cost the loop that moves their audio. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFieldCipher } from "../adapters/store/protect.ts";
import { createStore } from "../adapters/store/store.ts";
import { ChainLink, chainStart } from "../engine/platform/hash-chain.ts";
import { pause } from "../engine/platform/clock.ts";
import { seededIds, systemIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock, Store } from "../engine/ports.ts";
import { moveLoopApart, moveTo, usableCores } from "./cores.ts";
import type { Ask, Task } from "./journal-process.ts";
import { canPin, Child, GENERATOR_CORE, SYSTEM_CORE } from "./load/processes.ts";
import { EngineLines } from "./media-lines.ts";
import { type Pair, p99Ratio } from "./paired-p99.ts";
import { stolenMs } from "./run-delay.ts";
import { type Bench, type BenchOptions, type Rows, pictureSeries, sampledRow } from "./runner.ts";

const CALLS = 300;
/**
 * As in the longest log of `test/corpus`: 47 steps and 195 entries, from the greeting over the ladder, a person who
 * asks the AI first and the coach to the end. Every call does all of that in two minutes.
 */
const STEPS_PER_S = 47 / 120;
const ENTRIES_PER_STEP = 4;
/** Every so many steps ask for something of the outside world. */
const STEPS_PER_EFFECT = 3;
/** Makes about the 12,000 characters that the actors of a call with a ladder persist, with as many quotation marks. */
const SNAPSHOT_PAGES = 83;
const TICK_MS = 10;
const PROCESS = new URL("./journal-process.ts", import.meta.url).pathname;
const ANSWER_LIMIT_MS = 60_000;
/** As short as can be without the beginning weighing much: what the machine does in the meantime is then much the same. */
const WINDOW_MS = 1_500;
const SETTLE_MS = 250;
const WARM_UP_MS = 30_000;
const PAIRS = 120;
/** So many are tried to get that many which the machine's host has left alone. */
const PAIRS_MAX = 200;
/** Of both processors, in the two windows of a pair together. */
const STOLEN_MAX_MS = 10;

export const bench: Bench = {
  name: "journal",
  claim: "Journal, log and snapshots of 300 calls cost their audio nothing that can be measured.",
  limitMs: () => 1_200_000,
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
  const lines = new EngineLines(calls, clock);
  const others: Child[] = [];
  const cores = usableCores();
  const scribe = new Scribe(store, clock, calls);
  let windows: Windows;
  try {
    lines.start();
    const { origin } = lines;
    const carried = lines.lines.map((line) => {
      const { callSid, streamSid } = line;
      return { callSid, streamSid, token: lines.token(line) };
    });
    others.push(await apart({ kind: "carrier", origin, lines: carried }));
    const prompt = await apart({ kind: "prompt", origin });
    others.push(prompt);
    // The writer's thread and the collector's are there by now, and what they run is compiled.
    await window(prompt, scribe, { writes: true, durationMs: smoke ? 50 : WARM_UP_MS });
    if (canPin()) moveLoopApart(SYSTEM_CORE, GENERATOR_CORE);
    windows = await measure(prompt, scribe, { clock, smoke });
  } finally {
    for (const other of others) other.kill();
    await lines.stop();
    if (cores.length > 0) moveTo(cores);
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
  return toRows({ calls, windows, scribe, counters: store.counters() });
}

async function apart(task: Task): Promise<Child> {
  const child = new Child({ command: [process.execPath, PROCESS], core: GENERATOR_CORE });
  child.write(JSON.stringify(task));
  await answer(child);
  return child;
}

async function answer(child: Child): Promise<number[]> {
  return await child.line("an answer", ANSWER_LIMIT_MS, (line) => JSON.parse(line) as number[]);
}

/** The messages of one window. */
async function echoes(prompt: Child, durationMs: number): Promise<number[]> {
  prompt.write(JSON.stringify({ durationMs } satisfies Ask));
  return await answer(prompt);
}

/** Messages of calls that take their steps, of which all is written or nothing. */
async function window(
  prompt: Child,
  scribe: Scribe,
  options: { readonly writes: boolean; readonly durationMs: number; readonly settle?: Promise<void> },
): Promise<number[]> {
  scribe.start(options.writes);
  await options.settle;
  const took = await echoes(prompt, options.durationMs);
  await scribe.stop();
  return took;
}

interface Windows {
  readonly pairs: readonly Pair[];
  /** What became of those in which the machine's host ran something else. */
  readonly disturbed: string;
}

/** Takes windows without and with writing, one after the other, the first of each pair in turn. */
async function measure(
  prompt: Child,
  scribe: Scribe,
  { clock, smoke }: Pick<BenchOptions, "clock" | "smoke">,
): Promise<Windows> {
  const durationMs = smoke ? 200 : WINDOW_MS;
  const settled = async (writes: boolean): Promise<number[]> => {
    // What begins is not what goes on.
    const settle = pause(clock, smoke ? 20 : SETTLE_MS);
    return await window(prompt, scribe, { writes, durationMs, settle });
  };
  const pairs: Pair[] = [];
  const disturbed: Pair[] = [];
  const wanted = smoke ? 1 : PAIRS;
  for (let tried = 0; pairs.length < wanted && tried < (smoke ? 1 : PAIRS_MAX); tried++) {
    const stolenBeforeMs = stolenMs() ?? 0;
    const writesFirst = tried % 2 === 1;
    const first = await settled(writesFirst);
    const second = await settled(!writesFirst);
    const pair = writesFirst ? { having: first, without: second } : { without: first, having: second };
    const isDisturbed = (stolenMs() ?? 0) - stolenBeforeMs > STOLEN_MAX_MS;
    (isDisturbed ? disturbed : pairs).push(pair);
  }
  // On a machine that is hardly ever left alone, what there is.
  const isHardlyLeft = pairs.length < wanted / 3;
  const count = `${disturbed.length} ${isHardlyLeft ? "of them, too many to leave out, were" : "more are left out as"} disturbed`;
  return { pairs: isHardlyLeft ? [...pairs, ...disturbed] : pairs, disturbed: count };
}

/** Takes steps as so many calls do, evenly spread, and writes what they give, or nothing. */
class Scribe {
  readonly durableMs: number[] = [];
  steps = 0;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #calls: { readonly callSid: string; last: string | ChainLink; seq: number; steps: number }[];
  readonly body = snapshotBody();
  #timer: unknown = null;
  #owed = 0;
  #sinceMs = 0;
  #writes = false;
  #next = 0;

  constructor(store: Store, clock: Clock, calls: number) {
    this.#store = store;
    this.#clock = clock;
    const ids = seededIds(calls);
    // Their effects are spread as their steps are; the first call's comes at once.
    this.#calls = Array.from({ length: calls }, (_, index) => {
      const callSid = ids.sid("CA");
      const steps = STEPS_PER_EFFECT - 1 - (index % STEPS_PER_EFFECT);
      return { callSid, last: chainStart(callSid), seq: 0, steps };
    });
  }

  start(writes: boolean): void {
    this.#writes = writes;
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
    // That something takes a step at all is in both.
    if (!this.#writes) return;
    const call = this.#calls[this.#next++ % this.#calls.length];
    if (!call) return;
    this.steps++;
    call.steps++;
    const { callSid } = call;
    for (let n = 0; n < ENTRIES_PER_STEP; n++) {
      const at = new Date(this.#clock.now()).toISOString();
      const data = { state: "escalating", value: { escalating: "paging" }, effects: ["page.call"], n };
      const content = { callSid, seq: ++call.seq, at, kind: "step" as const, name: "call", data };
      const entry = new ChainLink(call.last, content);
      call.last = entry;
      this.#store.appendEvents([entry]);
    }
    if (call.steps % STEPS_PER_EFFECT === 0) void this.#effect(callSid, call.steps);
    this.#store.saveSnapshot(callSid, { seq: call.seq, machineHash: "bench", version: 1, body: this.body });
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

function snapshotBody(): string {
  const pages = Array.from({ length: SNAPSHOT_PAGES }, (_, n) => ({
    label: `human-${n}`,
    channel: { kind: "voice", to: "+15550100", state: "ringing" },
    attempts: [{ number: 1, at: 1_764_252_000_000 + n, outcome: null }],
  }));
  return JSON.stringify({ value: { escalating: "paging" }, context: { incident: 1, pages } });
}

function toRows(run: {
  readonly calls: number;
  readonly windows: Windows;
  readonly scribe: Scribe;
  readonly counters: Readonly<Record<string, number>>;
}): Rows {
  const { calls, scribe, counters } = run;
  const { pairs, disturbed } = run.windows;
  const unit = "ms" as const;
  const without = pairs.flatMap((pair) => pair.without);
  const having = pairs.flatMap((pair) => pair.having);
  const { ratio, low, high } = p99Ratio(pairs, seededIds(31));
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
        median: ratio,
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
      `${pairs.length} pairs of windows, one right after the other, without and with writing. Drawn from again and again, 95 of 100 times they give a ratio of the p99s between ${low.toFixed(2)} and ${high.toFixed(2)}. ${disturbed}: the machine's host ran something else in them for more than ${STOLEN_MAX_MS} ms.`,
      `Each call takes ${STEPS_PER_S.toFixed(2)} steps a second, with ${ENTRIES_PER_STEP} entries of the log and a snapshot of ${scribe.body.length} characters, and asks for an effect every ${STEPS_PER_EFFECT} steps: as if every call were escalated, handed over and coached within two minutes. ${counters["snapshots"]} snapshots and ${counters["events"]} entries went into ${counters["transactions"]} transactions.`,
      "The loop that all audio passes has one core, as it has where nothing else wants the other; all other threads of the engine share the second one with carrier and prompt, which stand for other machines and are put before them. With all threads free to go to either core it costs more: the writer is then put on the loop's core while carrier and prompt have the other. Making a snapshot of the actors is not in it: its text is given.",
    ],
    pictures: [
      {
        title: "A message and back, with and without writing",
        series: [pictureSeries("without", without), pictureSeries("with", having)],
      },
    ],
  };
}
