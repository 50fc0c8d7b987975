import { createActor, type Snapshot, type SnapshotFrom } from "xstate";
import type { incidentMachine } from "../../machines/incident.machine.ts";
import type { CallEvent, UnstampedCallEvent } from "../../machines/events.ts";
import { contactOf } from "../../machines/ladder.facts.ts";
import type { Incident, LadderInput, PageEffect } from "../../machines/ladder.types.ts";
import type { SavedMachine } from "../../machines/migrations.ts";
import { CALL_RESTORED, FOLLOW_UP_BEGUN, LOG_CLOSED } from "../audit/chain.ts";
import type { ChainedEntry } from "../platform/hash-chain.ts";
import { type CommandNote, OPERATOR_COMMAND } from "../audit/operator-note.ts";
import type { Journal } from "../effects/journal.ts";
import { errorText, invariant } from "../errors.ts";
import type { Clock, Log, Snapshot as StoredState, Store } from "../ports.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { CallFeed } from "./call-feed.ts";
import { hostDeadlines, type IncidentLogic } from "./deadline.ts";
import type { EffectAnswer } from "./effect-answer.ts";
import { EffectRunner } from "./effect-runner.ts";
import type { EscalationMetrics } from "./escalation-metrics.ts";
import type { EscalationHost, Escalations } from "./escalations.ts";
import { EventQueue } from "./event-queue.ts";
import type { FollowUpSeed } from "./follow-ups.ts";
import { IncidentWatch } from "./incident-watch.ts";
import type { FeedMessage, IncidentFacts } from "./live-index.ts";
import type { PageEffects, PageFacts } from "./page-effects.ts";
import { type LegUp, legMade, pageLegs } from "./page-legs.ts";
import type { Unfinished } from "./restore.ts";
import { type SavedFollowUp, sealState } from "./snapshot.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";

export interface FollowUpServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Pick<Journal, "of">;
  readonly pages: PageEffects;
  readonly logic: IncidentLogic;
  readonly escalations: Escalations;
  readonly escalationMetrics: EscalationMetrics;
  readonly tracing?: Tracing | null;
  readonly feed: (message: FeedMessage) => void;
  /** Each entry of the call's log, as it is written: it must not throw. */
  readonly onEntry?: (entry: ChainedEntry) => void;
}

/**
 * Goes on where a call's last incident ended, as the next incident of that call: its pages and effects have
 * names of their own. Like a call it has one queue, the log goes on, and effects are answered.
 */
export class FollowUp implements EscalationHost {
  readonly callerIsHere = false;
  /** The call's. */
  readonly state = "ended";
  readonly #services: FollowUpServices;
  readonly #seed: FollowUpSeed;
  readonly #callSid: string;
  readonly #log: Log;
  readonly #queue: EventQueue;
  readonly #watch: IncidentWatch;
  readonly #facts: PageFacts;
  readonly #runner: EffectRunner<PageEffect>;
  readonly #keeper: SnapshotKeeper;
  readonly #actor;
  #snapshot: SnapshotFrom<typeof incidentMachine>;
  readonly #over = new AbortController();
  readonly #onOver: () => void;

