/** What the journal, the log and the snapshots of many calls cost the loop that moves their audio. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFieldCipher } from "../adapters/store/protect.ts";
import { createStore } from "../adapters/store/store.ts";
import { InvariantError } from "../engine/errors.ts";
import { ChainLink, chainStart } from "../engine/platform/hash-chain.ts";
import { seededIds, systemIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock, Store } from "../engine/ports.ts";
import { moveLoopApart, moveTo, usableCores } from "./cores.ts";
import type { CarrierTask } from "./journal-carrier.ts";
import type { Samples, ToPrompt } from "./journal-prompt.ts";
import { keepAwake } from "./load/keep-awake.ts";
import { canPin, Child, GENERATOR_CORE, SYSTEM_CORE } from "./load/processes.ts";
import { EngineLines } from "./media-lines.ts";
import { type Pair, p99Ratio } from "./paired-p99.ts";
import { stolenMs } from "./run-delay.ts";
import {
  type Bench,
  type BenchOptions,
  type PictureSeries,
  type Row,
  type Rows,
  pictureSeries,
  sampledRow,
} from "./runner.ts";

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
const CARRIER = new URL("./journal-carrier.ts", import.meta.url).pathname;
const PROMPT = new URL("./journal-prompt.ts", import.meta.url).href;
const ANSWER_LIMIT_MS = 60_000;
/** As short as can be without the beginning weighing much: what the machine does in the meantime is then much the same. */
const WINDOW_MS = 1_500;
const SETTLE_MS = 250;
const WARM_UP_MS = 30_000;
const PAIRS = 120;
/** So many are tried to get that many which the machine's host has left alone: of both processors, for all of a pair. */
const PAIRS_MAX = 200;
const STOLEN_MAX_MS = 10;
/** On a machine that is hardly ever left alone, so many: those that were it most. */
const PAIRS_MIN = 60;

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
  const others = [...keepAwake([SYSTEM_CORE, GENERATOR_CORE])];
  const prompt = new PromptThread();
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
    const carrier = new Child({ command: [process.execPath, CARRIER], core: GENERATOR_CORE });
    others.push(carrier);
    carrier.write(JSON.stringify({ origin, lines: carried } satisfies CarrierTask));
    await carrier.line("the carrier to be under way", ANSWER_LIMIT_MS, (line) => line);
    await prompt.ask({ origin });
    lines.onStep = () => scribe.step();
    // The writer's thread and the collector's are there by now, and what they run is compiled.
    await window(prompt, scribe, { writes: true, settleMs: 0, durationMs: smoke ? 50 : WARM_UP_MS });
    if (canPin()) moveLoopApart(SYSTEM_CORE, GENERATOR_CORE);
    windows = await measure(prompt, scribe, smoke);
  } finally {
    prompt.stop();
    for (const other of others) other.kill();
    await lines.stop();
    if (cores.length > 0) moveTo(cores);
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
  return toRows({ calls, windows, scribe, counters: store.counters() });
}

/** See journal-prompt.ts. */
class PromptThread {
  readonly #worker = new Worker(PROMPT);

  async ask(message: ToPrompt): Promise<Samples> {
    const { promise, resolve, reject } = Promise.withResolvers<Samples>();
    this.#worker.onmessage = ({ data }: MessageEvent<Samples>) => resolve(data);
    this.#worker.onerror = ({ message: problem }) => reject(new InvariantError(problem));
    this.#worker.postMessage(message);
    return await promise;
  }

  stop(): void {
    this.#worker.terminate();
  }
}

/** Messages of calls that take their steps, of which all is written or nothing. */
async function window(
  prompt: PromptThread,
  scribe: Scribe,
  options: { readonly writes: boolean; readonly settleMs: number; readonly durationMs: number },
): Promise<Samples> {
  const { writes, ...times } = options;
  scribe.writes = writes;
  const samples = await prompt.ask({ ...times, stepsPerS: scribe.stepsPerS });
  await scribe.flush();
  return samples;
}

/** One without and one with writing, one right after the other. */
interface WindowPair {
  readonly without: Samples;
  readonly having: Samples;
  /** For how long the machine's host ran something else meanwhile. */
  readonly hostMs: number;
}

interface Windows {
  readonly pairs: readonly WindowPair[];
  readonly tried: number;
}

/** Takes windows without and with writing, one after the other, the first of each pair in turn. */
async function measure(prompt: PromptThread, scribe: Scribe, smoke: boolean): Promise<Windows> {
  const durationMs = smoke ? 200 : WINDOW_MS;
  const settleMs = smoke ? 20 : SETTLE_MS;
  const settled = async (writes: boolean): Promise<Samples> =>
    await window(prompt, scribe, { writes, settleMs, durationMs });
  const all: WindowPair[] = [];
  let calm = 0;
  while (calm < PAIRS && all.length < (smoke ? 1 : PAIRS_MAX)) {
    const stolenBeforeMs = stolenMs() ?? 0;
    const writesFirst = all.length % 2 === 1;
    const first = await settled(writesFirst);
    const second = await settled(!writesFirst);
    const [without, having] = writesFirst ? [second, first] : [first, second];
    const hostMs = (stolenMs() ?? 0) - stolenBeforeMs;
    all.push({ without, having, hostMs });
    if (hostMs <= STOLEN_MAX_MS) calm++;
  }
  const calmestFirst = all.toSorted((a, b) => a.hostMs - b.hostMs);
  return { pairs: calmestFirst.slice(0, Math.max(calm, PAIRS_MIN)), tried: all.length };
}

