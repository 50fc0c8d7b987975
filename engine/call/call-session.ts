/**
 * One live call: its actor, its voice, its log and its row. Everything that happens to the call goes
 * through one queue, one event at a time; audio does not.
 */
import { createActor, type Snapshot, type SnapshotFrom } from "xstate";
import { anyOpen } from "../../machines/call.incident.ts";
import type { CallContext } from "../../machines/context.ts";
import { callMachine, topState } from "../../machines/call.machine.ts";
import type { CallEvent, EndReason, UnstampedCallEvent } from "../../machines/events.ts";
import { isUnanswered } from "../../machines/ladder.facts.ts";
import type { SavedMachine } from "../../machines/migrations.ts";
import { CALL_RESTORED, LOG_CLOSED } from "../audit/chain.ts";
import { type CommandNote, OPERATOR_COMMAND } from "../audit/operator-note.ts";
import { errorText } from "../errors.ts";
import type { PostCallFacts } from "../postcall/facts.ts";
import type { CallRow, Snapshot as StoredState } from "../ports.ts";
import type { AnyEffect } from "./call-effects.ts";
import { type CallStart, callInput } from "./call-input.ts";
import { aiLabelsIn, isWantedIn, labelIn, legsUpIn, wantedAiLabelIn } from "./call-legs.ts";
import type { StreamDown, StreamUp } from "./call-legs.ts";
import { type CallParts, figuresOf, makeParts, rowParts } from "./call-parts.ts";
import type { CallServices } from "./call-services.ts";
import { hostDeadlines, startRestored } from "./deadline.ts";
import type { EffectAnswer } from "./effect-answer.ts";
import type { EscalationHost } from "./escalations.ts";
import { type EventOrder, EventQueue } from "./event-queue.ts";
import type { FollowUpSeed } from "./follow-ups.ts";
import type { LiveCall } from "./live-index.ts";
import { lostIncidents } from "./lost-incidents.ts";
import { type LegUp, legMade } from "./page-legs.ts";
import type { Unfinished } from "./restore.ts";
import { rowOf } from "./row.ts";
import { type SavedCall, sealCall } from "./snapshot.ts";
import type { Voice } from "./voice.ts";

/** What the call knew of its model's session when there was one. */
const WITH_MODEL: ReadonlySet<string> = new Set(["connecting", "ready", "reconnecting"]);

export class CallSession implements EscalationHost {
  readonly callSid: string;
  readonly #services: CallServices;
  readonly #start: CallStart;
  readonly #parts: CallParts;
  readonly #queue: EventQueue;
  readonly #actor;
  #snapshot: SnapshotFrom<typeof callMachine>;
  readonly #over = new AbortController();
  /** Withdraws what has not been sent yet and would only bring more people into a call that ends. */
  readonly #ending = new AbortController();
  readonly #restarts: number;
  #endedAtMs: number | null = null;
  #endReason: EndReason | null = null;
  #postCall: { readonly facts: PostCallFacts } | null = null;

