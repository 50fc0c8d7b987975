/** How soon a caller hears the AI again when the engine's process was killed and another was started. */
import type { Phone } from "../adapters/sandbox/phone/phone.ts";
import { invariant } from "../engine/errors.ts";
import type { CallRow, Clock } from "../engine/ports.ts";
import { type Outside, startOutside } from "../test/support/engine-process.ts";
import { CALLER, NUMBER } from "../test/support/world.ts";
import { type Bench, type BenchOptions, type Rows, fold, sampledRow } from "./runner.ts";

export const bench: Bench = {
  name: "recovery",
  claim:
    "The engine is killed in the middle of a call and started again: the caller stays in the room, and hears the AI within 3 s of the engine listening.",
  run: runRecovery,
  limitMs: () => 300_000,
};

/** How often it is looked whether the engine listens. */
const PROBE_MS = 2;
const OTHER_CALLER = "+15550143";

interface Sample {
  /** A caller of now: from dialling until the AI is heard. */
  readonly newMs: number;
  readonly listensMs: number;
  readonly streamsMs: number;
  readonly heardMs: number;
}

async function runRecovery({ smoke, clock }: BenchOptions): Promise<Rows> {
  const kills = smoke ? 1 : 30;
  const outside = await startOutside({ deployment: { limits: { drainMs: 0 } } });
  try {
    let engine = await outside.start();
    const phone = await outside.phone(CALLER);
    const other = await outside.phone(OTHER_CALLER);
    const callSid = await phone.dial(NUMBER);
    await outside.until("the AI is heard", () => streams(outside) === 1 && phone.ear.heardSpeech);
    const samples: Sample[] = [];
    for (let kill = 0; kill < kills; kill++) {
      const newMs = await newCall(outside, clock, other);
      await engine.end("SIGKILL");
      // What the carrier still held of the AI's speech is played by then.
      await outside.until("it is quiet", () => streams(outside) === 0 && phone.ear.quietMs > 200);
      phone.ear.forget();
      const begunMs = clock.monotonicMs();
      const started = outside.start();
      await listens(outside, clock);
      const listensMs = clock.monotonicMs();
      await outside.until("the stream is back", () => streams(outside) === 1);
      const streamsMs = clock.monotonicMs();
      await outside.until("the AI is heard", () => phone.ear.heardSpeech);
      const heardMs = clock.monotonicMs();
      engine = await started;
      invariant(phone.state === "in-call", "the caller is still there");
      samples.push({
        newMs,
        listensMs: listensMs - begunMs,
        streamsMs: streamsMs - listensMs,
        heardMs: heardMs - listensMs,
      });
    }
    const row = await outside.api<CallRow>(`calls/${callSid}`);
    invariant(row.metrics["restarts"] === kills, "it is the same call all the time");
    return rowsOf(samples, row);
  } finally {
    await outside.stop();
  }
}

const streams = ({ carrier }: Outside): number => carrier.state().streams.length;

/** Alone in the room a caller hears music: the AI is heard when its stream is there. */
async function newCall(outside: Outside, clock: Clock, phone: Phone): Promise<number> {
  const dialledMs = clock.monotonicMs();
  await phone.dial(NUMBER);
  await outside.until("the other's stream is there", () => streams(outside) === 2);
  phone.ear.forget();
  await outside.until("the other hears the AI", () => phone.ear.heardSpeech);
  const newMs = clock.monotonicMs() - dialledMs;
  phone.hangUp();
  await outside.until("the other has gone", () => streams(outside) === 1 && phone.state === "idle");
  return newMs;
}

async function listens(outside: Outside, clock: Clock): Promise<void> {
  for (;;) {
    const answer = await fetch(`${outside.origin}/healthz`).catch(() => null);
    if (answer?.ok) return;
    await new Promise<void>((resolve) => void clock.setTimeout(resolve, PROBE_MS));
  }
}

function rowsOf(samples: readonly Sample[], row: CallRow): Rows {
  const of = (what: keyof Sample) => ({ unit: "ms" as const, values: samples.map((each) => each[what]) });
  const { snapshots = 0, snapshotMs = 0, snapshotCharsMax = 0 } = row.metrics;
  return {
    rows: [
      sampledRow({
        what: "a new call, dialled → the AI is heard",
        ...of("newMs"),
        against: "is the baseline",
      }),
      sampledRow({ what: "process started → it listens, with the calls restored", ...of("listensMs") }),
      sampledRow({ what: "listens → the AI's leg streams again", ...of("streamsMs") }),
      sampledRow({
        what: "listens → the caller hears the AI",
        ...of("heardMs"),
        against: samples.map(({ newMs }) => newMs),
        target: { of: "p99", atMost: 3000 },
      }),
    ],
    hash: samples.reduce((hash, sample) => fold(hash, Math.ceil(sample.heardMs)), samples.length),
    notes: [
      "kill -9 of the engine's own process, over real sockets; the AI's leg tries once a second. Carrier, model and phone are on the same machine: what a network and a model add is not in it.",
      `Snapshots of the last process: ${snapshots}, of at most ${snapshotCharsMax} characters, taken in ${snapshotMs} ms in all.`,
    ],
  };
}
