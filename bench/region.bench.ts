/**
 * Where the time between a caller's mouth and ear goes, and how much of it is the engine's own: beside what a
 * wrong region costs, it must be lost.
 */
import type { FaultsPatch } from "../adapters/sandbox/carrier/faults.ts";
import { invariant } from "../engine/errors.ts";
import { pause } from "../engine/platform/clock.ts";
import type { Clock } from "../engine/ports.ts";
import { moveTo, usableCores } from "./cores.ts";
import { LatenessWatch } from "./lateness.ts";
import type { Caller, TurnTimes } from "./region-caller.ts";
import { deployedRows } from "./region-deployed.ts";
import { Rig } from "./region-rig.ts";
import {
  type Bench,
  type BenchOptions,
  type Row,
  type Rows,
  fold,
  pictureSeries,
  sampledRow,
  summarise,
} from "./runner.ts";

/** What a wrong region adds, one way. An assumption of the project's: nobody publishes a figure. */
const PENALTIES_MS = [60, 80] as const;
const SAME_REGION_MS = 5;
/** The most that a message is late on its way; order is kept, as TCP keeps it. */
const JITTERS_MS = [20, 60] as const;
const SHARE_PERCENT_MAX = 5;
const CALLS = [1, 25, 100] as const;
const WINDOW_MS = 12_000;
/** Of each profile by itself, where there are fewer calls than profiles. */
const SHORT_WINDOW_MS = 6_000;
/** When this process's own timers are later than this at p99, what it timed is discarded. */
const OWN_LATENESS_MS_MAX = 3;
const TRIES = 4;
/** An engine that waits longer than this for its core is slowed by others. */
const WAITED_PERCENT_MAX = 1;

/** How the carrier's media comes and goes. */
interface Profile {
  readonly name: string;
  readonly faults: FaultsPatch;
}

const PROFILES: readonly Profile[] = [
  { name: "same region", faults: { mediaDelayMs: SAME_REGION_MS } },
  ...PENALTIES_MS.map((ms) => ({
    name: `wrong region, +${ms} ms`,
    faults: { mediaDelayMs: SAME_REGION_MS + ms },
  })),
  ...JITTERS_MS.map((ms) => ({
    name: `same region, jitter up to ${ms} ms`,
    faults: { mediaDelayMs: SAME_REGION_MS, mediaJitterMs: ms },
  })),
];

/**
 * Average latency of a leg's jitter buffer in a conference, in milliseconds, as Twilio publishes it for
 * jitter up to 20 ms; spikes exceed it by up to 50 %
 * (https://www.twilio.com/docs/voice/twiml/conference#attributes-jitterbuffersize).
 */
const PUBLISHED_BUFFERS = [
  { size: "off", fromMs: 0, toMs: 0 },
  { size: "small", fromMs: 150, toMs: 200 },
  { size: "medium", fromMs: 200, toMs: 360 },
  { size: "large, the default", fromMs: 300, toMs: 1000 },
] as const;

/** In the order in which a turn passes them. */
const PARTS: readonly { readonly key: keyof TurnTimes; readonly what: string }[] = [
  { key: "toSocketMs", what: "mouth → carrier's socket: mixer, region one way" },
  { key: "engineInMs", what: "engine in: carrier's socket → append at the model" },
  { key: "modelMs", what: "the model: pause it waits for, thinking" },
  { key: "engineOutMs", what: "engine out: delta → frame at carrier's socket" },
  { key: "toEarMs", what: "carrier's socket → ear: region one way, mixer" },
];

export const bench: Bench = {
  name: "region",
  claim: "What the engine itself adds to a turn is lost in the noise of a wrong region.",
  limitMs: () => 300_000,
  run: (options) => (options.from === null ? runRegion(options) : deployed(options.from)),
};

function deployed(origin: string): Promise<Rows> {
  return deployedRows({ origin, penaltiesMs: PENALTIES_MS, sharePercentMax: SHARE_PERCENT_MAX });
}

