/** Where a turn's time goes on a real deployment, as far as its own metrics tell. */
import { InvariantError, errorText } from "../engine/errors.ts";
import { histogramQuantile, type MetricHistogram, readHistograms, sampleCount } from "./prometheus.ts";
import { fold, type Row, type Rows } from "./runner.ts";

const TIMEOUT_MS = 10_000;
const MAX_CHARS = 4 * 1024 * 1024;
/** With fewer there is no one in a hundred to be told. */
const MIN_FOR_P99 = 100;

const INBOUND = "tandem_media_inbound_handling_seconds";
const OUTBOUND = "tandem_media_outbound_handling_seconds";
const LATENESS = "tandem_loop_lateness_seconds";

/** In the order in which sound passes them. */
const PARTS: readonly { readonly name: string; readonly what: string }[] = [
  { name: "tandem_turn_seconds", what: "turn: end of the caller's speech → answer at the carrier's socket" },
  { name: "tandem_carrier_round_trip_seconds", what: "carrier: round trip of a mark, region both ways" },
  { name: "tandem_media_arrival_delay_seconds", what: "carrier: arrival later than the fastest, jitter" },
  { name: INBOUND, what: "engine in: message at its leg → handed to the model" },
  { name: OUTBOUND, what: "engine out: model's audio → first frame handed to the carrier" },
  { name: LATENESS, what: "engine: how late its event loop is" },
  { name: "tandem_barge_in_seconds", what: "engine: caller speaks → clear handed to the carrier" },
];

/**
 * Reads `GET /metrics` of the engine at `origin`, since its start.
 *
 * @throws InvariantError when there is nothing to be read there, or too little.
 */
export async function deployedRows(options: {
  readonly origin: string;
  /** What a wrong region costs one way; the target is for the first. */
  readonly penaltiesMs: readonly number[];
  readonly sharePercentMax: number;
}): Promise<Rows> {
  const { origin, penaltiesMs, sharePercentMax } = options;
  const url = new URL("/metrics", origin).href;
  const histograms = histogramsOf(url, await metricsText(url));
  const found = PARTS.flatMap(({ name, what }) => {
    const histogram = histograms.get(name);
    return histogram === undefined || sampleCount(histogram) === 0 ? [] : [{ name, what, histogram }];
  });
  const rows = found.map(({ what, histogram }) => row(what, histogram));
  const own = ownShare(url, histograms);
  const few = found.filter(({ histogram }) => sampleCount(histogram) < MIN_FOR_P99);
  const missing = PARTS.filter(({ name }) => !found.some((each) => each.name === name));
  const notes = [
    verdict(own, penaltiesMs),
    "Own share: handling in and out, and twice the loop's lateness, as each way waits for the loop once. The parts are not timed together: their quantiles are added up, which takes them to be late at the same time. What the kernel adds is not in it.",
    `UNVERIFIED: that a wrong region costs ${penaltiesMs.join(" to ")} ms one way is an assumption; no source was found.`,
    ...listed(`Fewer than ${MIN_FOR_P99} samples, and so no p99, of`, few),
    ...listed("Nothing measured yet of", missing),
  ];
  const shares = penaltiesMs.map((ms, i) => shareRow(own, ms, i === 0 ? sharePercentMax : null));
  const hash = found.reduce((sum, { histogram }) => fold(sum, sampleCount(histogram)), 1);
  return { rows: [...rows, ownRow(own), ...shares], notes, hash };
}

function listed(what: string, parts: readonly { readonly name: string }[]): string[] {
  return parts.length === 0 ? [] : [`${what}: ${parts.map(({ name }) => name).join(", ")}.`];
}

async function metricsText(url: string): Promise<string> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: "manual" });
    text = await response.text();
  } catch (error) {
    throw new InvariantError(`${url} cannot be reached: ${errorText(error)}`);
  }
  if (response.status !== 200) {
    throw new InvariantError(
      `${url} answers ${response.status}: is an engine there, and /metrics let through?`,
    );
  }
  if (text.length > MAX_CHARS) throw new InvariantError(`${url} answers with ${text.length} characters`);
  return text;
}

function histogramsOf(url: string, text: string): ReadonlyMap<string, MetricHistogram> {
  let histograms;
  try {
    histograms = readHistograms(text);
  } catch (error) {
    throw new InvariantError(`${url}: ${errorText(error)}`);
  }
  const absent = [INBOUND, OUTBOUND, LATENESS].filter((name) => !histograms.has(name));
  if (absent.length > 0) {
    throw new InvariantError(`${url} has no ${absent.join(", ")}: it is no engine, or an older one`);
  }
  return histograms;
}

interface Own {
  readonly medianMs: number;
  /** `null`: too few samples. */
  readonly p99Ms: number | null;
  readonly samples: number;
}

/** The rarest of its parts says how many samples it has. */
function ownShare(url: string, histograms: ReadonlyMap<string, MetricHistogram>): Own {
  const parts = [INBOUND, OUTBOUND, LATENESS, LATENESS].map(
    (name) => histograms.get(name) as MetricHistogram,
  );
  const samples = Math.min(...parts.map((histogram) => sampleCount(histogram)));
  if (samples === 0) {
    throw new InvariantError(`${url}: this engine has carried no speech both ways yet; place a call first`);
  }
  const sumMs = (q: number): number => parts.reduce((sum, each) => sum + quantileMs(each, q), 0);
  return { medianMs: sumMs(0.5), p99Ms: samples < MIN_FOR_P99 ? null : sumMs(0.99), samples };
}

function quantileMs(histogram: MetricHistogram, q: number): number {
  return (histogramQuantile(histogram, q) ?? 0) * 1000;
}

function row(what: string, histogram: MetricHistogram): Row {
  const samples = sampleCount(histogram);
  const p99 = samples < MIN_FOR_P99 ? null : quantileMs(histogram, 0.99);
  return { ...ROW, what, unit: "ms", median: quantileMs(histogram, 0.5), p99, samples };
}

const ROW = { ratio: null, baseline: false, target: null } as const;

function ownRow({ medianMs, p99Ms, samples }: Own): Row {
  return {
    ...ROW,
    what: "the engine's own share, parts added up",
    unit: "ms",
    median: medianMs,
    p99: p99Ms,
    samples,
  };
}

function shareRow({ medianMs, p99Ms, samples }: Own, ofMs: number, atMost: number | null): Row {
  return {
    ...ROW,
    what: `the engine's own share of ${ofMs} ms`,
    unit: "%",
    median: (medianMs / ofMs) * 100,
    p99: p99Ms === null ? null : (p99Ms / ofMs) * 100,
    samples,
    target: atMost === null ? null : { of: "p99", atMost },
  };
}

function verdict({ medianMs, p99Ms }: Own, penaltiesMs: readonly number[]): string {
  const [ofMs = 1] = penaltiesMs;
  const percent = (ms: number): string => ((ms / ofMs) * 100).toFixed(1);
  const rare = p99Ms === null ? "" : ` (p99 ${p99Ms.toFixed(2)} ms, ${percent(p99Ms)} %)`;
  return `This engine adds about ${medianMs.toFixed(2)} ms${rare} to a turn: ${percent(medianMs)} % of the ${ofMs} ms that a wrong region costs one way.`;
}
