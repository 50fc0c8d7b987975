/**
 * A ladder with real pages, run as live actors under the machine that carries it without a call. The test is
 * the engine: it answers effects, passes deadlines and reports what people do, at its own time.
 */
import { type AnyActorRef, createActor, fromCallback } from "xstate";
import type { DeadlineInput } from "../../machines/call.setup.ts";
import type { CallEvent, EventOf, UnstampedCallEvent } from "../../machines/events.ts";
import { incidentMachine } from "../../machines/incident.machine.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import type {
  Incident,
  LadderContact,
  LadderInput,
  LadderMessage,
  LadderPolicy,
  PageEffect,
  PageEffectName,
  PageRecord,
} from "../../machines/ladder.types.ts";
import { pageMachine } from "../../machines/page.machine.ts";

export const CALL_SID = "CA00000000000000000000000000000001";
export const START_MS = 1_700_000_000_000;
export const WINDOW_MS = 120_000;
export const PAUSE_MS = 600_000;

const nobody = { voice: null, sms: null, push: null } as const;

export function contact(name: string, ways: Partial<LadderContact>): LadderContact {
  return { ...nobody, ...ways, name };
}

export const NURSE = contact("nurse", {
  voice: "+15550100",
  sms: "+15550100",
  push: "https://push.example/nurse",
});
export const DOCTOR = contact("doctor", { voice: "+15550101", sms: "+15550102" });
export const PORTER = contact("porter", { push: "https://push.example/porter" });

export function policyOf(patch: Partial<LadderPolicy> = {}): LadderPolicy {
  return {
    rungs: [
      { name: "primary", contacts: [NURSE] },
      { name: "secondary", contacts: [DOCTOR, PORTER] },
    ],
    ackTimeoutMs: WINDOW_MS,
    repeat: 1,
    againAfterMs: PAUSE_MS,
    ringTimeoutMs: 30_000,
    briefingTimeoutMs: 90_000,
    joinTimeoutMs: 10_000,
    textCaller: true,
    ...patch,
  };
}

export function inputOf(patch: Partial<LadderInput> = {}): LadderInput {
  return {
    callSid: CALL_SID,
    number: 1,
    by: "ai",
    reason: "chest pain",
    urgency: "high",
    atMs: START_MS,
    policy: policyOf(),
    firstPage: 1,
    followUp: false,
    pauseFirst: patch.followUp ?? false,
    ...patch,
  };
}

export interface Logics {
  readonly page: typeof pageMachine;
  readonly ladder: typeof ladderMachine;
}

type Unstamped =
  | UnstampedCallEvent
  | (LadderMessage extends infer M ? (M extends LadderMessage ? Omit<M, "at"> : never) : never);

export class LadderRig {
  nowMs: number;
  readonly effects: PageEffect[] = [];
  /** Of effects that are still to be answered, by id. */
  readonly pending = new Map<string, PageEffect>();
  readonly deadlines = new Set<DeadlineInput>();
  readonly errors: unknown[] = [];
  readonly #actor: AnyActorRef;
  /** Called with each effect when it is asked for. */
  onEffect: (effect: PageEffect) => void = () => undefined;