async function runRegion({ smoke, clock }: BenchOptions): Promise<Rows> {
  const cores = usableCores();
  const apart = cores.length > 1;
  const rig = await Rig.start({ clock, engineCore: apart ? (cores[0] as number) : null });
  if (apart) moveTo(cores.slice(1));
  try {
    const windows: Window[] = [];
    const profiles = smoke ? PROFILES.slice(0, 2) : PROFILES;
    for (const calls of smoke ? [2] : CALLS) {
      const windowMs = smoke ? 100 : calls < profiles.length ? SHORT_WINDOW_MS : WINDOW_MS;
      windows.push(await measure({ rig, clock, profiles, calls, windowMs }));
    }
    return toRows(windows, await ownRows(rig), apart);
  } finally {
    if (apart) moveTo(cores);
    await rig.stop();
  }
}

// ---------------------------------------------------------------- measuring

interface Profiled {
  readonly name: string;
  readonly turns: readonly TurnTimes[];
}

/** What was timed while so many calls took turns. */
interface Window {
  readonly calls: number;
  readonly profiles: readonly Profiled[];
  readonly inboundMs: readonly number[];
  readonly echoMs: readonly number[];
  readonly failedTurns: number;
  readonly discarded: number;
  readonly ownLatenessMs: number;
  /** How much of the window the engine waited for a processor that others had. */
  readonly engineWaitedPercent: number | null;
}

interface Measure {
  readonly rig: Rig;
  readonly clock: Clock;
  readonly profiles: readonly Profile[];
  readonly calls: number;
  readonly windowMs: number;
}

/** All profiles at once, each with its part of the calls; one after another with fewer calls than profiles. */
async function measure(options: Measure): Promise<Window> {
  const { calls, profiles } = options;
  if (calls >= profiles.length) return await measureCalls(options, shares(calls, profiles));
  const parts: Window[] = [];
  for (const profile of profiles) parts.push(await measureCalls(options, [{ ...profile, calls }]));
  return {
    calls,
    profiles: parts.flatMap(({ profiles }) => profiles),
    inboundMs: parts.flatMap(({ inboundMs }) => inboundMs),
    echoMs: parts.flatMap(({ echoMs }) => echoMs),
    failedTurns: parts.reduce((sum, each) => sum + each.failedTurns, 0),
    discarded: parts.reduce((sum, each) => sum + each.discarded, 0),
    ownLatenessMs: parts.reduce((max, each) => Math.max(max, each.ownLatenessMs), 0),
    engineWaitedPercent: parts.reduce((max, each) => Math.max(max, each.engineWaitedPercent ?? 0), 0),
  };
}

type Group = Profile & { readonly calls: number };

/** As many calls to each as can be, and one more to the first ones. */
function shares(calls: number, profiles: readonly Profile[]): readonly Group[] {
  const least = Math.floor(calls / profiles.length);
  return profiles.map((profile, i) => ({ ...profile, calls: least + (i < calls % profiles.length ? 1 : 0) }));
}

/** Again when carrier and model were late themselves; of windows that all were, the least late is kept. */
async function measureCalls(options: Measure, groups: readonly Group[]): Promise<Window> {
  const { rig, clock } = options;
  const callers = await rig.dial(groups);
  // The first turn of each is for the compiler.
  await turnOf(callers.flat(), clock);
  let best: Window | null = null;
  let tries = 0;
  while (tries < TRIES && (best === null || best.ownLatenessMs > OWN_LATENESS_MS_MAX)) {
    const window = await watchTurns(options, groups, callers);
    if (best === null || window.ownLatenessMs < best.ownLatenessMs) best = window;
    tries++;
  }
  await rig.hangUp();
  return { ...(best as Window), discarded: tries - 1 };
}

