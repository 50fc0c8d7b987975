/**
 * What others bridge calls with, and Tandem, side by side: the same carrier, the same model, the same calls, one
 * core each. What the engine does besides (its actors, log, database and metrics) is on, as it is deployed.
 */
import { invariant } from "../engine/errors.ts";
import { type SystemKind, contractSystem, relay } from "./load/control.ts";
import { EngineSystem } from "./load/engine-system.ts";
import { latencySeries, lateNotes } from "./load/measure.ts";
import { PINNING_NOTE } from "./load/processes.ts";
import {
  ADDED_LIMIT_MS,
  FAILED_LIMIT,
  type Contender,
  type Level,
  type Plan,
  type Standing,
  TURN_RATIO_LIMIT,
  goesOn,
  holdsLatency,
  holdsQuality,
  runContest,
  turnRatio,
} from "./peers/contest.ts";
import { installPeers } from "./peers/install.ts";
import { NO_NODE, listPeers } from "./peers/peers.ts";
import {
  type Bench,
  type BenchOptions,
  type Picture,
  type Row,
  type Target,
  type Unit,
  fold,
} from "./runner.ts";

const TANDEM = "Tandem, the full engine";
const THIRD = 1 / 3;
const COMPARED_CALLS = [100, 200];
const LIMIT_MS = 15 * 60_000;

export const bench: Bench = {
  name: "peers",
  claim:
    "One core carries at least 1.5 times the calls of the best peer with at most 20 ms added, and what the model is told was heard is nearest to what was.",
  limitMs: () => LIMIT_MS,
  run: async (options) => {
    await installPeers();
    const plan = planFor(options);
    const standings = await runContest(contenders(), plan);
    const ran = standings.filter(({ levels }) => levels.length > 0);
    const tandem = ran.find(({ contender }) => contender.kind.name === TANDEM);
    invariant(tandem !== undefined, `${TANDEM} did not run: ${standings[0]?.problem}`);
    return {
      rows: [...comparedRows(ran, plan), ...capacityRows(ran), ...conversationRows(ran)],
      hash: ran.reduce((hash, { levels }) => fold(hash, levels.at(-1)?.window.framesIn ?? 0), 1),
      notes: [verdict(ran, tandem), ...losses(standings, plan), ...late(ran), ...NOTES],
      pictures: [pictureOf(ran, plan.comparedCalls)],
    };
  },
};

/** What it takes in is for the measurement to limit, not for its settings. */
const engine: SystemKind = {
  name: TANDEM,
  start: async (where) =>
    await EngineSystem.start(where, { deployment: { limits: { maxLiveCalls: 10_000, drainMs: 0 } } }),
};

function contenders(): readonly Contender[] {
  return [
    { kind: engine, floor: false },
    { kind: { ...relay, name: "bare relay on Bun.serve" }, floor: true },
    ...listPeers().flatMap(({ name, command, floor }) =>
      command === null ? [] : [{ kind: contractSystem(name, command), floor }],
    ),
  ];
}

function planFor({ smoke, clock }: BenchOptions): Plan {
  if (smoke) {
    return {
      clock,
      climbLimitMs: 30_000,
      calls: [1, 2],
      comparedCalls: 2,
      settleMs: 50,
      windowMs: 200,
      tries: 1,
      lostMarks: [0],
      speechCalls: 2,
      speechWindowMs: 500,
      speechGroup: 1,
      together: true,
    };
  }
  return {
    clock,
    climbLimitMs: 30_000,
    calls: [1, ...COMPARED_CALLS, 300, 400, 500, 600, 800, 1000],
    comparedCalls: COMPARED_CALLS.at(-1) ?? 0,
    settleMs: 400,
    windowMs: 2_000,
    tries: 1,
    lostMarks: [0, THIRD],
    speechCalls: 20,
    speechWindowMs: 12_000,
    speechGroup: 2,
    together: false,
  };
}

// ---------------------------------------------------------------- rows

interface Figure {
  readonly name: string;
  readonly unit: Unit;
  readonly median: number;
  readonly p99?: number;
  readonly samples: number;
}

/** Rows of one figure: what it is, then whose. The first is the baseline of the others. */
function block(what: string, figures: readonly Figure[], target?: (name: string) => Target | null): Row[] {
  const base = figures[0]?.median ?? 0;
  return figures.map(({ name, unit, median, p99 = null, samples }, index) => {
    const ratio = index === 0 || base <= 0 || median <= 0 ? null : median / base;
    const row = { what: `${what}: ${name}`, unit, median, p99, samples, ratio, baseline: index === 0 };
    return { ...row, target: target?.(name) ?? null };
  });
}