/** Takes steps as so many calls do, in turn, and writes what they give, or nothing. */
class Scribe {
  readonly durableMs: number[] = [];
  steps = 0;
  writes = false;
  readonly stepsPerS: number;
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #calls: { readonly callSid: string; last: string | ChainLink; seq: number; steps: number }[];
  readonly body = snapshotBody();
  #next = 0;

  constructor(store: Store, clock: Clock, calls: number) {
    this.#store = store;
    this.#clock = clock;
    this.stepsPerS = calls * STEPS_PER_S;
    const ids = seededIds(calls);
    // Their effects are spread as their steps are; the first call's comes at once.
    this.#calls = Array.from({ length: calls }, (_, index) => {
      const callSid = ids.sid("CA");
      const steps = STEPS_PER_EFFECT - 1 - (index % STEPS_PER_EFFECT);
      return { callSid, last: chainStart(callSid), seq: 0, steps };
    });
  }

  async flush(): Promise<void> {
    await this.#store.flush();
  }

  step(): void {
    // That something takes a step at all is in both.
    if (!this.writes) return;
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
  const { pairs, tried } = run.windows;
  const hostMs = Math.max(...pairs.map((pair) => pair.hostMs));
  const loop = compared(
    pairs,
    "loopMs",
    `processor time of the loop until a message of ${calls} calls is answered`,
  );
  const wall = compared(pairs, "wallMs", `a message of ${calls} calls there and back`);
  const target = { of: "median", atMost: 1.1 } as const;
  return {
    rows: [
      ...loop.rows,
      { ...loop.ratio, target },
      ...wall.rows,
      wall.ratio,
      sampledRow({ what: "an intent until it is durable", unit: "ms", values: scribe.durableMs }),
    ],
    hash: loop.ratio.samples + scribe.steps,
    notes: [
      `${pairs.length} pairs of windows, one right after the other, without and with writing, of ${tried} that were tried: those in which the machine's host ran something else for no more than ${hostMs} ms, on both processors together. Drawn from again and again, 95 of 100 times they give a ratio of the p99s ${loop.bounds} in the loop's processor time, and ${wall.bounds} there and back.`,
      `Each call takes ${STEPS_PER_S.toFixed(2)} steps a second, with ${ENTRIES_PER_STEP} entries of the log and a snapshot of ${scribe.body.length} characters, and asks for an effect every ${STEPS_PER_EFFECT} steps: as if every call were escalated, handed over and coached within two minutes. ${counters["snapshots"]} snapshots and ${counters["events"]} entries went into ${counters["transactions"]} transactions.`,
      "What counts is how long a message waits for the loop in the loop's own processor time, as a frame does that comes at that moment. There and back holds as well what the host takes, and how long carrier and prompt, which stand for other machines, wait for the core that they share with all threads of the engine but the loop's. With all threads free to go to either core it costs more: the writer is then put on the loop's core while carrier and prompt have the other. Making a snapshot of the actors is not in it: its text is given.",
    ],
    pictures: [
      {
        title: "What a message waits for the loop, without and with writing",
        series: loop.series,
      },
    ],
  };
}

/** Rows of one kind of samples. */
function compared(
  pairs: readonly WindowPair[],
  kind: keyof Samples,
  what: string,
): {
  readonly rows: readonly Row[];
  readonly ratio: Row;
  readonly bounds: string;
  readonly series: PictureSeries[];
} {
  const ofKind = pairs.map((pair): Pair => ({ without: pair.without[kind], having: pair.having[kind] }));
  const without = ofKind.flatMap((pair) => pair.without);
  const having = ofKind.flatMap((pair) => pair.having);
  const { ratio, low, high } = p99Ratio(ofKind, seededIds(31));
  const unit = "ms" as const;
  return {
    rows: [
      sampledRow({ what: `${what}, nothing written`, unit, values: without, against: "is the baseline" }),
      sampledRow({
        what: "the same, with journal, log and snapshots",
        unit,
        values: having,
        against: without,
      }),
    ],
    ratio: {
      what: "p99 with by p99 without",
      unit: "",
      median: ratio,
      p99: null,
      samples: having.length,
      ratio: null,
      baseline: false,
      target: null,
    },
    bounds: `between ${low.toFixed(2)} and ${high.toFixed(2)}`,
    series: [pictureSeries("without", without), pictureSeries("with", having)],
  };
}
