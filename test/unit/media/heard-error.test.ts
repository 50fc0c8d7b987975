/** The stated error of what was heard, against what a simulated carrier really played. */
import { expect, test } from "bun:test";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { MediaLeg } from "../../../engine/media/leg.ts";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { Ids } from "../../../engine/ports.ts";
import { FakeCarrier } from "./fake-carrier.ts";
import { chunk } from "./leg-setup.ts";

const BYTES_PER_MS = 8;
const SPEECH = new Uint8Array(8_000 * BYTES_PER_MS);
const TURNS = 6;

interface Line {
  readonly jitterMs: number;
  readonly lossRate: number;
  /** Share of turns in which the line stands still once, for 200 to 600 ms. */
  readonly stalls: number;
}

interface Cut {
  readonly heardMs: number;
  readonly heardErrorMs: number;
  readonly truthMs: number;
  readonly sentMs: number;
  readonly confirmedMs: number;
}

/** Some turns of a call, each cut while it is spoken. */
function call(ids: Ids, line: Line): { readonly cuts: Cut[]; readonly glances: Cut[] } {
  const clock = new VirtualClock();
  const oneWayMs = ids.random() * 100;
  let stalledUntilMs = 0;
  let sent = 0;
  let confirmed = 0;
  const marks = new Map<string, number>();
  const carrier = new FakeCarrier({
    clock,
    oneWayMs,
    jitterMs: () => ids.random() * line.jitterMs + Math.max(0, stalledUntilMs - clock.monotonicMs()),
    losesMark: () => ids.random() < line.lossRate,
    toEngine: (text) => {
      confirmed = Math.max(confirmed, marks.get(JSON.parse(text).mark.name) ?? 0);
      leg.onText(text);
    },
  });
  carrier.sendResult = (text) => {
    const { media, mark } = JSON.parse(text);
    if (media) sent += Uint8Array.fromBase64(media.payload).length;
    else if (mark) marks.set(mark.name, sent);
    return text.length;
  };
  const wheel = new PacingWheel({ clock });
  const leg = new MediaLeg({ socket: carrier, streamSid: "MZ1", clock, wheel, log: silentLog });
  const cuts: Cut[] = [];
  const glances: Cut[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const before = carrier.playedBytes();
    const playedMs = (): number => (carrier.playedBytes() - before) / BYTES_PER_MS;
    [sent, confirmed] = [0, 0];
    marks.clear();
    leg.play(chunk(`i${turn}`, SPEECH));
    const cutAtMs = 200 + ids.random() * 5000;
    const stallAtMs = ids.random() < line.stalls ? ids.random() * cutAtMs : cutAtMs;
    clock.advance(stallAtMs);
    if (stallAtMs < cutAtMs) stalledUntilMs = clock.monotonicMs() + 200 + ids.random() * 400;
    clock.advance(cutAtMs - stallAtMs);
    const bounds = { sentMs: sent / BYTES_PER_MS, confirmedMs: confirmed / BYTES_PER_MS };
    const now = leg.heard(`i${turn}`);
    if (now) glances.push({ ...now, ...bounds, truthMs: playedMs() });
    const [item] = leg.cut();
    // The clear takes effect, and everything on the wire arrives.
    clock.advance(2000);
    if (item) cuts.push({ ...item, ...bounds, truthMs: playedMs() });
  }
  leg.close();
  return { cuts, glances };
}

function within(cuts: readonly Cut[]): number {
  // Milliseconds are whole ones, rounded down.
  const right = cuts.filter(
    ({ heardMs, heardErrorMs, truthMs }) => Math.abs(heardMs - truthMs) <= heardErrorMs + 1,
  );
  return right.length / cuts.length;
}

function median(cuts: readonly Cut[]): number {
  return (
    cuts.map(({ heardErrorMs }) => heardErrorMs).toSorted((a, b) => a - b)[cuts.length >> 1] ?? Number.NaN
  );
}

const SCENARIOS: readonly (Line & {
  readonly name: string;
  readonly leastShare: number;
  readonly medianMs: number;
})[] = [
  { name: "an even line", jitterMs: 0, lossRate: 0, stalls: 0, leastShare: 1, medianMs: 10 },
  { name: "10 ms of jitter", jitterMs: 10, lossRate: 0, stalls: 0, leastShare: 1, medianMs: 30 },
  { name: "30 ms of jitter", jitterMs: 30, lossRate: 0, stalls: 0, leastShare: 0.995, medianMs: 60 },
  {
    name: "a third of the marks lost",
    jitterMs: 15,
    lossRate: 1 / 3,
    stalls: 0,
    leastShare: 0.995,
    medianMs: 60,
  },
  { name: "all marks lost", jitterMs: 15, lossRate: 1, stalls: 0, leastShare: 1, medianMs: 60 },
  // A stall that begins just before the cut cannot be known of; see the clock of the playout.
  {
    name: "a stall in one turn of twenty",
    jitterMs: 10,
    lossRate: 0,
    stalls: 0.05,
    leastShare: 0.99,
    medianMs: 30,
  },
  {
    name: "a stall in one turn of twenty, a third of the marks lost",
    jitterMs: 10,
    lossRate: 1 / 3,
    stalls: 0.05,
    leastShare: 0.99,
    medianMs: 60,
  },
];

for (const { name, leastShare, medianMs, ...line } of SCENARIOS) {
  test(`the truth lies within the stated error: ${name}`, () => {
    const ids = seededIds(71);
    const cuts: Cut[] = [];
    const glances: Cut[] = [];
    for (let n = 0; n < 70; n++) {
      const made = call(ids, line);
      cuts.push(...made.cuts);
      glances.push(...made.glances);
    }
    expect(cuts.length).toBeGreaterThan(400);
    expect(within(cuts)).toBeGreaterThanOrEqual(leastShare);
    expect(within(glances)).toBeGreaterThanOrEqual(leastShare);
    expect(median(cuts)).toBeLessThanOrEqual(medianMs);
    for (const { heardMs, sentMs, confirmedMs } of [...cuts, ...glances]) {
      expect(heardMs).toBeLessThanOrEqual(sentMs);
      expect(heardMs).toBeGreaterThanOrEqual(Math.floor(confirmedMs));
    }
  });
}

test("even on a line that breaks every assumption, heard keeps to what was sent and what marks confirm", () => {
  const ids = seededIds(72);
  for (let n = 0; n < 60; n++) {
    const lossRate = [0, 1 / 3, 1][n % 3] as number;
    for (const cut of call(ids, { jitterMs: 400, lossRate, stalls: 1 }).cuts) {
      expect(cut.heardMs).toBeLessThanOrEqual(cut.sentMs);
      expect(cut.heardMs).toBeGreaterThanOrEqual(Math.floor(cut.confirmedMs));
    }
  }
});
