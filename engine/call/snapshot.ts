/**
 * What is kept of a call, or of what goes on after it, so that another engine can go on: its actors, and what
 * lives beside them. One JSON text.
 */
import { z } from "zod";
import { callMachine } from "../../machines/call.machine.ts";
import { initialContext, type CallInput } from "../../machines/context.ts";
import { incidentMachine } from "../../machines/incident.machine.ts";
import { initialLadder } from "../../machines/ladder.facts.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import type { Incident, LadderInput, PageInput } from "../../machines/ladder.types.ts";
import { adopt, type SavedMachine, type Shapes } from "../../machines/migrations.ts";
import { initialPage } from "../../machines/page.facts.ts";
import { pageMachine } from "../../machines/page.machine.ts";
import { initialPostCall, type PostCallInput } from "../../machines/postcall.facts.ts";
import { postCallMachine } from "../../machines/postcall.machine.ts";
import type { SavedUsage } from "../cost/usage-meter.ts";
import type { Extracted } from "../postcall/facts.ts";
import type { ProtectedFields, Snapshot, StoredSnapshot } from "../ports.ts";
import type { CallStart } from "./call-input.ts";
import type { NamedEffect } from "./effect-answer.ts";
import type { PagesSaved } from "./escalations.ts";
import { MACHINE_HASH } from "./machine-hash.ts";
import type { VoiceState } from "./voice-state.ts";

/** Of the form of the text itself. */
const VERSION = 1;

interface Saved {
  readonly start: CallStart;
  readonly savedAtMs: number;
  /** As XState persists it, with its children. */
  readonly machine: SavedMachine;
  /** Asked for, and not answered yet. */
  readonly effects: readonly NamedEffect[];
  /** Keys of events, oldest first: their repetitions may still come. */
  readonly seen: readonly string[];
  readonly pages: PagesSaved;
  /** What the call's log has stand-ins for, in the order of these. */
  readonly known: readonly string[];
}

export interface SavedCall extends Saved {
  readonly kind: "call";
  /** By AI leg, the last token that was used. */
  readonly tokens: Readonly<Record<string, number>>;
  readonly restarts: number;
  /** What was used of the carrier; left out by an engine that did not count it. */
  readonly usage?: SavedUsage;
  readonly voice: VoiceState;
}

export interface SavedFollowUp extends Saved {
  readonly kind: "follow_up";
  /** Those of the call itself. */
  readonly incidents: readonly Incident[];
}

/** What goes on with what was said. */
export interface SavedPostCall extends Saved {
  readonly kind: "post_call";
  /** Of the row: what a store without a key does not give back. */
  readonly personal: ProtectedFields;
  readonly extracted: Extracted | null;
}

export type SavedState = SavedCall | SavedFollowUp | SavedPostCall;

/** `voice` comes as JSON text, which changes seldom and is long. */
export function sealCall(saved: Omit<SavedCall, "voice">, voice: string, seq: number): Snapshot {
  const body = `{"voice":${voice},${JSON.stringify(saved).slice(1)}`;
  return { seq, machineHash: MACHINE_HASH, version: VERSION, body };
}

export function sealState(saved: SavedFollowUp | SavedPostCall, seq: number): Snapshot {
  return { seq, machineHash: MACHINE_HASH, version: VERSION, body: JSON.stringify(saved) };
}

export type Opened =
  | { readonly ok: true; readonly saved: SavedState; readonly how: string }
  | { readonly ok: false; readonly why: string };

/** Ours, and yet from a process that died: the outline is checked, and that the machines can go on with it. */
export function openSnapshot({ body, version, machineHash }: StoredSnapshot): Opened {
  if (version !== VERSION) return { ok: false, why: `it is of version ${version}, and this is ${VERSION}` };
  if (body === null) return { ok: false, why: "it cannot be read: it is damaged, or the key is another" };
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return { ok: false, why: "it is no JSON" };
  }
  const outline = OUTLINE.safeParse(json);
  if (!outline.success) return { ok: false, why: z.prettifyError(outline.error).slice(0, 200) };
  const saved = json as SavedState;
  const shapes = SHAPES[saved.kind];
  const adopted = adopt({ hash: machineHash, snapshot: saved.machine }, { hash: MACHINE_HASH, shapes });
  if (!adopted.ok) return adopted;
  return { ok: true, saved: { ...saved, machine: adopted.snapshot }, how: adopted.how };
}

const BASE = z.looseObject({
  start: z.looseObject({
    callSid: z.string(),
    conferenceName: z.string(),
    from: z.string(),
    to: z.string(),
  }),
  savedAtMs: z.number(),
  machine: z.looseObject({}),
  effects: z.array(z.looseObject({ id: z.string(), name: z.string(), input: z.looseObject({}) })),
  seen: z.array(z.string()),
  known: z.array(z.string()),
  pages: z.looseObject({ texts: z.array(z.looseObject({})), codes: z.array(z.looseObject({})) }),
});
const OUTLINE = z.discriminatedUnion("kind", [
  BASE.extend({
    kind: z.literal("call"),
    tokens: z.record(z.string(), z.number()),
    restarts: z.number(),
    voice: z.looseObject({ history: z.array(z.looseObject({})), transcript: z.array(z.looseObject({})) }),
  }),
  BASE.extend({ kind: z.literal("follow_up"), incidents: z.array(z.looseObject({})) }),
  BASE.extend({
    kind: z.literal("post_call"),
    personal: z.looseObject({ transcript: z.array(z.looseObject({})) }),
    extracted: z.looseObject({}).nullable(),
  }),
]);

/** Read from how each machine begins; with what it begins does not matter here. */
const factsOf = (context: object): readonly string[] => Object.keys(context);
const POLICY = { policy: { rungs: [] } };
const CHILDREN: Shapes = {
  ladder: { machine: ladderMachine, facts: factsOf(initialLadder(POLICY as unknown as LadderInput)) },
  page: { machine: pageMachine, facts: factsOf(initialPage({ record: {} } as PageInput)) },
};
const SHAPES: Readonly<Record<SavedState["kind"], Shapes>> = {
  call: {
    ...CHILDREN,
    root: { machine: callMachine, facts: factsOf(initialContext(POLICY as unknown as CallInput)) },
  },
  follow_up: { ...CHILDREN, root: { machine: incidentMachine, facts: ["input", "incident"] } },
  post_call: { root: { machine: postCallMachine, facts: factsOf(initialPostCall({} as PostCallInput)) } },
};