  constructor(
    input: LadderInput = inputOf(),
    logics: Logics = { page: pageMachine, ladder: ladderMachine },
    saved?: string,
  ) {
    this.nowMs = input.atMs;
    const deadline = fromCallback<CallEvent, DeadlineInput>(({ input: due }) => {
      this.deadlines.add(due);
      return () => void this.deadlines.delete(due);
    });
    const page = logics.page.provide({ actors: { deadline } });
    const ladder = logics.ladder.provide({ actors: { deadline, page } });
    const actor = createActor(incidentMachine.provide({ actors: { ladder } }), {
      input,
      ...(saved === undefined ? {} : { snapshot: JSON.parse(saved) as never }),
      inspect: (event) => {
        if (event.type !== "@xstate.actor") return;
        (event.actorRef as AnyActorRef).on("effect", (effect) => this.#asked(effect as PageEffect));
      },
    });
    actor.subscribe({ error: (error) => void this.errors.push(error) });
    this.#actor = actor;
  }

  start(): this {
    this.#actor.start();
    return this;
  }

  /** The same ladder in a new process, as it was stored; what was asked for and not answered is still open. */
  restarted(): LadderRig {
    const next = new LadderRig(undefined, undefined, JSON.stringify(this.#actor.getPersistedSnapshot()));
    next.nowMs = this.nowMs;
    for (const [id, effect] of this.pending) next.pending.set(id, effect);
    next.effects.push(...this.effects);
    return next.start();
  }

  #asked(effect: PageEffect): void {
    this.effects.push(effect);
    if (effect.name !== "page.withdraw") this.pending.set(effect.id, effect);
    this.onEffect(effect);
  }

  get incident(): Incident {
    return (this.#actor.getSnapshot() as { readonly context: { readonly incident: Incident } }).context
      .incident;
  }

  get status(): string {
    return (this.#actor.getSnapshot() as { readonly status: string }).status;
  }

  /** Ids of the pages whose actors live. */
  get livePages(): readonly string[] {
    const { children } = this.#actor.getSnapshot() as { readonly children: Record<string, AnyActorRef> };
    const ladder = children["ladder"]?.getSnapshot() as
      { readonly children: Record<string, unknown> } | undefined;
    return Object.keys(ladder?.children ?? {}).filter((id) => /^(human|sms|push)-/.test(id));
  }

  happens(event: Unstamped): this {
    // XState warns of events to an actor that has ended.
    if (this.status === "active") this.#actor.send({ ...event, at: this.nowMs });
    return this;
  }

  asked(name: PageEffectName, label?: string): readonly PageEffect[] {
    return this.effects.filter(
      (each) =>
        each.name === name && (label === undefined || (each.input as { label?: string }).label === label),
    );
  }

  record(label: string): PageRecord | undefined {
    return this.incident.pages.find((page) => page.label === label);
  }

  done(effect: PageEffect, callSid?: string | null): this {
    this.pending.delete(effect.id);
    const label = (effect.input as { readonly label?: string }).label ?? null;
    const sid = callSid === undefined ? `CA-${label}` : callSid;
    return this.happens({ type: "effect.done", id: effect.id, name: effect.name, label, callSid: sid });
  }

  failed(effect: PageEffect): this {
    this.pending.delete(effect.id);
    const label = (effect.input as { readonly label?: string }).label ?? null;
    const head = { id: effect.id, name: effect.name, label };
    return this.happens({ type: "effect.failed", ...head, code: 0, status: 500, message: "no" });
  }

  /** Answers the latest effect of this name (and label). */
  answer(name: PageEffectName, label?: string, callSid?: string | null): this {
    return this.done(this.#latest(name, label), callSid);
  }

  fail(name: PageEffectName, label?: string): this {
    return this.failed(this.#latest(name, label));
  }

  #latest(name: PageEffectName, label?: string): PageEffect {
    const effect = this.asked(name, label).at(-1);
    if (!effect) throw new Error(`no ${name} was asked for ${label ?? "anybody"}`);
    return effect;
  }

  leg(label: string, status: EventOf<"leg.status">["status"]): this {
    return this.happens({ type: "leg.status", label, callSid: `CA-${label}`, status });
  }

  presses(label: string, answer: EventOf<"human.answered">["answer"]): this {
    return this.happens({ type: "human.answered", label, answer });
  }

  /** A call that is made, rings and is picked up. */
  picksUp(label: string): this {
    return this.answer("page.call", label).leg(label, "ringing").leg(label, "in-progress");
  }

  acks(label: string): this {
    return this.happens({ type: "page.acknowledged", label });
  }

  due(name: string, of?: string): DeadlineInput | undefined {
    return [...this.deadlines].find((each) => each.name === name && (of === undefined || each.of === of));
  }

  /** Time goes on to a deadline, which passes. */
  pass(name: string, of?: string): this {
    const due = this.due(name, of);
    if (!due) throw new Error(`no deadline ${name} runs`);
    this.nowMs = Math.max(this.nowMs, due.atMs);
    return this.happens({
      type: "deadline",
      name: due.name,
      ...(due.of === undefined ? {} : { of: due.of }),
    });
  }

  later(ms: number): this {
    this.nowMs += ms;
    return this;
  }
}

export const A = contact("a", { voice: "+15550110", sms: "+15550110" });
export const B = contact("b", { voice: "+15550111", sms: "+15550111" });
export const C = contact("c", { voice: "+15550112" });

/** A ladder of these rungs, under way. */
export function rig(
  rungs: readonly (readonly LadderContact[])[],
  patch: Partial<LadderPolicy> = {},
): LadderRig {
  const named = rungs.map((contacts, index) => ({ name: `rung ${index}`, contacts }));
  return new LadderRig(inputOf({ policy: policyOf({ rungs: named, ...patch }) })).start();
}
