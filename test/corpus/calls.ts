/**
 * The calls of the corpus: each goes a way of its own through the machines. What happens in one is data, played
 * in the simulation's world, where the same data give the same call.
 */
import type { DeploymentInput } from "../../engine/config/deployment.ts";
import { type Act, type Fault, type Plan, planOf, type Reaction, type Step } from "../sim/plan.ts";

export const NURSE = "+15550100";
export const DOCTOR = "+15550101";
const SUPERVISOR = "+15550102";
const WINDOW_MS = 12_000;

export interface CorpusCall {
  /** Of its file. */
  readonly name: string;
  /** What is special about it. */
  readonly about: string;
  readonly plan: Plan;
  /** `null`: the simulation's own. */
  readonly rungs: NonNullable<DeploymentInput["escalation"]>["rungs"] | null;
  /** Texts that people send, and links in the texts they got that they open, by virtual time. */
  readonly texts: readonly { readonly atMs: number; readonly from: string; readonly body: string }[];
  readonly links: readonly { readonly atMs: number; readonly of: string }[];
  /** When the engine is told to stop, if it is. */
  readonly stopMs: number | null;
}

type Told = Partial<
  Pick<CorpusCall, "rungs" | "texts" | "links" | "stopMs"> &
    Pick<Plan, "acts" | "people" | "faults" | "endMs" | "afterHandover">
>;

const VOICE = [
  { name: "primary", contacts: [{ name: "nurse", voice: NURSE }] },
  { name: "secondary", contacts: [{ name: "doctor", voice: DOCTOR }] },
];
const TEXTED = [{ name: "primary", contacts: [{ name: "nurse", voice: NURSE, sms: NURSE }] }];

