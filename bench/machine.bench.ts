/**
 * What the control plane costs: a call's events through its whole session, against the bare machine; and what
 * it would cost if the frames of audio went through actors too.
 */
import { assign, createActor, setup } from "xstate";
import { observeActors } from "../engine/audit/observer.ts";
import { deploymentSchema } from "../engine/config/deployment.ts";
import { ladderPolicyOf } from "../engine/config/ladder-policy.ts";
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
import { type BridgedCall, bridgedCalls } from "./bridged-calls.ts";
import {
  type Bench,
  type BenchOptions,
  type Compared,
  type Row,
  type Rows,
  compare,
  comparedRow,
  fold,
  sampledRow,
  summarise,
} from "./runner.ts";

const CALLER = "+15550142";
/** How often the stream drops and comes back: the middle of a call that is otherwise set up and torn down. */
const STREAMS = 6;
/** Turns of the microtask queue within which an effect on the instant carrier has been answered. */
const MAX_TURNS = 1_000;
const CALLS = 500;
const EVENTS_PER_CALL_AND_SECOND = 1;
/** In both directions. */
const FRAMES_PER_CALL_AND_SECOND = 100;
const CORE_PERCENT_MAX = 3;
const EVENTS_PER_FRAME_MAX = 0.1;

export const bench: Bench = {
  name: "machine",
  claim: `Actors get edges and no frames: at most ${EVENTS_PER_FRAME_MAX} events to a frame, and ${CORE_PERCENT_MAX} % of a core for ${CALLS} calls.`,
  run: runMachine,
};

async function runMachine(options: BenchOptions): Promise<Rows> {
  const session = await runSession(options);
  const mailbox = mailboxSecond(options);
  const bridged = await bridgedCalls(options.smoke ? 1 : 20, options.smoke ? 1 : 8);
  const { median } = session.nsPerEvent;
  return {
    rows: [...session.rows, ...mailbox.rows, ...bridgedRows(bridged, median, mailbox.percent)],
    notes: notesOf(bridged, median, mailbox.percent),
    hash: fold(fold(session.hash, mailbox.hash), bridged.length),
  };
}

async function runSession({ smoke, clock }: BenchOptions) {
  const log = createLog({ level: "info", clock, write: () => undefined });
  const fake = startFakeEngine({ clock, log });
  try {
    const calls = new WholeCalls(fake, clock);
    const script = eventsOf(fake.store, await calls.one());
    const events = script.length;
    const bare = { name: "bare actor.send", run: (n: number) => sendAll(script, n / events) };
    const observed = {
      name: "bare actor.send, its edges and states observed",
      run: (n: number) =>
        sendAll(
          script,
          n / events,
          observeActors(() => undefined),
        ),
    };
    const session = {
      name: "call session: checked, logged, row kept, effects carried out",
      run: (n: number) => calls.many(n / events),
    };
    const compared = await compare({
      clock,
      variants: [bare, session, observed],
      repetitions: smoke ? 2 : 151,
      warmUps: smoke ? 1 : 30,
      operations: (smoke ? 1 : 10) * events,
    });
    const nsPerEvent = compared[1]?.ns ?? summarise([0]);
    return { ...sessionRows(compared), nsPerEvent };
  } finally {
    await fake.stop();
  }
}

function sessionRows(compared: readonly Compared[]): Rows {
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
      target: { of: "median", atMost: CORE_PERCENT_MAX },
    },
  );
  return { rows, hash: compared[0]?.hash ?? 0 };
}

function perEvent(compared: Compared): Row {
  return comparedRow({ ...compared, name: `${compared.name}, per event` });
}

// ---------------------------------------------------------------- frames through the mailbox

/** The least that a call's actor would do with a frame: count it, in a snapshot of its own. */
const frameMachine = setup({
  types: {
    context: {} as { readonly frames: number; readonly bytes: number },
    events: {} as { readonly type: "frame"; readonly bytes: number },
  },
}).createMachine({
  context: { frames: 0, bytes: 0 },
  on: {
    frame: {
      actions: assign({
        frames: ({ context }) => context.frames + 1,
        bytes: ({ context, event }) => context.bytes + event.bytes,
      }),
    },
  },
});