  /** With `unfinished` the call is one that another engine left; {@link CallSession.resume} goes on with it. */
  constructor(services: CallServices, start: CallStart, unfinished?: Unfinished<SavedCall>) {
    const { clock } = services;
    const saved = unfinished?.saved;
    this.callSid = start.callSid;
    this.#services = services;
    this.#start = start;
    this.#restarts = saved ? saved.restarts + 1 : 0;
    const log = services.log.child({ callSid: start.callSid });
    this.#queue = new EventQueue({ clock, log, handle: (event) => this.#handle(event) });
    this.#parts = makeParts({
      services,
      start,
      log,
      unfinished,
      push: (event) => this.#queue.push(event),
      answered: (answer) => this.#answered(answer),
      facts: () => this.#actor.getSnapshot().context,
      take: () => this.#take(),
      ending: this.#ending.signal,
    });
    const inspect = this.#parts.runner.listener();
    const input = callInput(start, services.deployment, clock.now());
    const snapshot = saved && { snapshot: saved.machine as unknown as Snapshot<unknown> };
    this.#actor = createActor(services.logic, { input, clock, inspect, ...snapshot });
    hostDeadlines(this.#actor, { deliver: (event) => this.#queue.push(event), over: this.#over.signal });
    this.#actor.subscribe({ error: (error) => this.#onActorError(error) });
    this.#snapshot = this.#actor.getSnapshot();
  }

  /** Starts the actor, which asks for its first effects. */
  begin(): void {
    const { index } = this.#services;
    this.#parts.recorder.begin(this.#services.deployment.agent.name, this.#snapshot.context);
    this.#queue.hold(() => {
      this.#actor.start();
      this.#snapshot = this.#actor.getSnapshot();
      index.send({ type: "begun", call: this.#live() });
      this.#parts.log.info("call.state", { state: this.state, from: null });
      this.#parts.feed.state(this.state, null, this.#snapshot.value);
      this.#parts.keeper.save();
      this.#services.store.saveCall(this.row());
    });
  }

  /**
   * Goes on where the engine before was. Nothing is done again: what was asked for and not answered is settled,
   * deadlines keep their times, and the machine is told what died with that engine, and acts on it.
   */
  resume({ saved, snapshotSeq, downMs }: Unfinished<SavedCall>): void {
    const { index, escalations } = this.#services;
    this.#parts.recorder.write("note", CALL_RESTORED, { snapshotSeq, downMs, restarts: this.#restarts });
    this.#queue.resume(saved.seen);
    this.#queue.hold(() => {
      startRestored(this.#actor, this.#snapshot.context.limits);
      this.#snapshot = this.#actor.getSnapshot();
      const { context } = this.#snapshot;
      this.#seeIncidents(context.incidents);
      escalations.resume(this.callSid, saved.pages, this.#parts.runner.journal);
      index.send({ type: "restored", call: this.#live() });
      this.#parts.log.info("call.restored", { state: this.state, downMs, restarts: this.#restarts });
      this.#parts.feed.state(this.state, null, this.#snapshot.value);
      if (context.endReason !== null) this.#ending.abort();
      // Those of the model died with its session.
      const waiting = saved.effects.filter(({ name }) => !name.startsWith("model."));
      this.#parts.runner.resume(waiting as unknown as readonly AnyEffect[]);
      this.#parts.watch.resumed();
      // The model connects while Twilio is asked who is there.
      if (context.endReason === null && WITH_MODEL.has(context.model))
        this.#parts.voice.resume(this.#services.wording.resumed(anyOpen(context)));
      this.#queue.push({ type: "engine.restored" });
    });
  }

  get state(): string {
    return topState(this.#snapshot.value);
  }

  /** Labels of the AI legs that may still be up. */
  get aiLabels(): readonly string[] {
    return aiLabelsIn(this.#snapshot.context);
  }

  get ended(): boolean {
    return this.#endedAtMs !== null;
  }

  /** Hands an event to the call. See {@link EventQueue.push}. */
  deliver(event: UnstampedCallEvent, key?: string, order?: EventOrder): void {
    this.#queue.push(event, key, order);
  }

  /** Whether an operator's command has an effect in the present state. */
  accepts(event: UnstampedCallEvent): boolean {
    const stamped = { ...event, at: this.#services.clock.now() } as CallEvent;
    const transitions = callMachine.getTransitionData(this.#snapshot, stamped) ?? [];
    return transitions.some((transition) => transition.eventType === event.type);
  }

  /** Says in the call's log who gave the command that comes next. */
  noteCommand(data: CommandNote): void {
    this.#parts.recorder.write("note", OPERATOR_COMMAND, { ...data });
  }

  /** For whoever shows the call: another object after each step. */
  get standing(): SnapshotFrom<typeof callMachine> {
    return this.#snapshot;
  }

  get from(): string {
    return this.#start.from;
  }

  /** How long the caller has been waiting for the AI by now. */
  get callerWaitMs(): number {
    return this.ended ? 0 : this.#parts.meter.waitMs(this.state);
  }

  /** What was said, how the call sounds, and who speaks. */
  get heard(): Pick<Voice, "said" | "lastTurn" | "peaks" | "speakers"> {
    return this.#parts.voice;
  }

  /** Label of one of our legs by its call sid, for callbacks that carry no label. */
  labelOf(callSid: string): string | null {
    return labelIn(this.#snapshot.context, callSid);
  }

  /** The AI leg that is wanted now, or null when the call wants none (any more). */
  get wantedAiLabel(): string | null {
    return wantedAiLabelIn(this.#snapshot);
  }

  legWanted(label: string): boolean {
    return isWantedIn(this.#snapshot.context, label);
  }

  get callerIsHere(): boolean {
    return !this.ended && !this.#snapshot.context.callerGone;
  }

  streamStarted(stream: StreamUp): boolean {
    if (this.ended || stream.label !== this.wantedAiLabel) return false;
    this.#parts.streams.up(stream);
    const { label, streamSid, streamCallSid } = stream;
    this.#queue.push({ type: "ai.streamStarted", label, streamSid, streamCallSid });
    return true;
  }

  streamClosed(stream: StreamDown): void {
    this.#parts.streams.down(stream);
    const { label, streamSid, reason } = stream;
    this.#queue.push({ type: "ai.streamClosed", label, streamSid, reason });
  }

  /** The engine stops, and another will go on: nothing ends, and nothing more is done. */
  handOver(): void {
    if (this.ended || this.#over.signal.aborted) return;
    const { voice, meter, recorder, keeper, runner } = this.#parts;
    const save = (): void => {
      keeper.save();
      this.#services.store.saveCall(this.row());
    };
    // Closed first: what was unheard is cut, and noted.
    voice.close();
    meter.handOver();
    recorder.write("note", "call.handed_over", {});
    runner.handOver();
    save();
    // The next engine must know of a track that is on disk, or it would write over it.
    void voice.keepRecordings().then((kept) => {
      if (kept) save();
      keeper.stop();
    });
    this.#queue.close();
    this.#over.abort();
  }

  /** The engine stops and cannot wait any longer, or cannot go on with it: the row is made from what is known. */
  abandon(why: EndReason = "engine_shutdown"): void {
    if (this.ended) return;
    this.#actor.stop();
    this.#giveUp(this.#snapshot.context.endReason ?? why);
  }

  row(): CallRow {
    const { context } = this.#snapshot;
    return rowOf({
      ...rowParts(this.#services, this.#start, this.#parts),
      // An actor that failed did not get as far as to say why the call ended.
      context: { ...context, endReason: this.#endReason ?? context.endReason },
      errors: this.#parts.runner.withLost(context.errors),
      state: this.ended ? "ended" : this.state,
      endedAtMs: this.#endedAtMs,
      postCall: this.#postCall?.facts ?? null,
      metrics: {
        ...figuresOf(this.#parts),
        restarts: this.#restarts,
        ...this.#queue.metrics(),
        effects: context.effectCount,
      },
    });
  }

  #answered(answer: EffectAnswer): void {
    const leg = this.ended ? legMade(answer) : null;
    if (leg) this.#parts.effects.hangUp(leg);
    this.#queue.push(answer);
  }

  #take(): StoredState {
    const saved = {
      kind: "call" as const,
      start: this.#start,
      savedAtMs: this.#services.clock.now(),
      machine: this.#actor.getPersistedSnapshot() as unknown as SavedMachine,
      effects: this.#parts.runner.waiting,
      seen: this.#queue.seen,
      pages: this.#services.escalations.saved(this.callSid),
      known: this.#parts.recorder.known,
      tokens: this.#services.usedTokens(this.callSid),
      restarts: this.#restarts,
      usage: this.#parts.meter.saved(),
    };
    return sealCall(saved, this.#parts.voice.json(), this.#parts.recorder.entries);
  }

  #handle(event: CallEvent): void {
    const before = this.#snapshot;
    this.#parts.recorder.write("event", event.type, event);
    this.#parts.meter.before(event);
    this.#actor.send(event);
    const after = this.#actor.getSnapshot();
    this.#snapshot = after;
    this.#parts.meter.after(event);
    this.#parts.log.debug("call.event", { type: event.type });
    if (after.status === "error") return;
    if (after.context.endReason !== null) this.#ending.abort();
    this.#seeIncidents(after.context.incidents);
    if (JSON.stringify(before.value) !== JSON.stringify(after.value)) this.#moved(topState(before.value));
    if (!this.ended) this.#parts.keeper.save();
  }

  #moved(from: string): void {
    const { index, store } = this.#services;
    this.#parts.recorder.write("state", this.state, { value: this.#snapshot.value });
    // Whoever is told that a call has ended may ask for its row at once: the row comes first.
    if (this.#snapshot.status === "done") this.#finish(this.#snapshot.context.endReason ?? "internal_error");
    else index.send({ type: "moved", call: this.#live() });
    this.#parts.feed.state(this.ended ? "ended" : this.state, from, this.#snapshot.value);
    if (from === this.state) return;
    this.#parts.log.info("call.state", { state: this.state, from });
    if (!this.ended) store.saveCall(this.row());
  }

  #seeIncidents(incidents: CallContext["incidents"], kind?: "note"): void {
    if (incidents.length === 0) return;
    const { policy } = this.#snapshot.context;
    // First, so that whoever looks because of the change finds it.
    this.#services.escalations.update(this.callSid, { from: this.#start.from, policy }, incidents);
    this.#parts.watch.see(incidents, kind);
  }

  /** Every leg and every page that may be up, as far as is known. */
  legsUp(): readonly LegUp[] {
    return legsUpIn(this.#snapshot);
  }

  /** An error of the actor itself: never expected. The call ends, and nobody is left alone by that. */
  #onActorError(error: unknown): void {
    this.#parts.log.error("call.actor_failed", { error: errorText(error) });
    this.#parts.recorder.write("note", "actor.failed", { error: errorText(error) });
    if (this.ended) return;
    this.#ending.abort();
    this.#parts.effects.giveUp(this.#snapshot.context, this.legsUp());
    this.#giveUp("internal_error");
  }

  /** There is no actor any more that would say how the call, and its incidents, end. */
  #giveUp(reason: EndReason): void {
    const from = this.state;
    this.#seeIncidents(lostIncidents(this.#snapshot.context, this.#services.clock.now()), "note");
    this.#finish(reason);
    this.#parts.feed.state("ended", from, this.#snapshot.value);
  }

  #finish(reason: EndReason): void {
    if (this.ended) return;
    this.#endReason = reason;
    const { clock, index, store, onEnded } = this.#services;
    // Closed first: what was unheard is cut and noted before the row is made.
    this.#parts.voice.close();
    this.#endedAtMs = clock.now();
    this.#parts.meter.close();
    this.#services.costMetrics?.callOver(this.#parts.meter.cost());
    this.#queue.close();
    this.#over.abort();
    this.#parts.streams.closeAll();
    this.#parts.recorder.write("note", "call.ended", { endReason: reason });
    const open = this.#openIncident();
    this.#parts.keeper.stop();
    if (!open) this.#closeLog();
    this.#postCall = this.#services.postCalls?.begin(this.#start, () => this.row()) ?? null;
    store.saveCall(this.row());
    if (open && !this.#services.followUps.begin(open)) {
      this.#closeLog();
      store.saveCall(this.row());
    }
    void this.#parts.voice.keepRecordings().then((kept) => kept && store.saveCall(this.row()));
    index.send({ type: "over", callSid: this.callSid, reason });
    this.#parts.trace?.end(this.#snapshot.context.startedAtMs, {
      "tandem.call.agent": this.#services.deployment.agent.name,
      "tandem.call.end_reason": reason,
      "tandem.call.restarts": this.#restarts,
    });
    this.#parts.log.info("call.ended", {
      endReason: reason,
      auditHash: this.#parts.recorder.head.hash,
      durationMs: this.#endedAtMs - this.#snapshot.context.startedAtMs,
    });
    onEnded(this);
  }

  /** The caller was promised an answer, and nobody was there: somebody is sought on without them. */
  #openIncident(): FollowUpSeed | null {
    const { recorder, runner } = this.#parts;
    const { policy } = this.#snapshot.context;
    const incidents = this.#services.escalations.incidents(this.callSid);
    if (!incidents.slice(-1).some(isUnanswered)) return null;
    const { journal } = runner;
    return { start: this.#start, policy, incidents, recorder, journal, row: () => this.row() };
  }

  #closeLog(): void {
    this.#services.escalations.over(this.callSid);
    this.#parts.recorder.write("note", LOG_CLOSED, {});
    this.#parts.keeper.drop();
  }

  #live(): LiveCall {
    const { callSid, state } = this;
    const { context, value } = this.#snapshot;
    return { callSid, state, value, startedAtMs: context.startedAtMs, role: context.role };
  }
}