  /** With `unfinished` it is one that another engine left; {@link FollowUp.resume} goes on with it. */
  constructor(
    services: FollowUpServices,
    seed: FollowUpSeed,
    onOver: () => void,
    unfinished?: Unfinished<SavedFollowUp>,
  ) {
    const { clock, pages, logic, feed, store } = services;
    const { recorder, incidents, policy } = seed;
    const { callSid, from } = seed.start;
    const saved = unfinished?.saved;
    this.#services = services;
    this.#seed = seed;
    this.#callSid = callSid;
    this.#onOver = onOver;
    this.#log = services.log.child({ callSid });
    this.#queue = new EventQueue({ clock, log: this.#log, handle: (event) => this.#handle(event) });
    const callFeed = new CallFeed(callSid, clock, feed);
    const onPageEnded = (label: string): void => pages.withdraw(callSid, label);
    const tell = (incident: IncidentFacts): void => callFeed.incident(incident);
    const metrics = services.escalationMetrics;
    const current = saved ? [saved.machine.context["incident"] as Incident] : [];
    const known = [...incidents, ...current];
    this.#watch = new IncidentWatch({ recorder, metrics, tell, onPageEnded }, known);
    this.#facts = { callSid, ringTimeoutMs: policy.ringTimeoutMs, from };
    if (services.onEntry) recorder.listen(services.onEntry);
    this.#keeper = new SnapshotKeeper({ callSid, clock, store, take: () => this.#take() });
    this.#runner = new EffectRunner<PageEffect>({
      clock,
      log: this.#log,
      recorder,
      journal: seed.journal,
      perform: (effect, turn) => pages.run(effect, this.#facts, this.#over.signal, turn),
      tell: (name, outcome) => callFeed.effect(name, outcome),
      deliver: (answer) => this.#answered(answer),
      spans: services.tracing?.call(callSid).effects,
    });
    const inspect = this.#runner.listener();
    const snapshot = saved && { snapshot: saved.machine as unknown as Snapshot<unknown> };
    const input = followUpInput({ callSid, policy, incidents }, clock.now());
    this.#actor = createActor(logic, { input, clock, inspect, ...snapshot });
    hostDeadlines(this.#actor, { deliver: (event) => this.#queue.push(event), over: this.#over.signal });
    this.#actor.subscribe({ error: (error) => this.#onActorError(error) });
    this.#snapshot = this.#actor.getSnapshot();
  }