/** Peers first, so that one of them is the baseline; our own last. */
function ordered(ran: readonly Standing[]): readonly Standing[] {
  const ours = ran.filter(({ contender }) => isOurs(contender));
  return [...ran.filter(({ contender }) => !isOurs(contender)), ...ours.toReversed()];
}

const nameOf = ({ contender }: Standing): string => contender.kind.name;
const isOurs = ({ kind }: Contender): boolean => kind.name === TANDEM || kind.name.startsWith("bare relay");

function comparedRows(ran: readonly Standing[], plan: Plan): Row[] {
  const compared = plan.calls.filter((calls) => calls > 1 && calls <= plan.comparedCalls);
  return compared.flatMap((calls) => {
    const at = ordered(ran).flatMap((standing) => {
      const level = standing.levels.find((each) => each.calls === calls);
      const [baseline] = standing.levels;
      if (level === undefined || baseline === undefined) return [];
      const { latencyMs, framesIn } = level.window;
      return [{ name: nameOf(standing), level, baseline, latencyMs, samples: Math.max(1, framesIn) }];
    });
    const figures = (
      of: (each: (typeof at)[number]) => Omit<Figure, "name" | "samples">,
    ): readonly Figure[] => at.map((each) => ({ name: each.name, samples: each.samples, ...of(each) }));
    return [
      ...block(
        `CPU per frame at ${calls} calls`,
        figures(({ level }) => ({ unit: "µs", median: level.cpuUsPerFrame })),
      ),
      ...block(
        `added at ${calls} calls`,
        figures(({ latencyMs }) => ({ unit: "ms", median: latencyMs.p50, p99: latencyMs.p99 })),
      ),
      ...(calls === plan.comparedCalls
        ? [
            ...block(
              `failed at ${calls} calls`,
              figures(({ level }) => ({ unit: "%", median: 100 * level.failedShare })),
            ),
            ...block(
              `turn latency at ${calls} calls to that of one`,
              figures(({ level, baseline }) => ({ unit: "", median: turnRatio(level, baseline) })),
            ),
            ...block(
              "memory per call",
              figures(({ level, baseline }) => ({
                unit: "kB",
                median: Math.max(0, level.rssBytes - baseline.rssBytes) / 1000 / (calls - baseline.calls),
              })),
            ),
          ]
        : []),
    ];
  });
}

interface Capacities {
  readonly latency: number;
  readonly quality: number;
}

/** The most calls that a core held at one quality or the other; 0 when not even one. */
function capacities({ levels }: Standing): Capacities {
  const most = (held: readonly Level[]): number => Math.max(0, ...held.map(({ calls }) => calls));
  const [baseline] = levels;
  return {
    latency: most(levels.filter(holdsLatency)),
    quality: most(levels.filter((level) => baseline && holdsQuality(level, baseline))),
  };
}

function bestFirst(ran: readonly Standing[], of: keyof Capacities, floors: boolean): readonly Standing[] {
  const peers = ran.filter(({ contender }) => !isOurs(contender) && contender.floor === floors);
  return peers.toSorted((a, b) => capacities(b)[of] - capacities(a)[of]);
}

/** Peers that hold a phone call and peers that only move audio, each the best first, and Tandem against it. */
function capacityRows(ran: readonly Standing[]): Row[] {
  const figures = (of: keyof Capacities, floors: boolean): readonly Figure[] => {
    const ours = ran.filter(({ contender }) => isOurs(contender) && (floors || !contender.floor));
    return [...bestFirst(ran, of, floors), ...ours.toReversed()].map((standing): Figure => {
      const { levels } = standing;
      return {
        name: nameOf(standing),
        unit: "calls",
        median: capacities(standing)[of],
        samples: levels.length,
      };
    });
  };
  const target = (name: string): Target | null => (name === TANDEM ? { of: "ratio", atLeast: 1.5 } : null);
  const calls = `calls per core at p99 ≤ ${ADDED_LIMIT_MS} ms`;
  const sessions = "sessions per vCPU at the published quality bar";
  return [
    ...block(`${calls}, of bridges`, figures("latency", false), target),
    ...block(`${calls}, of relays`, figures("latency", true), target),
    ...block(`${sessions}, of bridges`, figures("quality", false)),
    ...block(`${sessions}, of relays`, figures("quality", true)),
  ];
}