function call(name: string, about: string, told: Told): CorpusCall {
  const { rungs = VOICE, texts = [], links = [], stopMs = null, ...more } = told;
  const plan: Plan = {
    seed: Bun.hash.crc32(name),
    ackTimeoutMs: WINDOW_MS,
    afterHandover: "coach",
    callsPerSecond: 10,
    latencyMs: [2, 15],
    acts: [],
    people: {},
    faults: [],
    endMs: 25_000,
    ...more,
  };
  return { name, about, plan, rungs, texts, links, stopMs };
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
const speaks: Step = { afterMs: 2000, do: "say", ms: 800 };
const leaves = (afterMs = 2000): Step => ({ afterMs, do: "hangUp" });
const declines: Reaction = { outcome: "decline", afterMs: 1500, steps: [] };
const ignores: Reaction = { outcome: "ignore", afterMs: 0, steps: [] };
const voicemail: Reaction = { outcome: "voicemail", afterMs: 1500, steps: [] };
const JOINS = answers(presses("1"), speaks);

const drop = (kind: "mediaDrop" | "modelDrop", atMs: number): Fault => ({ kind, atMs, forMs: 100 });

/** Worlds of the simulation that together take most of the edges that no call below takes, for their size. */
const WORLDS = [26, 700, 720, 1124, 900, 451, 1083, 1031, 667, 1165];
/** An incident that goes on after its call would go on for long. */
const FOLLOWED_MS = 10_000;

function world(of: number): CorpusCall {
  const plan = planOf(of);
  const told = { rungs: null, texts: [], links: [], stopMs: plan.endMs + FOLLOWED_MS };
  return { name: `world-${of}`, about: `what happens in world ${of} of the simulation`, plan, ...told };
}

export const CALLS: readonly CorpusCall[] = [
  call("after-hours", "the caller asks, thanks, and the agent ends the call", {
    acts: [says(3000, "hello"), says(7000, "bye")],
  }),
  call("coach", "the nurse joins, is coached and leaves; the AI goes on with the caller", {
    acts: [ASKS],
    people: { [NURSE]: [answers(presses("1"), speaks, leaves(3000))] },
  }),
  call("two-rungs", "the first window closes in vain, and the second rung takes it", {
    acts: [ASKS],
    people: { [NURSE]: [ignores], [DOCTOR]: [JOINS] },
    endMs: 24_000,
  }),
  call("exhausted", "nobody can be reached; it is taken after the caller has left", {
    acts: [ASKS],
    people: { [NURSE]: [voicemail, answers(presses("1"))], [DOCTOR]: [{ ...declines, outcome: "busy" }] },
    endMs: 18_000,
  }),
  call("sms-ack", "the nurse answers the text, is rung and joins", {
    rungs: TEXTED,
    acts: [ASKS],
    people: { [NURSE]: [declines, JOINS] },
    texts: [{ atMs: 9000, from: NURSE, body: "1" }],
  }),
  call("ack-link", "somebody who was not rung takes it by the link in the text, and the caller leaves", {
    rungs: [
      {
        name: "primary",
        contacts: [
          { name: "nurse", voice: NURSE },
          { name: "doctor", sms: DOCTOR },
        ],
      },
    ],
    acts: [ASKS],
    people: { [NURSE]: [ignores] },
    links: [{ atMs: 9000, of: DOCTOR }],
    endMs: 11_000,
  }),
  call("texts", "of those who get a text one declines, and one says yes when somebody has it already", {
    rungs: [
      {
        name: "primary",
        contacts: [
          { name: "nurse", sms: NURSE },
          { name: "supervisor", sms: SUPERVISOR },
          { name: "doctor", voice: DOCTOR },
        ],
      },
    ],
    acts: [ASKS],
    people: { [DOCTOR]: [answers(presses("1"))] },
    texts: [
      { atMs: 6000, from: NURSE, body: "2" },
      { atMs: 10_000, from: SUPERVISOR, body: "yes" },
    ],
    endMs: 11_000,
  }),
  call("consult", "the doctor speaks with the AI first, with the caller on hold, and then with the caller", {
    acts: [ASKS],
    people: { [NURSE]: [answers(presses("3"), speaks, presses("*", 3000), presses("1", 3000), speaks)] },
  }),
  call("hand-back", "the nurse leaves by a key and comes back, then hands the caller back", {
    acts: [ASKS],
    people: {
      [NURSE]: [answers(presses("1"), presses("*", 4000), presses("2", 3000), speaks, presses("*", 3000))],
    },
    endMs: 30_000,
  }),
  call("removed", "by the policy the AI goes when the nurse comes; she leaves, and it comes back", {
    afterHandover: "remove",
    acts: [ASKS],
    people: { [NURSE]: [answers(presses("1"), speaks, leaves(3000))] },
    endMs: 18_000,
  }),
  call("operator", "the operator rings a number, takes the AI out, and hangs up", {
    acts: [
      command(3000, "escalate", { to: SUPERVISOR, reason: "staff" }),
      command(13_000, "remove"),
      command(18_000, "hangup"),
    ],
    people: { [SUPERVISOR]: [JOINS] },
  }),
  call(
    "called-off",
    "the operator calls it off while the nurse hears the briefing; the caller leaves as she is rung again",
    {
      acts: [ASKS, command(7000, "restore"), command(12_000, "escalate", { to: NURSE, reason: "again" })],
      people: { [NURSE]: [answers(), ignores] },
      endMs: 15_000,
    },
  ),
  call("leaves-arriving", "the caller hangs up before the AI is there", { endMs: 60 }),
  call("leaves-joining", "the caller hangs up as the nurse accepts", {
    acts: [ASKS],
    people: { [NURSE]: [JOINS] },
    endMs: 7360,
  }),
  call("leaves-removed", "the caller hangs up when the AI has gone", {
    afterHandover: "remove",
    acts: [ASKS],
    people: { [NURSE]: [JOINS] },
    endMs: 16_000,
  }),
  call("lost-streams", "the stream and the model's line drop, alone with the caller and while coaching", {
    acts: [says(2000, "hello"), says(9000, "person")],
    people: { [NURSE]: [answers(presses("1"), speaks)] },
    faults: [drop("mediaDrop", 4000), drop("modelDrop", 6500), drop("mediaDrop", 19_000)],
    endMs: 30_000,
  }),
  call("refused", "the carrier refuses, answers late and loses its callbacks", {
    acts: [ASKS],
    people: { [NURSE]: [JOINS], [DOCTOR]: [JOINS] },
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
  call("engine-stops", "the engine goes while nurse and caller talk: they stay together", {
    afterHandover: "remove",
    acts: [ASKS],
    people: { [NURSE]: [JOINS] },
    stopMs: 14_000,
    endMs: 20_000,
  }),
  call("follow-up-stopped", "the engine goes while somebody is sought for a caller who has left", {
    acts: [ASKS],
    people: { [NURSE]: [declines], [DOCTOR]: [declines] },
    endMs: 12_000,
    stopMs: 16_000,
  }),
  ...WORLDS.map(world),
];
