/** What the control plane costs: a call's events through its whole session, against the bare machine. */
import { createActor } from "xstate";
import { invariant } from "../engine/errors.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { createLog } from "../engine/platform/log.ts";
import type { Clock } from "../engine/ports.ts";
import { callMachine } from "../machines/call.machine.ts";
import type { CallInput } from "../machines/context.ts";
import { type CallEvent, CallEventSchema } from "../machines/events.ts";
import {
  FAKE_ACCOUNT,
  startFakeEngine,
  type FakeEngine,
  type MemoryStore,
} from "../test/support/fake-ports.ts";
import {
  type Bench,
  type BenchOptions,
  type Compared,
  type Row,
  type Rows,
  compare,
  comparedRow,
  fold,
  summarise,
} from "./runner.ts";

const CALLER = "+15550142";
/** How often the stream drops and comes back: the middle of a call that is otherwise set up and torn down. */
const STREAMS = 6;
/** Turns of the microtask queue within which an effect on the instant carrier has been answered. */
const MAX_TURNS = 1_000;
const CALLS = 500;
const EVENTS_PER_CALL_AND_SECOND = 1;

export const bench: Bench = {
  name: "machine",
  claim: `Control events of ${CALLS} calls, ${EVENTS_PER_CALL_AND_SECOND} a second each, take at most 3 % of a core.`,
  run: runMachine,
};

async function runMachine({ smoke, clock }: BenchOptions): Promise<Rows> {
  const log = createLog({ level: "info", clock, write: () => undefined });
  const fake = startFakeEngine({ clock, log });
  try {
    const calls = new WholeCalls(fake, clock);
    const script = eventsOf(fake.store, await calls.one());
    const events = script.length;
    const bare = { name: "bare actor.send", run: (n: number) => sendAll(script, n / events) };
    const session = {
      name: "call session: checked, logged, row kept, effects carried out",
      run: (n: number) => calls.many(n / events),
    };
    const compared = await compare({
      clock,
      variants: [bare, session],
      repetitions: smoke ? 2 : 151,
      warmUps: smoke ? 1 : 30,
      operations: (smoke ? 1 : 10) * events,
    });
    return toRows(compared);
  } finally {
    await fake.stop();
  }
}

function toRows(compared: readonly Compared[]): Rows {
  const rows: Row[] = compared.map((each) => perEvent(each));
  const { median, p99, samples } = compared[1]?.ns ?? summarise([0]);
  const share = (ns: number): number => (ns / 1e9) * CALLS * EVENTS_PER_CALL_AND_SECOND * 100;
  const whole = { samples, ratio: null, baseline: false };
  rows.push(
    {
      ...whole,
      what: "call session: throughput (p99: of the slowest repetitions)",
      unit: "events/s",
      median: 1e9 / median,
      p99: 1e9 / p99,
      target: null,
    },
    {
      ...whole,
      what: `share of a core: ${CALLS} calls, ${EVENTS_PER_CALL_AND_SECOND} event a second each`,
      unit: "%",
      median: share(median),
      p99: share(p99),
      target: { of: "median", atMost: 3 },
    },
  );
  return { rows, hash: compared[0]?.hash ?? 0 };
}

function perEvent(compared: Compared): Row {
  return comparedRow({ ...compared, name: `${compared.name}, per event` });
}

// ---------------------------------------------------------------- through the session

/** Calls from the first webhook to the row, one after another, on the instant carrier. */
class WholeCalls {
  readonly #fake: FakeEngine;
  readonly #clock: Clock;
  readonly #ids = seededIds(7);

  constructor(fake: FakeEngine, clock: Clock) {
    this.#fake = fake;
    this.#clock = clock;
  }

  async many(count: number): Promise<number> {
    let hash = 0;
    for (let i = 0; i < count; i++) {
      const callSid = await this.one();
      const { events = 0, effects = 0 } = this.#fake.store.rows.get(callSid)?.metrics ?? {};
      hash = fold(fold(hash, events), effects);
      this.#fake.store.logs.delete(callSid);
      this.#fake.store.rows.delete(callSid);
    }
    return hash;
  }

