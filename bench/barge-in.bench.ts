/** What happens when the caller speaks while the AI does: how soon it is silent, and what it believes was heard. */
import { MediaLeg } from "../engine/media/leg.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { VirtualClock, pause } from "../engine/platform/clock.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Ids } from "../engine/ports.ts";
import { FakeCarrier } from "../test/unit/media/fake-carrier.ts";
import { Lines } from "./media-lines.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const ULAW_BYTES_PER_MS = 8;
const STREAM_SID = "MZ1";

export const bench: Bench = {
  name: "barge-in",
  claim:
    "When the caller speaks, the carrier is told to be silent within one 5 ms slot, and the model is told within one frame what was heard.",
  run: async (options) => {
    const speed = await runSpeed(options);
    const kept = truncationErrors({ ...options, lossRate: 0 });
    const lost = truncationErrors({ ...options, lossRate: 1 / 3 });
    return {
      rows: [...speed.rows, ...kept.rows, ...lost.rows],
      hash: fold(fold(speed.hash, kept.hash), lost.hash),
      notes: [
        "Over real sockets carrier and engine share one process and core, so that the times hold the carrier's work too. What a line adds is in the rows of the simulated carrier: their ratio is to its one-way delay, and the engine's own share of it is none, for the clear is written in the turn of the event loop that takes the edge.",
      ],
    };
  },
};

// ---------------------------------------------------------------- edge → clear

async function runSpeed({ smoke, clock }: BenchOptions): Promise<Rows> {
  const calls = smoke ? 2 : 100;
  const warmUps = smoke ? 1 : 50;
  const trials = smoke ? 4 : 500;
  const ids = seededIds(17);
  const echoMs: number[] = [];
  const edgeMs: number[] = [];
  const staleMs: number[] = [];
  const cutUs: number[] = [];
  const lines = new Lines(calls, clock);
  let busy = 0;
  try {
    await lines.start();
    const cpu = process.cpuUsage();
    const startMs = clock.monotonicMs();
    for (let trial = -warmUps; trial < trials; trial++) {
      const line = Math.floor(ids.random() * calls);
      // Whenever it falls in the pacing of the others.
      await pause(clock, 1 + ids.random() * 8);
      const echoFirst = trial % 2 === 0 ? await lines.echo() : null;
      const edge = await lines.bargeIn(line);
      const echo = echoFirst ?? (await lines.echo());
      if (trial < 0) continue;
      echoMs.push(echo);
      edgeMs.push(edge.clearMs);
      staleMs.push(edge.staleMs);
      cutUs.push(lines.lastCutMs * 1000);
    }
    const { user, system } = process.cpuUsage(cpu);
    busy = (user + system) / 10 / (clock.monotonicMs() - startMs);
  } finally {
    await lines.stop();
  }
  const during = `while ${calls} calls talk`;
  const rows: Row[] = [
    sampledRow({
      what: `echo over loopback ${during}`,
      unit: "ms",
      values: echoMs,
      against: "is the baseline",
    }),
    sampledRow({
      what: "speech edge in → clear at the carrier",
      unit: "ms",
      values: edgeMs,
      against: echoMs,
      target: { of: "p99", atMost: 5 },
    }),
    sampledRow({
      what: "speech edge in → last sample of the cut speech that the carrier plays",
      unit: "ms",
      values: staleMs,
      against: echoMs,
      target: { of: "p99", atMost: 5 },
    }),
    sampledRow({ what: "of that in the bridge: edge → clear written", unit: "µs", values: cutUs }),
    single({ what: `share of a core ${during}, both ends`, unit: "%", values: [busy] }),
  ];
  return { rows, hash: edgeMs.length };
}

/** A figure that is one number. */
function single(row: Parameters<typeof sampledRow>[0]): Row {
  return { ...sampledRow(row), p99: null };
}

// ---------------------------------------------------------------- what was heard

interface Turn {
  readonly truthMs: number;
  readonly ledgerMs: number;
  readonly statedErrorMs: number;
  /** From the edge until the carrier plays no more of what was cut. */
  readonly staleMs: number;
  /** What a message takes at least on the line. */
  readonly lineMs: number;
  readonly marksOnlyMs: number;
}