/** The frames of one second of that many calls, sent to an actor for each call; repeated. */
function mailboxSecond({ smoke, clock }: BenchOptions) {
  const calls = smoke ? 5 : CALLS;
  const actors = Array.from({ length: calls }, () => createActor(frameMachine).start());
  const percents: number[] = [];
  for (let second = smoke ? 0 : -2; second < (smoke ? 2 : 15); second++) {
    const startMs = clock.monotonicMs();
    for (let frame = 0; frame < FRAMES_PER_CALL_AND_SECOND; frame++) {
      for (const actor of actors) actor.send({ type: "frame", bytes: 160 });
    }
    if (second >= 0) percents.push(((clock.monotonicMs() - startMs) / 1000) * 100);
  }
  const hash = actors.reduce((sum, actor) => fold(sum, actor.getSnapshot().context.bytes), 0);
  for (const actor of actors) actor.stop();
  const row = sampledRow({
    what: `share of a core: every frame of ${calls} calls through an actor's mailbox`,
    unit: "%",
    values: percents,
    against: "is the baseline",
  });
  return { rows: [row], percent: row.median, hash };
}

// ---------------------------------------------------------------- what real calls send

function bridgedRows(calls: readonly BridgedCall[], nsPerEvent: number, mailboxPercent: number): Row[] {
  const values = calls.map(({ events, seconds }) => sharePercent(events / seconds, nsPerEvent));
  const share = sampledRow({
    what: `share of a core: events of ${CALLS} such calls through their sessions`,
    unit: "%",
    values,
    against: values.map(() => mailboxPercent),
    target: { of: "median", atMost: CORE_PERCENT_MAX },
  });
  return [
    sampledRow({
      what: "bridged calls, set-up and end included: actor events per frame",
      unit: "",
      values: calls.map(({ events, frames }) => events / frames),
      target: { of: "p99", atMost: EVENTS_PER_FRAME_MAX },
    }),
    sampledRow({
      what: "bridged calls, set-up and end included: actor events of a call",
      unit: "/s",
      values: calls.map(({ events, seconds }) => events / seconds),
    }),
    share,
  ];
}

function sharePercent(eventsPerSecond: number, nsPerEvent: number): number {
  return (nsPerEvent / 1e9) * CALLS * eventsPerSecond * 100;
}

function notesOf(calls: readonly BridgedCall[], nsPerEvent: number, mailboxPercent: number): string[] {
  const { median: seconds } = summarise(calls.map((call) => call.seconds));
  const { median: events } = summarise(calls.map((call) => call.events));
  return [
    `The bridged calls are real ones, of ${seconds.toFixed(0)} s each and ${events} events: most belong to set-up and end, so a longer call has fewer a second.`,
    `Through the mailbox the frames of ${CALLS} calls would take ${mailboxPercent.toFixed(0)} % of a core with the smallest machine there is, and ${sharePercent(FRAMES_PER_CALL_AND_SECOND, nsPerEvent).toFixed(0)} % through a session that checks, logs and keeps its row.`,
  ];
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
    const conferenceSid = this.#fake.carrier.roomSid(`af-${callSid}`);
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

function sendAll(
  script: readonly CallEvent[],
  times: number,
  inspect?: ReturnType<typeof observeActors>,
): number {
  const callSid = script.find((event) => event.type === "participant.joined")?.callSid ?? "";
  let hash = 0;
  for (let i = 0; i < times; i++) {
    const actor = createActor(callMachine, { input: inputOf(callSid), ...(inspect && { inspect }) });
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
    policy: ladderPolicyOf(deploymentSchema.parse({})),
    limits: {
      arriveTimeoutMs: 30_000,
      maxCallMs: 14_400_000,
      modelReadyTimeoutMs: 10_000,
      rejoinTimeoutMs: 4_000,
      readdTimeoutMs: 20_000,
      maxReadds: 3,
      releaseTimeoutMs: 6000,
      goodbyeTimeoutMs: 20_000,
      drainTimeoutMs: 30_000,
    },
  };
}
