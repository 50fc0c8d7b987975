/** Arrivals of a stream as networks make them, from a seed; their replay; and what NetEQ would have aimed at. */
import type { JitterBuffer, Popped } from "../../engine/media/jitter/jitter-buffer.ts";
import { PCM_TO_ULAW } from "../../engine/media/g711.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import type { Ids } from "../../engine/ports.ts";

export const FRAME_MS = 20;
const FRAME_BYTES = 160;
/** Timestamps of a stream after a reconnect begin here, times the number of reconnects. */
const EPOCH_MS = 10_000_000;

export interface TraceOptions {
  readonly name: string;
  readonly seed: number;
  readonly frames: number;
  /** About 95 % of the delays are below `jitterMs`; a Pareto distribution has the longer tail. */
  readonly jitterMs?: number;
  readonly tail?: "gaussian" | "pareto";
  /** TCP: what is late holds up what follows. Otherwise frames overtake each other. */
  readonly ordered?: boolean;
  readonly loss?: number;
  readonly duplicates?: number;
  /** Share of frames that come 25 to 45 ms later than they would. */
  readonly reordered?: number;
  /** Nothing arrives for so long, then all of it at once. */
  readonly stallMs?: number;
  readonly stallEveryFrames?: number;
  /** Before this frame the stream begins anew, with other sequence numbers and timestamps. */
  readonly reconnectAt?: number;
  /** The sender's clock is slower (> 0) or faster than the receiver's. */
  readonly driftPpm?: number;
  readonly firstSequence?: number;
  /** A pause of 0.6 s after each 1.4 s of speech. Default true. */
  readonly pauses?: boolean;
}

export interface Arrival {
  readonly index: number;
  readonly sequence: number;
  readonly timestampMs: number;
  readonly arrivalMs: number;
  readonly frame: Uint8Array;
}

export interface Trace {
  readonly options: TraceOptions;
  readonly frames: readonly Uint8Array[];
  /** In the order of arrival. */
  readonly arrivals: readonly Arrival[];
  /** When a frame was sent, on the receiver's clock. */
  sentMs(index: number): number;
  indexOf(timestampMs: number): number;
}

function gaussian(ids: Ids): number {
  return Math.sqrt(-2 * Math.log(1 - ids.random())) * Math.cos(2 * Math.PI * ids.random());
}

function delayMs(ids: Ids, options: TraceOptions): number {
  const { jitterMs = 0, tail = "gaussian" } = options;
  if (tail === "gaussian") return Math.abs(gaussian(ids)) * (jitterMs / 2);
  // Shape 2.5: 95 % within 2.3 times the scale; the tail is cut at 500 ms.
  return Math.min(500, (jitterMs / 2.3) * ((1 - ids.random()) ** (-1 / 2.5) - 1));
}

/** Speech as far as a buffer can tell: a voice of changing pitch, pauses, and noise that makes each frame unique. */
export function speechFrames(ids: Ids, frames: number, pauses: boolean): Uint8Array[] {
  let phase = 0;
  return Array.from({ length: frames }, (_, index) => {
    const speaking = !pauses || index % 100 < 70;
    return Uint8Array.from({ length: FRAME_BYTES }, () => {
      phase += (110 + 40 * Math.sin(index / 31)) / 8_000;
      const voice = Math.sin(2 * Math.PI * phase) + 0.5 * Math.sin(4 * Math.PI * phase);
      const noise = (ids.random() - 0.5) * 60;
      return PCM_TO_ULAW[Math.round((speaking ? 6_000 * voice : 0) + noise) & 0xffff] as number;
    });
  });
}

export function makeTrace(options: TraceOptions): Trace {
  const ids = seededIds(options.seed);
  const frames = speechFrames(ids, options.frames, options.pauses ?? true);
  const sentMs = (index: number): number => index * FRAME_MS * (1 + (options.driftPpm ?? 0) / 1e6);
  const reconnectAt = options.reconnectAt ?? Infinity;
  const first = options.firstSequence ?? 0;
  const arrivals: Arrival[] = [];
  let heldUpMs = 0;
  for (const [index, frame] of frames.entries()) {
    let arrivalMs = stalled(sentMs(index) + delayMs(ids, options), options);
    if (ids.random() < (options.reordered ?? 0)) arrivalMs += 25 + 20 * ids.random();
    if (options.ordered) heldUpMs = arrivalMs = Math.max(arrivalMs, heldUpMs);
    if (ids.random() < (options.loss ?? 0)) continue;
    const again = index >= reconnectAt;
    const sequence = (again ? 40_000 + index - reconnectAt : first + index) & 0xffff;
    const timestampMs = again ? EPOCH_MS + (index - reconnectAt) * FRAME_MS : index * FRAME_MS;
    arrivals.push({ index, sequence, timestampMs, arrivalMs, frame });
    if (ids.random() < (options.duplicates ?? 0))
      arrivals.push({ index, sequence, timestampMs, arrivalMs: arrivalMs + 30 * ids.random(), frame });
  }
  arrivals.sort((a, b) => a.arrivalMs - b.arrivalMs);
  const indexOf = (timestampMs: number): number =>
    Math.floor(
      timestampMs >= EPOCH_MS / 2
        ? (timestampMs - EPOCH_MS) / FRAME_MS + reconnectAt
        : timestampMs / FRAME_MS,
    );
  return { options, frames, arrivals, sentMs, indexOf };
}

