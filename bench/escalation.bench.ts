/** How soon everybody else is left alone once somebody has taken the call. */
import { invariant } from "../engine/errors.ts";
import type { Clock } from "../engine/ports.ts";
import { NUMBER } from "../test/support/world.ts";
import { type OnCall, type Person, startOnCall } from "./on-call.ts";
import { type Bench, type BenchOptions, type Rows, fold, sampledRow } from "./runner.ts";

const PEOPLE = { nurse: "+15550100", "Dr. Lee": "+15550101", "Dr. May": "+15550102" };
const CALLS_PER_SECOND = 10;

export const bench: Bench = {
  name: "escalation",
  claim:
    "Within a second of an acknowledgement every other phone is silent and everybody paged by text knows who has it; nobody is paged after it.",
  run: runEscalation,
  limitMs: () => 300_000,
};

/** How somebody takes the call. */
type Ack = "key" | "text" | "text at once";

interface Sample {
  /** A request to the carrier and back, at that moment. */
  readonly roundTripMs: number;
  /** From the acknowledgement until the last of the other phones rings no more. */
  readonly silentMs: number;
  /** Until the last of the others has the text that says who has it. */
  readonly toldMs: number;
  /** Phones of others that began to ring, and pushes that came, after it was known who has it. */
  readonly pagedAfter: number;
}

async function runEscalation({ smoke, clock }: BenchOptions): Promise<Rows> {
  const trials = smoke ? 1 : 30;
  const pushes: number[] = [];
  const receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: async (request) => {
      await request.arrayBuffer();
      pushes.push(clock.monotonicMs());
      return new Response(null, { status: 204 });
    },
  });
  const contacts = Object.entries(PEOPLE).map(([name, number]) => ({
    name,
    voice: number,
    sms: number,
    push: `http://127.0.0.1:${receiver.port}/${encodeURIComponent(name)}`,
  }));
  const deployment = { escalation: { rungs: [{ name: "primary", contacts }] } };
  const scene = await startOnCall(clock, { deployment, callsPerSecond: CALLS_PER_SECOND }, PEOPLE);
  const samples: Record<Ack, Sample[]> = { key: [], text: [], "text at once": [] };
  try {
    for (let trial = 0; trial < trials; trial++) {
      for (const ack of ["key", "text", "text at once"] as const) {
        pushes.length = 0;
        samples[ack].push(await takeCall(scene, clock, ack, pushes));
      }
    }
  } finally {
    await scene.stop();
    await receiver.stop(true);
  }
  return rowsOf(samples);
}

async function takeCall(scene: OnCall, clock: Clock, ack: Ack, pushes: readonly number[]): Promise<Sample> {
  const { world, people } = scene;
  const [taker, ...others] = people as [Person, ...Person[]];
  const callSid = await scene.begin();
  await scene.escalate(callSid);
  await world.until("the pages are out", () => isPaged(people, pushes, ack));
  if (ack === "key") {
    taker.phone.answer();
    await world.until("the briefing is heard", () => taker.hears);
  }
  const askedMs = clock.monotonicMs();
  await world.restCarrier.fetchCall(callSid);
  const ackMs = clock.monotonicMs();
  if (ack === "key") taker.phone.press("1");
  else taker.phone.sendSms(NUMBER, "1");
  const told = (person: Person): number | null => textMs(person, "handled by");
  await world.until("the others are told", () => others.every((person) => told(person) !== null));
  const knownMs = Math.min(...others.map((person) => told(person) ?? Number.POSITIVE_INFINITY));
  await world.until("the other phones are silent", () => others.every(({ phone }) => phone.state === "idle"));
  await scene.end(callSid);
  const times = (...types: readonly string[]): number[] =>
    others.flatMap(({ log }) => log.flatMap(({ event, atMs }) => (types.includes(event.type) ? [atMs] : [])));
  return {
    roundTripMs: ackMs - askedMs,
    silentMs: Math.max(ackMs, ...times("cancelled", "ended")) - ackMs,
    toldMs: Math.max(...others.map((person) => told(person) ?? 0)) - ackMs,
    pagedAfter: [...times("incoming"), ...pushes].filter((at) => at > knownMs).length,
  };
}

/** When a text came that says so. */
function textMs({ log }: Person, words: string): number | null {
  const text = log.find(({ event }) => event.type === "sms" && event.body.includes(words));
  return text?.atMs ?? null;
}

/** The first person answers at once when they may: the others' calls still wait for their turn then. */
function isPaged(people: readonly Person[], pushes: readonly number[], ack: Ack): boolean {
  const texted = (person: Person): boolean => textMs(person, "Reply 1") !== null;
  if (ack === "text at once") return people[0] !== undefined && texted(people[0]);
  return (
    pushes.length === people.length && people.every((each) => each.phone.state === "incoming" && texted(each))
  );
}

function rowsOf(samples: Readonly<Record<Ack, readonly Sample[]>>): Rows {
  const all = Object.values(samples).flat();
  const target = { of: "p99", atMost: 1000 } as const;
  const of = (ack: Ack, what: "silentMs" | "toldMs") => ({
    values: samples[ack].map((sample) => sample[what]),
    against: samples[ack].map((sample) => sample.roundTripMs),
    unit: "ms" as const,
    target,
  });
  const paged = all.reduce((sum, sample) => sum + sample.pagedAfter, 0);
  invariant(all.length > 0, "nobody took a call");
  return {
    rows: [
      sampledRow({
        what: "one request to the carrier and back",
        unit: "ms",
        values: all.map((sample) => sample.roundTripMs),
        against: "is the baseline",
      }),
      sampledRow({ what: "ack by key → last of the other phones is silent", ...of("key", "silentMs") }),
      sampledRow({ what: "ack by key → last of the others knows who has it", ...of("key", "toldMs") }),
      sampledRow({ what: "ack by text → last of the other phones is silent", ...of("text", "silentMs") }),
      sampledRow({ what: "ack by text → last of the others knows who has it", ...of("text", "toldMs") }),
      sampledRow({
        what: "ack by text at once, while pages wait for their turn → last of the others knows who has it",
        ...of("text at once", "toldMs"),
      }),
      {
        ...sampledRow({ what: "pages that came after it was known who has it", unit: "", values: [paged] }),
        p99: null,
        target: { of: "median", atMost: 0 },
      },
    ],
    hash: all.reduce((hash, sample) => fold(hash, Math.ceil(sample.toldMs)), all.length),
    notes: [
      `3 people with a phone, a text and a push each, ${CALLS_PER_SECOND} calls a second; engine, carrier, model and phones share one process over real sockets, and what a network adds to a request to the carrier is not in it.`,
    ],
  };
}
