/**
 * The calls of the corpus: each goes a way of its own through the machines. What happens in one is data, played
 * in the simulation's world, where the same data give the same call.
 */
import { planOf } from "../sim/draw.ts";
import {
  type Act,
  type ContactPlan,
  type Fault,
  type Ladder,
  numberOf,
  PEOPLE,
  type Person,
  type Plan,
  type Reaction,
  type Reply,
  type Step,
} from "../sim/plan.ts";

const NURSE = 0;
const DOCTOR = 1;
const SUPERVISOR = 2;

export interface CorpusCall {
  /** Of its file. */
  readonly name: string;
  /** What is special about it. */
  readonly about: string;
  /** Of several callers, the first one's call is meant. */
  readonly plan: Plan;
  /** When the engine is told to stop, if it is. */
  readonly stopMs: number | null;
}

interface Told {
  readonly acts?: readonly Act[];
  /** By person. */
  readonly people?: Readonly<Record<number, Partial<Person>>>;
  readonly rungs?: Ladder["rungs"];
  readonly afterHandover?: Ladder["afterHandover"];
  readonly faults?: readonly Fault[];
  readonly endMs?: number;
  readonly stopMs?: number;
}

const voice = (person: number): ContactPlan => ({ person, channels: ["voice"] });
const sms = (person: number): ContactPlan => ({ person, channels: ["sms"] });
const TWO_RUNGS = [[voice(NURSE)], [voice(DOCTOR)]];
const NOBODY: Person = { rings: [], texts: [], pushes: [] };

function call(name: string, about: string, told: Told): CorpusCall {
  const { acts = [], people = {}, rungs = TWO_RUNGS, afterHandover = "coach" } = told;
  const { faults = [], endMs = 25_000, stopMs = null } = told;
  const plan: Plan = {
    seed: Bun.hash.crc32(name),
    ladder: { rungs, ackTimeoutMs: 12_000, repeat: 1, againAfterMs: 30_000, afterHandover },
    recording: "none",
    callsPerSecond: 10,
    latencyMs: [2, 15],
    callers: [{ atMs: 0, acts, endMs }],
    people: Array.from({ length: PEOPLE }, (_, person) => ({ ...NOBODY, ...people[person] })),
    faults,
  };
  return { name, about, plan, stopMs };
}

const says = (atMs: number, line: "hello" | "person" | "bye" | "more"): Act => ({
  atMs,
  do: "say",
  line,
  ms: 600,
});
const command = (atMs: number, name: string, more: Readonly<Record<string, unknown>> = {}): Act => ({
  atMs,
  do: "command",
  command: { command: name, ...more },
});
const ASKS = says(3000, "person");

const answers = (...steps: Step[]): Reaction => ({ outcome: "answer", afterMs: 1500, steps });
const presses = (key: string, afterMs = 2000): Step => ({ afterMs, do: "press", key });
const speaks: Step = { afterMs: 2000, do: "say", line: "chat", ms: 800 };
const leaves = (afterMs = 2000): Step => ({ afterMs, do: "hangUp" });
const declines: Reaction = { outcome: "decline", afterMs: 1500, steps: [] };
const ignores: Reaction = { outcome: "ignore", afterMs: 0, steps: [] };
const voicemail: Reaction = { outcome: "voicemail", afterMs: 1500, steps: [] };
const JOINS = answers(presses("1"), speaks);
const texts = (body: string, afterMs: number): Reply => ({ afterMs, do: "reply", body, named: false });

const drop = (kind: "mediaDrop" | "modelDrop", atMs: number): Fault => ({ kind, atMs, forMs: 100 });

/** Worlds of the simulation that together take most of the edges that no call below takes, for their size. */
const WORLDS = [1091, 1359, 473, 1055, 354, 1277, 686, 558];
/** An incident that goes on after its call would go on for long. */
const FOLLOWED_MS = 10_000;