async function watchTurns(
  { rig, clock, windowMs }: Measure,
  groups: readonly Group[],
  callers: readonly (readonly Caller[])[],
): Promise<Window> {
  const all = callers.flat();
  for (const caller of all) caller.caught = { turns: [], inboundMs: [], failedTurns: 0 };
  rig.probe.take();
  const watch = new LatenessWatch(clock);
  watch.start();
  const [startMs, delayMs] = [clock.monotonicMs(), rig.engineRunDelayMs()];
  await pause(clock, windowMs);
  await turnOf(all, clock);
  const ownLatenessMs = watch.stop();
  const [elapsedMs, endDelayMs] = [clock.monotonicMs() - startMs, rig.engineRunDelayMs()];
  return {
    calls: all.length,
    profiles: groups.map(({ name }, i) => ({
      name,
      turns: (callers[i] as readonly Caller[]).flatMap(({ caught }) => caught.turns),
    })),
    inboundMs: all.flatMap(({ caught }) => caught.inboundMs),
    echoMs: rig.probe.take(),
    failedTurns: all.reduce((sum, { caught }) => sum + caught.failedTurns, 0),
    discarded: 0,
    ownLatenessMs,
    engineWaitedPercent:
      delayMs === null || endDelayMs === null ? null : ((endDelayMs - delayMs) / elapsedMs) * 100,
  };
}

/** Until everybody has had a turn. */
async function turnOf(callers: readonly Caller[], clock: Clock): Promise<void> {
  const deadlineMs = clock.monotonicMs() + 20_000;
  while (callers.some(({ caught }) => caught.turns.length === 0)) {
    invariant(clock.monotonicMs() < deadlineMs, "a caller had no turn");
    await pause(clock, 20);
  }
}

// ---------------------------------------------------------------- telling

/** The same from the inside, where nothing of the carrier's and the model's own work is in it. */
async function ownRows(rig: Rig): Promise<readonly Row[]> {
  const { rows } = await deployed(rig.engineOrigin);
  return rows
    .filter(({ what, unit }) => what.includes("engine") && unit === "ms")
    .map((row) => ({ ...row, what: `by the engine's own metrics since its start, ${row.what}` }));
}

function toRows(windows: readonly Window[], own: readonly Row[], apart: boolean): Rows {
  const full = windows.at(-1) as Window;
  const rows = [
    ...full.profiles.flatMap((profile) => partRows(profile, full.calls)),
    ...bufferRows(full.profiles[0] as Profiled),
    ...windows.flatMap((window) => engineRows(window, window === full)),
    ...own,
  ];
  const notes = [verdict(full), ...explanations(apart), ...windows.flatMap((window) => doubts(window))];
  const series = windows.map((window) => pictureSeries(callsText(window), ownOf(window)));
  const pictures = [{ title: "What the engine adds to a turn, in and out together", series }];
  const turns = windows.flatMap(({ profiles }) => profiles).reduce((sum, each) => sum + each.turns.length, 0);
  return { rows, notes, pictures, hash: fold(turns, windows.length) };
}

function partRows({ name, turns }: Profiled, calls: number): Row[] {
  const parts = PARTS.map(({ key, what }) =>
    sampledRow({ what: `${name}, ${what}`, unit: "ms", values: turns.map((turn) => turn[key]) }),
  );
  const values = turns.map((turn) => mouthToEarMs(turn));
  return [...parts, sampledRow({ what: `${name}, mouth → ear, ${calls} calls`, unit: "ms", values })];
}

/** What was measured with Twilio's published averages on top: of the caller's leg, and of the agent's. */
function bufferRows({ name, turns }: Profiled): Row[] {
  const measured = summarise(turns.map((turn) => mouthToEarMs(turn)));
  return PUBLISHED_BUFFERS.map(({ size, fromMs, toMs }) => ({
    what: `${name}, mouth → ear with published buffers \`${size}\` on both legs (2 × ${fromMs}–${toMs} ms)`,
    unit: "ms",
    median: measured.median + fromMs + toMs,
    p99: measured.p99 + 2 * toMs,
    samples: measured.samples,
    ratio: null,
    baseline: false,
    target: null,
  }));
}

