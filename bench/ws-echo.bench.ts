/** What a message on a WebSocket costs by itself: the server that the engine stands on against no library at all. */
import { fileURLToPath } from "node:url";
import { type SystemKind, contractSystem, spawnGenerator } from "./load/control.ts";
import { type Measured, lateNotes, measure } from "./load/measure.ts";
import { PINNING_NOTE } from "./load/processes.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const FULL = { calls: [500, 1000], repetitions: 5, settleMs: 500, windowMs: 3_000, tries: 4 };
const SMOKE: typeof FULL = { calls: [3], repetitions: 1, settleMs: 50, windowMs: 300, tries: 1 };
const LIMIT_MS = 10 * 60_000;

/** The baseline is the first. */
const SYSTEMS: readonly SystemKind[] = [
  echo("raw socket, frames by hand", new URL("./load/suts/raw-echo.ts", import.meta.url)),
  echo("Bun.serve", new URL("./load/suts/serve-echo.ts", import.meta.url)),
];

export const bench: Bench = {
  name: "ws-echo",
  claim: "A message on Bun's WebSocket server costs little more than the system calls it takes.",
  limitMs: () => LIMIT_MS,
  run: async ({ smoke }: BenchOptions) => {
    const parameters = smoke ? SMOKE : FULL;
    const rows: Row[] = [];
    const all: Measured[] = [];
    for (const calls of parameters.calls) {
      const measured = await measureEchoes(calls, parameters);
      all.push(...measured.flat());
      rows.push(...rowsOf(calls, measured));
    }
    return {
      rows,
      hash: all.reduce((hash, { window }) => fold(hash, window.framesIn), 0),
      notes: [
        PINNING_NOTE,
        "a message of 380 bytes, 50 times a second on each connection, comes straight back",
        "the baseline is a raw Bun socket: it stands in for an echo written in C, which would need a compiler",
        ...lateNotes(
          all.reduce((sum, { discarded }) => sum + discarded, 0),
          all.filter(({ late }) => late).length,
        ),
      ],
    } satisfies Rows;
  },
};

function echo(name: string, file: URL): SystemKind {
  return contractSystem(name, [process.execPath, fileURLToPath(file)]);
}

/** The samples of each system, in turn. */
async function measureEchoes(calls: number, parameters: typeof FULL): Promise<readonly Measured[][]> {
  const measured: Measured[][] = SYSTEMS.map(() => []);
  const generator = await spawnGenerator({ mode: "bounce", format: "pcmu", seed: 1 });
  try {
    for (let repetition = 0; repetition < parameters.repetitions; repetition++) {
      for (let turn = 0; turn < SYSTEMS.length; turn++) {
        const index = (turn + repetition) % SYSTEMS.length;
        const system = await (SYSTEMS[index] as SystemKind).start(generator.ready, "pcmu");
        try {
          await generator.start(calls, system.target);
          (measured[index] as Measured[]).push(await measure(generator, system, parameters));
          await generator.hangUp();
        } finally {
          await system.stop();
        }
      }
    }
  } finally {
    await generator.stop();
  }
  return measured;
}

function rowsOf(calls: number, [raw = [], served = []]: readonly Measured[][]): readonly Row[] {
  const cpuOf = (all: readonly Measured[]) => all.map(({ cpuUsPerFrame }) => cpuUsPerFrame);
  const p99Of = (all: readonly Measured[]) => all.map(({ window }) => window.latencyMs.p99);
  const base = { unit: "µs" as const, values: cpuOf(raw), against: "is the baseline" as const };
  const [rawName, servedName] = SYSTEMS.map(({ name }) => name);
  return [
    sampledRow({ what: `CPU per message, ${calls} connections: ${rawName}`, ...base }),
    sampledRow({
      what: `CPU per message, ${calls} connections: ${servedName}`,
      unit: "µs",
      values: cpuOf(served),
      against: cpuOf(raw),
      target: { of: "ratio", atMost: 1.6 },
    }),
    sampledRow({
      what: `p99 there and back, ${calls} connections: ${servedName}`,
      unit: "ms",
      values: p99Of(served),
      target: { of: "median", atMost: 5 },
    }),
  ];
}