  begin(): void {
    this.#services.escalations.following(this.#callSid);
    const { number: incident, openedAtMs } = this.#incident;
    this.#seed.recorder.write("note", FOLLOW_UP_BEGUN, { incident, openedAtMs });
    this.#log.info("follow_up.begun");
    this.#queue.hold(() => {
      this.#actor.start();
      this.#look();
    });
  }

  /** Goes on where the engine before was. Nothing is done again, and deadlines keep their times. */
  resume({ saved, snapshotSeq, downMs }: Unfinished<SavedFollowUp>): void {
    const { escalations } = this.#services;
    this.#seed.recorder.write("note", CALL_RESTORED, { snapshotSeq, downMs });
    this.#queue.resume(saved.seen);
    this.#queue.hold(() => {
      this.#actor.start();
      this.#look();
      escalations.following(this.#callSid);
      escalations.resume(this.#callSid, saved.pages, this.#seed.journal);
      this.#log.info("follow_up.restored", { phase: this.#incident.phase, downMs });
      this.#runner.resume(saved.effects as readonly PageEffect[]);
      this.#watch.resumed();
      this.#queue.push({ type: "engine.restored" });
    });
  }

  /** The phones that ring, or are spoken to. */
  legsUp(): readonly LegUp[] {
    return pageLegs(this.#snapshot.children);
  }

  /** The engine stops, and another will go on. */
  handOver(): void {
    if (this.#over.signal.aborted) return;
    this.#seed.recorder.write("note", "call.handed_over", {});
    this.#runner.handOver();
    this.#keeper.save();
    this.#keeper.stop();
    this.#queue.close();
    this.#over.abort();
  }

  deliver(event: UnstampedCallEvent, key?: string): void {
    this.#queue.push(event.type === "page.acknowledged" ? this.#named(event) : event, key);
  }

  /** A text or link of the call's last incident is still answered: the machine has to be told whose it was. */
  #named(event: Extract<UnstampedCallEvent, { readonly type: "page.acknowledged" }>): UnstampedCallEvent {
    const page = this.#seed.incidents.at(-1)?.pages.find(({ label }) => label === event.label);
    if (!page) return event;
    const { channel, rung, contact, contactName } = page;
    return contactOf(this.#seed, page)?.name === contactName
      ? { ...event, earlier: { channel, rung, contact } }
      : event;
  }

  /** An operator can call it off, and nothing else. */
  accepts(event: UnstampedCallEvent): boolean {
    return event.type === "op.hangup";
  }

  /** Says in the call's log who gave the command that comes next. */
  noteCommand(data: CommandNote): void {
    this.#seed.recorder.write("note", OPERATOR_COMMAND, { ...data });
  }

  /** The machines that seek somebody on. */
  get standing(): SnapshotFrom<typeof incidentMachine> {
    return this.#snapshot;
  }

  /** There is no room any more. */
  legWanted(): boolean {
    return false;
  }

  /** The engine stops. */
  stop(): void {
    this.#log.warn("follow_up.stopped", { phase: this.#incident.phase });
    this.#end("follow_up.stopped");
  }

  get #incident(): Incident {
    return this.#snapshot.context.incident;
  }

  #handle(event: CallEvent): void {
    this.#seed.recorder.write("event", event.type, event);
    this.#actor.send(event);
    this.#look();
  }

  #look(): void {
    const before = this.#incident.phase;
    this.#snapshot = this.#actor.getSnapshot();
    if (this.#snapshot.status === "error") return;
    const incidents = [...this.#seed.incidents, this.#incident];
    const { start, policy } = this.#seed;
    this.#services.escalations.update(this.#callSid, { from: start.from, policy }, incidents);
    this.#watch.see(incidents);
    if (this.#incident.phase !== before) this.#services.store.saveCall(this.#seed.row());
    if (this.#snapshot.status === "done") this.#end("follow_up.ended");
    else this.#keeper.save();
  }

  #take(): StoredState {
    const { start, incidents, recorder } = this.#seed;
    const saved = {
      kind: "follow_up" as const,
      start,
      savedAtMs: this.#services.clock.now(),
      machine: this.#actor.getPersistedSnapshot() as unknown as SavedMachine,
      effects: this.#runner.waiting,
      seen: this.#queue.seen,
      pages: this.#services.escalations.saved(this.#callSid),
      known: recorder.known,
      incidents,
    };
    return sealState(saved, recorder.entries);
  }

  #answered(answer: EffectAnswer): void {
    const leg = this.#over.signal.aborted ? legMade(answer) : null;
    if (leg) this.#hangUp(leg);
    this.#queue.push(answer);
  }

  #hangUp({ label, callSid }: LegUp): void {
    const { pages } = this.#services;
    const id = `${this.#callSid}/late/${label}`;
    const effect = { type: "effect", id, name: "page.hangUp", input: { label, callSid } } as const;
    void pages.run(effect, this.#facts, this.#over.signal);
  }

  #onActorError(error: unknown): void {
    this.#log.error("follow_up.actor_failed", { error: errorText(error) });
    if (!this.#over.signal.aborted) this.#end("follow_up.failed");
  }

  /** The row is saved once more, with what has become of the incident. */
  #end(note: string): void {
    if (this.#over.signal.aborted) return;
    const { recorder, row } = this.#seed;
    const { store, escalations } = this.#services;
    for (const leg of this.legsUp()) this.#hangUp(leg);
    this.#keeper.drop();
    this.#queue.close();
    this.#over.abort();
    this.#actor.stop();
    const { outcome, owner } = this.#incident;
    recorder.write("note", note, { outcome, owned: owner !== null });
    recorder.write("note", LOG_CLOSED, {});
    store.saveCall(row());
    escalations.over(this.#callSid);
    this.#log.info("follow_up.ended", { outcome, owned: owner !== null });
    this.#onOver();
  }
}

/** What the machine is started with. `incidents` are all of the call; the last is open. */
export function followUpInput(
  { callSid, policy, incidents }: Pick<FollowUpSeed, "policy" | "incidents"> & { readonly callSid: string },
  atMs: number,
): LadderInput {
  const last = incidents.at(-1);
  invariant(last, "there was an incident");
  const { by, reason, urgency } = last;
  return {
    callSid,
    number: last.number + 1,
    by,
    reason,
    urgency,
    atMs,
    policy,
    firstPage: 1 + incidents.reduce((sum, each) => sum + each.pages.length + each.pagesDropped, 0),
    followUp: true,
    pauseFirst: last.outcome === "exhausted",
  };
}