  /** One call; its log is in the store afterwards. */
  async one(): Promise<string> {
    const { supervisor } = this.#fake.engine;
    const callSid = this.#ids.sid("CA");
    const conferenceSid = this.#ids.sid("CF");
    const call = { callSid, conferenceName: `af-${callSid}`, from: CALLER, to: FAKE_ACCOUNT.number };
    const session = supervisor.begin(call);
    invariant(typeof session !== "string", "the engine refused the call");
    session.deliver({ type: "participant.joined", label: "caller", callSid, conferenceSid });
    const label = (): string => session.wantedAiLabel ?? "";
    const aiSid = (): string | undefined =>
      this.#fake.carrier.participants.find((each) => each.label === label())?.callSid;
    await this.#until("the AI leg", () => session.labelOf(aiSid() ?? "") !== null);
    const leg = { label: label(), callSid: aiSid() ?? "" };
    for (const status of ["initiated", "ringing", "in-progress"] as const) {
      session.deliver({ type: "leg.status", ...leg, status });
    }
    session.deliver({ type: "participant.joined", ...leg, conferenceSid });
    for (let i = 0; i <= STREAMS; i++) {
      const stream = { label: leg.label, streamSid: `MZ${i}` };
      session.deliver({ type: "ai.streamStarted", ...stream, streamCallSid: leg.callSid });
      await this.#until("streaming", () => session.state === "streaming");
      if (i < STREAMS) session.deliver({ type: "ai.streamClosed", ...stream, reason: "socket" });
    }
    session.deliver({ type: "caller.gone", reason: "dial_ended" });
    await this.#until("the end", () => supervisor.get(callSid) === null);
    return callSid;
  }

  /** Everything here answers in the same turn of the loop; timers are only for what may change that. */
  async #until(what: string, holds: () => boolean): Promise<void> {
    for (let turn = 0; !holds(); turn++) {
      invariant(turn < 2 * MAX_TURNS, `waited in vain for ${what}`);
      if (turn < MAX_TURNS) await Promise.resolve();
      else await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, 1));
    }
  }
}

// ---------------------------------------------------------------- the bare machine

/** The events that a session took, from its own log. */
function eventsOf(store: MemoryStore, callSid: string): readonly CallEvent[] {
  const events = (store.logs.get(callSid) ?? []).filter(({ kind }) => kind === "event");
  return events.map(({ name, at, data }) =>
    CallEventSchema.parse({ at: Date.parse(at), ...data, type: name }),
  );
}

function sendAll(script: readonly CallEvent[], times: number): number {
  const callSid = script.find((event) => event.type === "participant.joined")?.callSid ?? "";
  let hash = 0;
  for (let i = 0; i < times; i++) {
    const actor = createActor(callMachine, { input: inputOf(callSid) });
    actor.start();
    for (const event of script) actor.send(event);
    const { status, context } = actor.getSnapshot();
    invariant(status === "done", "the machine did not end where its session ended");
    hash = fold(fold(hash, script.length), context.effectCount);
  }
  return hash;
}

function inputOf(callSid: string): CallInput {
  return {
    callSid,
    conferenceName: `af-${callSid}`,
    startedAtMs: 0,
    afterHandover: "coach",
    onCallNumber: null,
    limits: {
      arriveTimeoutMs: 30_000,
      maxCallMs: 14_400_000,
      modelReadyTimeoutMs: 10_000,
      rejoinTimeoutMs: 4_000,
      readdTimeoutMs: 20_000,
      maxReadds: 3,
      ringTimeoutMs: 60_000,
      joinTimeoutMs: 10_000,
      releaseTimeoutMs: 6000,
      goodbyeTimeoutMs: 20_000,
      drainTimeoutMs: 30_000,
    },
  };
}