function world(of: number): CorpusCall {
  const plan = planOf(of);
  const [caller] = plan.callers;
  return {
    name: `world-${of}`,
    about: `what happens in world ${of} of the simulation`,
    plan,
    stopMs: (caller?.endMs ?? 0) + FOLLOWED_MS,
  };
}

export const CALLS: readonly CorpusCall[] = [
  call("after-hours", "the caller asks, thanks, and the agent ends the call", {
    acts: [says(3000, "hello"), says(7000, "bye")],
  }),
  call("coach", "the nurse joins, is coached and leaves; the AI goes on with the caller", {
    acts: [ASKS],
    people: { [NURSE]: { rings: [answers(presses("1"), speaks, leaves(3000))] } },
  }),
  call("two-rungs", "the first window closes in vain, and the second rung takes it", {
    acts: [ASKS],
    people: { [NURSE]: { rings: [ignores] }, [DOCTOR]: { rings: [JOINS] } },
    endMs: 24_000,
  }),
  call("exhausted", "nobody can be reached; it is taken after the caller has left", {
    acts: [ASKS],
    people: {
      [NURSE]: { rings: [voicemail, answers(presses("1"))] },
      [DOCTOR]: { rings: [{ ...declines, outcome: "busy" }] },
    },
    endMs: 18_000,
  }),
  call("sms-ack", "the nurse answers the text, is rung and joins", {
    rungs: [[{ person: NURSE, channels: ["voice", "sms"] }]],
    acts: [ASKS],
    people: { [NURSE]: { rings: [declines, JOINS], texts: [[texts("1", 5000)]] } },
  }),
  call("ack-link", "somebody who was not rung takes it by the link in the text, and the caller leaves", {
    rungs: [[voice(NURSE), sms(DOCTOR)]],
    acts: [ASKS],
    people: {
      [NURSE]: { rings: [ignores] },
      [DOCTOR]: { texts: [[{ afterMs: 5000, do: "accept" }]] },
    },
    endMs: 11_000,
  }),
  call("texts", "of those who get a text one declines, and one says yes when somebody has it already", {
    rungs: [[sms(NURSE), sms(SUPERVISOR), voice(DOCTOR)]],
    acts: [ASKS],
    people: {
      [NURSE]: { texts: [[texts("2", 2000)]] },
      [SUPERVISOR]: { texts: [[texts("yes", 6000)]] },
      [DOCTOR]: { rings: [answers(presses("1"))] },
    },
    endMs: 11_000,
  }),
  call("consult", "the doctor speaks with the AI first, with the caller on hold, and then with the caller", {
    acts: [ASKS],
    people: {
      [NURSE]: { rings: [answers(presses("3"), speaks, presses("*", 3000), presses("1", 3000), speaks)] },
    },
  }),
  call("hand-back", "the nurse leaves by a key and comes back, then hands the caller back", {
    acts: [ASKS],
    people: {
      [NURSE]: {
        rings: [answers(presses("1"), presses("*", 4000), presses("2", 3000), speaks, presses("*", 3000))],
      },
    },
    endMs: 30_000,
  }),
  call("removed", "by the policy the AI goes when the nurse comes; she leaves, and it comes back", {
    afterHandover: "remove",
    acts: [ASKS],
    people: { [NURSE]: { rings: [answers(presses("1"), speaks, leaves(3000))] } },
    endMs: 18_000,
  }),
  call("operator", "the operator rings a number, takes the AI out, and hangs up", {
    acts: [
      command(3000, "escalate", { to: numberOf(SUPERVISOR), reason: "staff" }),
      command(13_000, "remove"),
      command(18_000, "hangup"),
    ],
    people: { [SUPERVISOR]: { rings: [JOINS] } },
  }),
  call("muted", "an operator mutes the caller, then the nurse, and lets the caller be heard again", {
    acts: [
      ASKS,
      command(13_000, "mute", { label: "caller" }),
      command(15_000, "mute", { label: "human-1" }),
      command(17_000, "unmute", { label: "caller" }),
    ],
    people: { [NURSE]: { rings: [JOINS] } },
    endMs: 20_000,
  }),
  call(
    "called-off",
    "the operator calls it off while the nurse hears the briefing; the caller leaves as she is rung again",
    {
      acts: [
        ASKS,
        command(7000, "restore"),
        command(12_000, "escalate", { to: numberOf(NURSE), reason: "again" }),
      ],
      people: { [NURSE]: { rings: [answers(), ignores] } },
      endMs: 15_000,
    },
  ),
  call("leaves-arriving", "the caller hangs up before the AI is there", { endMs: 60 }),
  call("leaves-joining", "the caller hangs up as the nurse accepts", {
    acts: [ASKS],
    people: { [NURSE]: { rings: [JOINS] } },
    endMs: 7360,
  }),
  call("leaves-removed", "the caller hangs up when the AI has gone", {
    afterHandover: "remove",
    acts: [ASKS],
    people: { [NURSE]: { rings: [JOINS] } },
    endMs: 16_000,
  }),
  call("lost-streams", "the stream and the model's line drop, alone with the caller and while coaching", {
    acts: [says(2000, "hello"), says(9000, "person")],
    people: { [NURSE]: { rings: [answers(presses("1"), speaks)] } },
    faults: [drop("mediaDrop", 4000), drop("modelDrop", 6500), drop("mediaDrop", 19_000)],
    endMs: 30_000,
  }),
  call("refused", "the carrier refuses, answers late and loses its callbacks", {
    acts: [ASKS],
    people: { [NURSE]: { rings: [JOINS] }, [DOCTOR]: { rings: [JOINS] } },
    faults: [
      { kind: "restTimeout", phase: "after", times: 1, match: "/Calls", atMs: 2500, forMs: 10_000 },
      { kind: "callbacks", dropRate: 0.5, duplicateRate: 0.3, delayMs: [0, 1500], atMs: 4000, forMs: 20_000 },
      { kind: "rest", status: 503, phase: "before", times: 3, match: "ai-1", atMs: 5000, forMs: 20_000 },
    ],
    endMs: 38_000,
  }),
  call("no-model", "the model cannot be reached, and the caller is told", {
    faults: [{ kind: "modelRefuse", times: 50, atMs: 0, forMs: 30_000 }],
    endMs: 30_000,
  }),
  call(
    "model-lost",
    "the model is lost for good while the nurse is rung: she is asked to call the caller back",
    {
      acts: [ASKS],
      people: { [NURSE]: { rings: [ignores, answers(presses("1"))] } },
      faults: [drop("modelDrop", 7000), { kind: "modelRefuse", times: 50, atMs: 6500, forMs: 60_000 }],
      endMs: 60_000,
    },
  ),
  call(
    "leaves-apology",
    "the model is lost for good while the nurse is rung, and the caller hangs up during the apology",
    {
      acts: [ASKS],
      people: { [NURSE]: { rings: [ignores, answers(presses("1"))] } },
      faults: [drop("modelDrop", 7000), { kind: "modelRefuse", times: 50, atMs: 6500, forMs: 60_000 }],
      endMs: 11_700,
    },
  ),
  call("engine-stops", "the engine goes while nurse and caller talk: they stay together", {
    afterHandover: "remove",
    acts: [ASKS],
    people: { [NURSE]: { rings: [JOINS] } },
    stopMs: 14_000,
    endMs: 20_000,
  }),
  call("follow-up-stopped", "the engine goes while somebody is sought for a caller who has left", {
    acts: [ASKS],
    people: { [NURSE]: { rings: [declines] }, [DOCTOR]: { rings: [declines] } },
    endMs: 12_000,
    stopMs: 16_000,
  }),
  ...WORLDS.map(world),
];
