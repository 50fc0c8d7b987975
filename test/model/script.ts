/** A call that is told what happens, step by step, and remembers what it asked for and told its ladders. */
import type { CallEffect, CallInput, CallMessage, EffectName } from "../../machines/context.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import type { Incident, LadderMessage, Owner } from "../../machines/ladder.types.ts";
import { CALL_SID, INPUT, type Snapshot, start, type Step, take, type Told } from "./driver.ts";
import { OWNER } from "./ladder-double.ts";

export const CONFERENCE_SID = "CF00000000000000000000000000000001";

export class Script {
  readonly steps: [Step, ...Step[]];
  #at = INPUT.startedAtMs;

  constructor(input: CallInput = INPUT) {
    this.steps = [start(input)];
  }

  get snapshot(): Snapshot {
    return (this.steps.at(-1) ?? this.steps[0]).snapshot;
  }

  get effects(): readonly CallEffect[] {
    return this.steps.flatMap((step) => step.effects);
  }

  get value(): unknown {
    return this.snapshot.value;
  }

  /** The state of the coach, while there is one. */
  get whisper(): unknown {
    return (this.value as { readonly coaching?: { readonly whisper: unknown } }).coaching?.whisper;
  }

  /** Whether the caller is with the others, while there is a coach. */
  get caller(): unknown {
    return (this.value as { readonly coaching?: { readonly caller: unknown } }).coaching?.caller;
  }

  happens(event: UnstampedCallEvent): this {
    return this.#take({ ...event, at: ++this.#at });
  }

  /** Lets `ms` pass before what comes next. */
  waits(ms: number): this {
    this.#at += ms;
    return this;
  }

  /** What the ladder of the incident says. */
  ladder(change: Partial<Incident>, number = this.snapshot.context.incidents.length): this {
    const incident = this.snapshot.context.incidents[number - 1];
    if (!incident) throw new Error("there is no such incident");
    return this.#take({
      type: "ladder.update",
      at: ++this.#at,
      incident: { ...incident, clear: false, ...change },
    });
  }

  /** Somebody has accepted with a key: their leg is on its way into the room. */
  accepts(label: string, owner: Partial<Owner> = {}): this {
    const leg = { label, pageLabel: label, callSid: `CA-${label}` };
    return this.ladder({ phase: "joining", owner: { ...OWNER, ...leg, ...owner } });
  }

  /** Answers the oldest request of this kind that is still open. */
  answer(name: EffectName, outcome: "done" | "failed" = "done", label?: string): this {
    const [id, effect] = this.#open(name, label);
    const head = { id, name, label: effect.label };
    return outcome === "done"
      ? this.happens({
          type: "effect.done",
          ...head,
          callSid: `CA-${effect.label}`,
          conferenceSid: CONFERENCE_SID,
        })
      : this.happens({ type: "effect.failed", ...head, code: 0, status: 500, message: "no" });
  }

  /** Twilio refuses what was asked for, with its error code. */
  refused(name: EffectName, code: number): this {
    const [id, { label }] = this.#open(name);
    return this.happens({ type: "effect.failed", id, name, label, code, status: 400, message: "no" });
  }

  /** Twilio is asked who is in the room, and shows these. */
  shows(...labels: readonly string[]): this {
    const name = "carrier.reconcile";
    const [id] = this.#open(name);
    const participants = labels.map((label) => ({ label, callSid: `CA-${label}` }));
    const head = { type: "effect.done", id, name, label: null, conferenceSid: CONFERENCE_SID } as const;
    return this.happens({ ...head, participants, callerAlive: true });
  }

  joins(label: string): this {
    const callSid = label === "caller" ? CALL_SID : `CA-${label}`;
    return this.happens({ type: "participant.joined", label, callSid, conferenceSid: CONFERENCE_SID });
  }

  leaves(label: string, reason = "participant_hung_up"): this {
    return this.happens({ type: "participant.left", label, callSid: `CA-${label}`, reason });
  }

  streams(label: string): this {
    return this.happens({ type: "ai.streamStarted", label, streamSid: `MZ-${label}`, streamCallSid: "CA-x" });
  }

  asked(name: EffectName): number {
    return this.effects.filter((effect) => effect.name === name).length;
  }

  /** What was asked for of this kind, oldest first. */
  inputs(name: EffectName): readonly unknown[] {
    return this.effects.filter((effect) => effect.name === name).map((effect) => effect.input);
  }

  /** What the model was told, oldest first. */
  get notices(): readonly string[] {
    return this.effects.flatMap((effect) => (effect.name === "model.tell" ? [effect.input.notice] : []));
  }

  /** What the ladders were told by the call itself, without what was only handed on. */
  get words(): readonly string[] {
    const told = this.steps.flatMap((step) => step.told);
    return told.flatMap(({ message }) => {
      if (message.type === "ladder.close") return [`close ${message.why}`];
      return isOwnerWord(message) ? [`${message.type} ${message.label}`] : [];
    });
  }

  get lastGate(): unknown {
    return this.effects.findLast((effect) => effect.name === "media.gate")?.input;
  }

  #open(name: EffectName, label?: string) {
    const found = Object.entries(this.snapshot.context.pending).find(
      ([, each]) => each.name === name && (!label || each.label === label),
    );
    if (!found) throw new Error(`no ${name} is asked for`);
    return found;
  }

  #take(event: CallMessage): this {
    this.steps.push(take(this.snapshot, event));
    return this;
  }
}

export const isOwnerWord = (
  message: Told["message"],
): message is Extract<LadderMessage, { readonly type: "owner.joined" | "owner.lost" }> =>
  message.type === "owner.joined" || message.type === "owner.lost";

/** Caller and AI talk. */
export function talking(input: CallInput = INPUT): Script {
  return new Script(input)
    .joins("caller")
    .answer("carrier.addAi")
    .happens({ type: "model.ready" })
    .streams("ai-1");
}

export const WANTED = { type: "op.escalate", to: null, reason: null, urgency: "normal" } as const;

/** A human is paged, accepts and joins: the AI is about to become their coach. */
export function handedOver(input: CallInput = INPUT): Script {
  return talking(input)
    .happens(WANTED)
    .accepts("human-1")
    .joins("human-1")
    .ladder({ phase: "owned", clear: true });
}

/** Takes every step of the order of safety. */
export function coached(call: Script): Script {
  return call.answer("carrier.mute").answer("carrier.coach").answer("model.role").answer("carrier.mute");
}

/** Takes every step of the way back to the caller. */
export function released(call: Script): Script {
  call.answer("media.flush").answer("carrier.mute").answer("carrier.uncoach");
  return call.answer("model.role").answer("carrier.mute");
}

export const coaching = (input: CallInput = INPUT): Script => coached(handedOver(input));