/** `judged`: this is the number of calls that the target is for. */
function engineRows(window: Window, judged: boolean): Row[] {
  const { profiles, inboundMs, echoMs } = window;
  const turns = profiles.flatMap((profile) => profile.turns);
  const what = (text: string): string => `${callsText(window)}, ${text}`;
  const own = ownOf(window);
  const share = (ofMs: number): Row =>
    sampledRow({
      what: what(`the engine's own share of ${ofMs} ms`),
      unit: "%",
      values: own.map((ms) => (ms / ofMs) * 100),
      ...(judged &&
        ofMs === PENALTIES_MS[0] && { target: { of: "p99", atMost: SHARE_PERCENT_MAX } as const }),
    });
  const medians = summarise(echoMs).median;
  const against = (values: readonly number[]) => values.map(() => medians);
  const row = (text: string, values: readonly number[]): Row =>
    sampledRow({ what: what(text), unit: "ms", values, against: against(values) });
  return [
    sampledRow({
      what: what("a bare process there: message in → message out"),
      unit: "ms",
      values: echoMs,
      against: "is the baseline",
    }),
    row("engine in, every frame", inboundMs),
    row(
      "engine out, first frame of an answer",
      turns.map(({ engineOutMs }) => engineOutMs),
    ),
    row("engine in + out of a turn", own),
    ...PENALTIES_MS.map((ms) => share(ms)),
  ];
}

function mouthToEarMs(turn: TurnTimes): number {
  return PARTS.reduce((sum, { key }) => sum + turn[key], 0);
}

function ownMs({ engineInMs, engineOutMs }: TurnTimes): number {
  return engineInMs + engineOutMs;
}

function ownOf({ profiles }: Window): readonly number[] {
  return profiles.flatMap(({ turns }) => turns.map((turn) => ownMs(turn)));
}

function verdict(window: Window): string {
  const { calls } = window;
  const own = summarise(ownOf(window));
  const [budgetMs] = PENALTIES_MS;
  const percent = (ms: number): string => ((ms / budgetMs) * 100).toFixed(1);
  return `With ${calls} calls the engine adds ${own.median.toFixed(2)} ms to a turn (p99 ${own.p99.toFixed(2)} ms): ${percent(own.median)} % (p99 ${percent(own.p99)} %) of the ${budgetMs} ms that a wrong region costs one way.`;
}

function explanations(apart: boolean): string[] {
  const published = PUBLISHED_BUFFERS.map(({ size, fromMs, toMs }) => `${size} ${fromMs}–${toMs}`).join("; ");
  return [
    `UNVERIFIED: that a wrong region costs ${PENALTIES_MS.join(" to ")} ms is an assumption; no source was found. It is taken as one way, and a turn pays it twice; the engine's share, in and out together, is held against one way alone.`,
    `Carrier buffers are Twilio's published averages and not measured: ${published} ms a leg, up to 50 % more at spikes. A turn passes two legs; the middle of each range is added to the median, its end to p99.`,
    "The sandbox's model waits 200 ms for the end of a question and thinks for 150 ms: its time is a setting and stands apart.",
    `Engine in and out are timed at the other ends of its sockets, so each holds the kernel's and the carrier's and model's own work, as the bare process beside it does. ${apart ? "Engine and bare process are on one core, carrier and model on another." : "There was no second core: both ends took turns on one."}`,
  ];
}

function doubts(window: Window): string[] {
  const { failedTurns, discarded, ownLatenessMs, engineWaitedPercent } = window;
  const said: string[] = [];
  if (engineWaitedPercent !== null && engineWaitedPercent > WAITED_PERCENT_MAX) {
    said.push(
      `for ${engineWaitedPercent.toFixed(1)} % of the time the engine was ready and others had its core, so these are upper bounds`,
    );
  }
  if (failedTurns > 0) said.push(`turns that had no answer or were not seen whole: ${failedTurns}`);
  if (discarded > 0) said.push(`windows discarded, as carrier and model were late: ${discarded}`);
  if (ownLatenessMs > OWN_LATENESS_MS_MAX) {
    said.push(
      `carrier and model were late every time, p99 ${ownLatenessMs.toFixed(1)} ms, so these are upper bounds`,
    );
  }
  return said.map((doubt) => `${callsText(window)}: ${doubt}.`);
}

function callsText({ calls }: Pick<Window, "calls">): string {
  return calls === 1 ? "1 call" : `${calls} calls`;
}
