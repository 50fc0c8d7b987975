/**
 * The machines of one call, run again without an engine: fed with what the log says came to them, they say what
 * they make of it, as the engine would log it. Their deadlines never fire: a deadline that passed is an event of
 * the log like any other.
 */
import { type AnyActorRef, createActor, type Snapshot } from "xstate";
import { callMachine, topState } from "../../machines/call.machine.ts";
import type { CallContext, CallInput } from "../../machines/context.ts";
import type { CallEvent } from "../../machines/events.ts";
import { type IncidentContext, incidentMachine } from "../../machines/incident.machine.ts";
import { hearEffects } from "../call/effect-runner.ts";
import type { NamedEffect } from "../call/effect-answer.ts";
import { EscalationMetrics } from "../call/escalation-metrics.ts";
import { followUpInput } from "../call/follow-up.ts";
import { IncidentWatch } from "../call/incident-watch.ts";
import type { Incident } from "../../machines/ladder.types.ts";
import { invariant } from "../errors.ts";
import { observeActors } from "./observer.ts";

/** The machines that are run: those of this build, unless a test has others. */
export interface Machines {
  readonly call: typeof callMachine;
  readonly incident: typeof incidentMachine;
}

export const MACHINES: Machines = { call: callMachine, incident: incidentMachine };

/** An entry as a machine's run gives it. */
export interface Made {
  readonly kind: "effect" | "step" | "state";
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** How a call, or what followed it, stands. */
export interface Standing {
  readonly of: "call" | "follow-up";
  readonly status: Snapshot<unknown>["status"];
  /** Why the call ended, when it has. */
  readonly endReason: string | null;
  /** The last incident. */
  readonly incident: Incident | null;
}

type Started =
  | { readonly of: "call"; readonly input: CallInput }
  | { readonly of: "follow-up"; readonly input: ReturnType<typeof followUpInput> };
type Restored = { readonly of: Started["of"]; readonly snapshot: Snapshot<unknown> };

export class Rerun {
  readonly #machines: Machines;
  readonly #made: Made[] = [];
  #of: Standing["of"] = "call";
  #actor: AnyActorRef | null = null;
  /** State of the call as it was noted last. */
  #value = "";
  #watch: IncidentWatch | null = null;
  /** Of a follow-up: the call's. */
  #incidents: readonly Incident[] = [];

  constructor(machines: Machines) {
    this.#machines = machines;
  }

  /** What was made since this was last asked, in order. */
  takeMade(): readonly Made[] {
    return this.#made.splice(0);
  }

  get standing(): Standing | null {
    if (!this.#actor) return null;
    const { status } = this.#snapshot;
    const incident = this.#seen().at(-1) ?? null;
    return { of: this.#of, status, endReason: this.#call?.endReason ?? null, incident };
  }

  begin(input: CallInput): void {
    this.#watchFrom([]);
    this.#run({ of: "call", input });
    this.#value = this.#valueText();
  }

  take(event: CallEvent): void {
    this.#actor?.send(event);
    this.#look();
  }

  /** Ends it in the middle, as an engine does that stops. */
  stop(): void {
    this.#actor?.stop();
  }

  /** Begins what follows the call. */
  follow(atMs: number): void {
    const context = this.#call;
    invariant(context && context.incidents.length > 0, "a call with an incident was run");
    const { callSid, policy, incidents } = context;
    this.#incidents = incidents;
    this.#watchFrom(incidents);
    this.#run({ of: "follow-up", input: followUpInput({ callSid, policy, incidents }, atMs) });
    this.#look();
  }

  /** Goes on from what a store keeps of `before`, which is another run of the same call, or this one. */
  restore(before: Rerun): void {
    const { actor, of, incidents } = before.#kept();
    this.#incidents = incidents;
    this.#run({
      of,
      snapshot: JSON.parse(JSON.stringify(actor.getPersistedSnapshot())) as Snapshot<unknown>,
    });
    this.#watchFrom(this.#seen());
    this.#value = this.#valueText();
  }

  #kept() {
    invariant(this.#actor, "it was begun");
    return { actor: this.#actor, of: this.#of, incidents: this.#incidents };
  }

  #run(start: Started | Restored): void {
    const steps = observeActors(({ actor, ...step }) => this.#make("step", actor, { ...step }));
    const inspect = hearEffects(
      ({ id, name, input }: NamedEffect) => this.#make("effect", name, { id, ...input }),
      steps,
    );
    const { call, incident } = this.#machines;
    const options = "snapshot" in start ? { snapshot: start.snapshot } : { input: start.input };
    // One type for both: what differs is what each is started with.
    const logic = (start.of === "call" ? call : incident) as typeof callMachine;
    const actor = createActor(logic, { ...options, inspect } as Parameters<
      typeof createActor<typeof logic>
    >[1]);
    // An error is a step of its own, and whoever compares sees it.
    actor.subscribe({ error: () => undefined });
    this.#of = start.of;
    this.#actor = actor;
    actor.start();
  }

  #watchFrom(known: readonly Incident[]): void {
    const recorder = {
      write: (_kind: string, name: string, data: Made["data"]) => this.#make("state", name, data),
    };
    const nothing = (): void => undefined;
    const options = { recorder, metrics: new EscalationMetrics(), tell: nothing, onPageEnded: nothing };
    this.#watch = new IncidentWatch(options, known);
  }

  /** Notes what has changed, as the engine does after each event. */
  #look(): void {
    if (!this.#actor || this.#snapshot.status === "error") return;
    const seen = this.#seen();
    if (seen.length > 0) this.#watch?.see(seen);
    const value = this.#valueText();
    if (this.#of === "follow-up" || value === this.#value) return;
    this.#value = value;
    const now = this.#snapshot.value;
    this.#make("state", topState(now), { value: now });
  }

  get #snapshot() {
    return this.#actor?.getSnapshot() as Snapshot<unknown> & {
      readonly value: unknown;
      readonly context: unknown;
    };
  }

  get #call(): CallContext | null {
    return this.#actor && this.#of === "call" ? (this.#snapshot.context as CallContext) : null;
  }

  #seen(): readonly Incident[] {
    const { context } = this.#snapshot;
    return this.#of === "call"
      ? (context as CallContext).incidents
      : [...this.#incidents, (context as IncidentContext).incident];
  }

  #valueText(): string {
    return JSON.stringify(this.#snapshot.value);
  }

  #make(kind: Made["kind"], name: string, data: Made["data"]): void {
    this.#made.push({ kind, name, data });
  }
}