function stalled(arrivalMs: number, options: TraceOptions): number {
  const { stallMs = 0, stallEveryFrames = 0 } = options;
  if (stallMs === 0) return arrivalMs;
  const everyMs = stallEveryFrames * FRAME_MS;
  const intoMs = arrivalMs - Math.floor(arrivalMs / everyMs) * everyMs;
  // In the middle of each period.
  const startMs = everyMs / 2;
  return intoMs >= startMs && intoMs < startMs + stallMs ? arrivalMs + startMs + stallMs - intoMs : arrivalMs;
}

export interface PoppedFrame {
  readonly atMs: number;
  readonly kind: Popped;
  /** The frame that this is byte for byte; -1 for none. */
  readonly index: number;
  /** How much later than it was sent; `NaN` when stream time stood still. */
  readonly delayMs: number;
  readonly depthFrames: number;
  readonly targetFrames: number;
}

/** Pushes what has arrived and pops once every 20 ms until the trace is played to its end. */
export function replay(trace: Trace, buffer: JitterBuffer, phaseMs = 7): PoppedFrame[] {
  const known = new Map(trace.frames.map((frame, index) => [frame.toBase64(), index]));
  const popped: PoppedFrame[] = [];
  const out = new Uint8Array(FRAME_BYTES);
  let next = 0;
  const last = trace.arrivals.at(-1) as Arrival;
  for (let atMs = phaseMs; next < trace.arrivals.length || buffer.depthFrames > 0; atMs += FRAME_MS) {
    for (let a = trace.arrivals[next]; a && a.arrivalMs <= atMs; a = trace.arrivals[++next])
      buffer.push(a.sequence, a.timestampMs, a.arrivalMs, a.frame);
    const kind = buffer.pop(out);
    const timestampMs = buffer.poppedTimestampMs;
    const position = trace.indexOf(timestampMs);
    popped.push({
      atMs,
      kind,
      index: known.get(out.toBase64()) ?? -1,
      delayMs: Number.isNaN(timestampMs) ? NaN : atMs - trace.sentMs(position) - (timestampMs % FRAME_MS),
      depthFrames: buffer.depthFrames,
      targetFrames: buffer.targetFrames,
    });
    if (atMs > last.arrivalMs + 10_000) break;
  }
  return popped;
}

/**
 * NetEQ's target after each arrival, in the plainest form: every arrival and every maximum is kept, and the
 * quantile is read from a sorted list of weights.
 */
export function netEqTargetsMs(trace: Trace): number[] {
  let recent: { arrivalMs: number; transitMs: number }[] = [];
  const maxima: { ms: number; weight: number }[] = [];
  let worstMs = 0;
  let sinceMs = -Infinity;
  let targetMs = 80;
  let epoch = 0;
  const seen = new Set<number>();
  return trace.arrivals.flatMap(({ index, arrivalMs, timestampMs }) => {
    if (seen.has(index)) return [];
    seen.add(index);
    if (Math.floor(timestampMs / EPOCH_MS) !== epoch) {
      epoch = Math.floor(timestampMs / EPOCH_MS);
      recent = [];
    }
    if (sinceMs === -Infinity) sinceMs = arrivalMs;
    if (arrivalMs - sinceMs >= 500) {
      const n = maxima.length + 1;
      const factor = Math.max(0, Math.min(0.983, 1 - 2 / (n + 1)));
      for (const maximum of maxima) maximum.weight *= factor;
      maxima.push({ ms: worstMs, weight: 1 - factor });
      let below = 0;
      for (const { ms, weight } of maxima.toSorted((a, b) => a.ms - b.ms)) {
        below += weight;
        targetMs = (Math.floor(Math.min(ms, 1999) / FRAME_MS) + 1) * FRAME_MS;
        if (below >= 0.95) break;
      }
      worstMs = 0;
      sinceMs = arrivalMs;
    }
    const transitMs = arrivalMs - timestampMs;
    recent = recent.filter((each) => each.arrivalMs > arrivalMs - 2_000);
    recent.push({ arrivalMs, transitMs });
    worstMs = Math.max(worstMs, transitMs - Math.min(...recent.map((each) => each.transitMs)));
    return [targetMs];
  });
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The networks that the buffer is held against. */
export function standardTraces(frames: number): TraceOptions[] {
  const traces: TraceOptions[] = [0, 20, 60, 120].map((jitterMs) => ({
    name: `jitter ${jitterMs} ms`,
    seed: 100 + jitterMs,
    frames,
    jitterMs,
    ordered: true,
  }));
  return [
    ...traces,
    { name: "jitter 60 ms with a long tail", seed: 2, frames, jitterMs: 60, tail: "pareto", ordered: true },
    {
      name: "stalls of 300 ms",
      seed: 3,
      frames,
      jitterMs: 10,
      ordered: true,
      stallMs: 300,
      stallEveryFrames: 400,
    },
    { name: "loss of 1 %", seed: 4, frames, jitterMs: 20, loss: 0.01 },
    { name: "loss of 5 %, jitter 60 ms", seed: 5, frames, jitterMs: 60, loss: 0.05 },
    { name: "reordered and doubled", seed: 6, frames, jitterMs: 30, reordered: 0.03, duplicates: 0.03 },
    {
      name: "a reconnect",
      seed: 7,
      frames,
      jitterMs: 20,
      ordered: true,
      reconnectAt: Math.floor(frames * 0.6),
    },
    { name: "a sender 100 ppm slow", seed: 8, frames, jitterMs: 20, ordered: true, driftPpm: 100 },
    { name: "a sender 100 ppm fast", seed: 9, frames, jitterMs: 20, ordered: true, driftPpm: -100 },
  ];
}