/** On virtual time, against a carrier that knows what it played. */
function truncationErrors({ smoke, lossRate }: BenchOptions & { readonly lossRate: number }): Rows {
  const ids = seededIds(33);
  const turns: Turn[] = [];
  for (let call = 0; call < (smoke ? 2 : 60); call++) turns.push(...simulateCall(ids, lossRate));
  const ledger = turns.map(({ ledgerMs, truthMs }) => Math.abs(ledgerMs - truthMs));
  const marksOnly = turns.map(({ marksOnlyMs, truthMs }) => Math.abs(marksOnlyMs - truthMs));
  const loss = `${Math.round(lossRate * 100)} % of marks lost`;
  return {
    rows: [
      sampledRow({
        what: `truncation error by the last mark alone, ${loss}`,
        unit: "ms",
        values: marksOnly,
        against: "is the baseline",
      }),
      sampledRow({
        what: `truncation error by the ledger, ${loss}`,
        unit: "ms",
        values: ledger,
        against: marksOnly,
        target: { of: "p99", atMost: 20 },
      }),
      single({
        what: `turns whose truth lies within the stated error, ${loss}`,
        unit: "%",
        values: [(100 * turns.filter((turn) => isWithin(turn)).length) / turns.length],
        target: { of: "median", atLeast: 99 },
      }),
      sampledRow({
        what: `stated error of the ledger, ${loss}`,
        unit: "ms",
        values: turns.map(({ statedErrorMs }) => statedErrorMs),
      }),
      sampledRow({
        what: `edge → last sample of the cut speech, 20–60 ms one way and 10 ms of jitter, ${loss}`,
        unit: "ms",
        values: turns.map(({ staleMs }) => staleMs),
        against: turns.map(({ lineMs }) => lineMs),
      }),
    ],
    hash: turns.reduce((hash, turn) => fold(hash, turn.ledgerMs), 0),
  };
}

/** Milliseconds heard are whole ones, rounded down. */
function isWithin({ ledgerMs, truthMs, statedErrorMs }: Turn): boolean {
  return Math.abs(ledgerMs - truthMs) <= statedErrorMs + 1;
}

/** A call of some turns, each cut while it is spoken, over a network with 20 to 60 ms and 10 ms of jitter. */
function simulateCall(ids: Ids, lossRate: number): Turn[] {
  const clock = new VirtualClock();
  const marks = new MarkLog();
  const oneWayMs = 20 + ids.random() * 40;
  const carrier = new FakeCarrier({
    clock,
    streamSid: STREAM_SID,
    oneWayMs,
    jitterMs: () => ids.random() * 10,
    losesMark: () => ids.random() < lossRate,
    toEngine: (text) => {
      marks.returned(text);
      leg.onText(text);
    },
  });
  carrier.sendResult = (text) => {
    marks.sent(text);
    return text.length;
  };
  const wheel = new PacingWheel({ clock });
  const leg = new MediaLeg({ socket: carrier, streamSid: STREAM_SID, clock, wheel, log: silentLog });
  const turns: Turn[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const itemId = `item-${turn}`;
    const base64 = new Uint8Array(5 * 8000).toBase64();
    const playedBefore = carrier.playedBytes();
    marks.begin();
    leg.play({ responseId: `response-${turn}`, itemId, contentIndex: 0, base64 });
    clock.advance(500 + ids.random() * 4000);
    const marksOnlyMs = marks.confirmedBytes / ULAW_BYTES_PER_MS;
    const edgeMs = clock.monotonicMs();
    const [item] = leg.cut();
    const ledgerMs = item?.heardMs ?? 5000;
    const statedErrorMs = item?.heardErrorMs ?? 0;
    // The clear takes effect, and everything on the wire arrives.
    clock.advance(1000);
    const truthMs = (carrier.playedBytes() - playedBefore) / ULAW_BYTES_PER_MS;
    const staleMs = carrier.clearedAtMs - edgeMs;
    turns.push({ truthMs, ledgerMs, statedErrorMs, staleMs, lineMs: oneWayMs, marksOnlyMs });
  }
  leg.close();
  return turns;
}

/** What an engine would know that has nothing but the marks of the turn. */
class MarkLog {
  confirmedBytes = 0;
  #sentBytes = 0;
  readonly #marks = new Map<string, number>();

  begin(): void {
    this.confirmedBytes = 0;
    this.#sentBytes = 0;
    this.#marks.clear();
  }

  sent(text: string): void {
    const message = JSON.parse(text) as { media?: { payload: string }; mark?: { name: string } };
    if (message.media) this.#sentBytes += Uint8Array.fromBase64(message.media.payload).length;
    else if (message.mark) this.#marks.set(message.mark.name, this.#sentBytes);
  }

  returned(text: string): void {
    const { mark } = JSON.parse(text) as { mark: { name: string } };
    this.confirmedBytes = Math.max(this.confirmedBytes, this.#marks.get(mark.name) ?? 0);
  }
}