function conversationRows(ran: readonly Standing[]): Row[] {
  const figures = (lostMarks: number, of: "clearMs" | "truncationErrorMs"): readonly Figure[] =>
    ordered(ran).flatMap((standing) => {
      const held = standing.conversations.find((each) => each.lostMarks === lostMarks);
      const figure = held?.speech[of];
      if (figure === undefined || figure.count === 0) return [];
      const { p50, p99, count } = figure;
      return [{ name: nameOf(standing), unit: "ms", median: p50, p99, samples: count }];
    });
  return [
    ...block("speech edge to clear, which ends all stale audio", figures(0, "clearMs")),
    ...block("truncation error, all marks returned", figures(0, "truncationErrorMs")),
    ...block("truncation error, a third of the marks lost", figures(THIRD, "truncationErrorMs")),
  ];
}

// ---------------------------------------------------------------- words

const NOTES: readonly string[] = [
  PINNING_NOTE,
  "Bridges do what a phone call needs: clear, and truncate at what was heard. Relays truncate nothing: they are floors, with which the engine shares the sockets and not the work.",
  `Failed calls under ${100 * FAILED_LIMIT} % and turn latency within ${TURN_RATIO_LIMIT} of one call's is the quality bar of the published comparison of jambonz with LiveKit (2026-08-06): about 31 sessions per vCPU for jambonz, 2.2 to 3.1 for LiveKit.`,
  "Those are not like ours: they ran pipelines of speech recognition, language model, speech synthesis and voice activity detection against mocks of the vendors, on a whole machine of 8 vCPUs. Ours bridge to a speech-to-speech model, one process on one core; a turn is the 200 ms that the fake model thinks and the p99 of the way there and back.",
  "Twilio's sample is its pattern without its logging.",
  'On Bun, import "ws" is Bun\'s own module, also inside the Agents SDK; "npm\'s ws" is the package\'s code on Bun.',
  "A step of calls that is missed is tried up to three times, and the best try counts; the numbers that are compared have two rounds of it. Calls that cannot be placed within 8 s have failed. From 200 on the steps are 100 calls wide: so near is a ratio of two such numbers.",
];

function verdict(ran: readonly Standing[], tandem: Standing): string {
  const calls = capacities(tandem).latency;
  const best = (floors: boolean): string => {
    const [first] = bestFirst(ran, "latency", floors);
    if (first === undefined) return "nobody";
    const { latency } = capacities(first);
    return latency === 0 ? nameOf(first) : `${nameOf(first)} (${(calls / latency).toFixed(2)} times as many)`;
  };
  return `Tandem holds ${calls} calls on a core. Of the bridges that keep account of what was heard the best is ${best(false)}, of the relays ${best(true)}.`;
}

/** What is missing, and what went wrong at barge-ins. */
function losses(standings: readonly Standing[], plan: Plan): string[] {
  const absent = listPeers().flatMap(({ name, command }) =>
    command === null ? [`${name}: not run, ${NO_NODE}`] : [],
  );
  const broken = standings.flatMap((standing) =>
    standing.problem === null ? [] : [`${nameOf(standing)}: ${standing.problem}`],
  );
  const bargeIns = standings.flatMap((standing) =>
    standing.conversations.flatMap(({ lostMarks, speech }) => {
      const { withoutClear, withoutTruncation, staleMs } = speech;
      if (standing.contender.floor || withoutClear + withoutTruncation + staleMs === 0) return [];
      const counts = `${withoutClear} without clear, ${withoutTruncation} without truncation`;
      return [
        `${nameOf(standing)}, ${Math.round(100 * lostMarks)} % of marks lost: of ${speech.bargeIns} barge-ins ${counts}; ${Math.round(staleMs)} ms of stale audio after the clear.`,
      ];
    }),
  );
  const open = standings.filter(
    (each) => each.problem === null && goesOn(each, Number.POSITIVE_INFINITY, plan),
  );
  const names = open.map((each) => nameOf(each)).join(", ");
  const bounds = names === "" ? [] : [`Held at the last step, so their numbers are lower bounds: ${names}.`];
  return [...absent, ...broken, ...bargeIns, ...bounds];
}

function late(ran: readonly Standing[]): readonly string[] {
  const levels = ran.flatMap((standing) => standing.levels);
  const discarded = levels.reduce((sum, level) => sum + level.discarded, 0);
  return lateNotes(discarded, levels.filter((level) => level.late).length);
}

function pictureOf(ran: readonly Standing[], calls: number): Picture {
  const series = ran.flatMap((standing) => {
    const level = standing.levels.find((each) => each.calls === calls);
    return level ? [latencySeries(nameOf(standing), [level.window.latencyMs])] : [];
  });
  return { title: `Latency added by each bridge at ${calls} calls on one core`, series };
}
