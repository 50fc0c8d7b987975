/**
 * One live call: its actor, its voice, its log and its row. Everything that happens to the call goes
 * through one queue, one event at a time; audio does not.
 */
import { createActor, type SnapshotFrom } from "xstate";
import { callMachine, topState } from "../../machines/call.machine.ts";
import type { CallContext, CallEffect } from "../../machines/context.ts";
import type { CallEvent, EndReason, UnstampedCallEvent } from "../../machines/events.ts";
import type { PageEffect } from "../../machines/ladder.types.ts";
import { LOG_CLOSED } from "../audit/chain.ts";
import { observeActors } from "../audit/observer.ts";
import type { Deployment } from "../config/deployment.ts";
import type { Journal, Turn } from "../effects/journal.ts";
import { errorText } from "../errors.ts";
import type { MediaLeg } from "../media/leg.ts";
import type { MediaMetrics } from "../media/media-metrics.ts";
import type { CallRow, Clock, Log, Recordings, SpeechModel, Store } from "../ports.ts";
import { CallFeed } from "./call-feed.ts";
import { type CallStart, callInput } from "./call-input.ts";
import { type CallLogic, hostDeadlines } from "./deadline.ts";
import { answerOf, type EffectAnswer } from "./effect-answer.ts";
import { EffectRunner, hearEffects } from "./effect-runner.ts";
import type { CarrierEffect, CarrierEffects } from "./effects.ts";
import type { EscalationMetrics } from "./escalation-metrics.ts";
import type { EscalationHost, Escalations } from "./escalations.ts";
import { EventQueue } from "./event-queue.ts";
import type { FollowUps, FollowUpSeed } from "./follow-ups.ts";
import { IncidentWatch } from "./incident-watch.ts";
import type { FeedMessage, LiveCall, LiveIndex } from "./live-index.ts";
import type { PageEffects } from "./page-effects.ts";
import { type LegUp, pageLegs } from "./page-legs.ts";
import { Recorder } from "./recorder.ts";
import { rowOf } from "./row.ts";
import { Voice, type VoiceEffect } from "./voice.ts";
import type { Wording } from "./wording.ts";

type AnyEffect = CallEffect | PageEffect;

export interface CallServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Pick<Journal, "of">;
  readonly recordings: Recordings;
  readonly model: SpeechModel;
  readonly effects: CarrierEffects;
  readonly pages: PageEffects;
  readonly escalations: Escalations;
  readonly escalationMetrics: EscalationMetrics;
  readonly followUps: Pick<FollowUps, "begin">;
  readonly logic: CallLogic;
  readonly provider: string;
  readonly deployment: Deployment;
  readonly wording: Wording;
  readonly mediaMetrics?: MediaMetrics;
  readonly index: LiveIndex;
  readonly feed: (message: FeedMessage) => void;
  readonly onEnded: (session: CallSession) => void;
}

const MAKES_A_LEG: ReadonlySet<string> = new Set(["carrier.addAi", "page.call"]);

export class CallSession implements EscalationHost {
  readonly callSid: string;
  readonly #services: CallServices;
  readonly #start: CallStart;
  readonly #log: Log;
  readonly #feed: CallFeed;
  readonly #queue: EventQueue;
  readonly #recorder: Recorder;
  readonly #watch: IncidentWatch;
  readonly #voice: Voice;
  readonly #runner: EffectRunner<AnyEffect>;
  readonly #actor;
  #snapshot: SnapshotFrom<typeof callMachine>;
  readonly #streams = new Map<string, MediaLeg>();
  readonly #over = new AbortController();
  /** Withdraws what has not been sent yet and would only bring more people into a call that ends. */
  readonly #ending = new AbortController();
  #endedAtMs: number | null = null;
  #endReason: EndReason | null = null;

  constructor(services: CallServices, start: CallStart) {
    const { clock, store, pages } = services;
    const { callSid } = start;
    this.callSid = callSid;
    this.#services = services;
    this.#start = start;
    this.#log = services.log.child({ callSid });
    this.#feed = new CallFeed(callSid, clock, services.feed);
    this.#recorder = new Recorder(callSid, clock, store);
    this.#queue = new EventQueue({ clock, log: this.#log, handle: (event) => this.#handle(event) });
    this.#watch = new IncidentWatch({
      recorder: this.#recorder,
      metrics: services.escalationMetrics,
      tell: (incident) => this.#feed.incident(incident),
      onPageEnded: (label) => pages.withdraw(callSid, label),
    });
    this.#voice = this.#makeVoice();
    this.#runner = new EffectRunner<AnyEffect>({
      clock,
      log: this.#log,
      recorder: this.#recorder,
      journal: services.journal.of(callSid),
      perform: (effect, turn) => this.#perform(effect, turn),
      tell: (name, outcome) => this.#feed.effect(name, outcome),
      deliver: (answer) => this.#answered(answer),
    });
    const steps = observeActors(({ actor, ...step }) => this.#recorder.write("step", actor, step));
    const inspect = hearEffects((effect: AnyEffect) => this.#runner.run(effect), steps);
    const input = callInput(start, services.deployment, clock.now());
    this.#actor = createActor(services.logic, { input, clock, inspect });
    hostDeadlines(this.#actor, { deliver: (event) => this.#queue.push(event), over: this.#over.signal });
    this.#actor.subscribe({ error: (error) => this.#onActorError(error) });
    this.#snapshot = this.#actor.getSnapshot();
  }

  /** Starts the actor, which asks for its first effects. */
  begin(): void {
    const { index } = this.#services;
    this.#recorder.begin(this.#services.deployment.agent.name, this.#snapshot.context);
    this.#queue.hold(() => {
      this.#actor.start();
      this.#snapshot = this.#actor.getSnapshot();
      index.send({ type: "begun", call: this.#live() });
      this.#log.info("call.state", { state: this.state, from: null });
      this.#feed.state(this.state, null, this.#snapshot.value);
      this.#services.store.saveCall(this.row());
    });
  }

  get state(): string {
    return topState(this.#snapshot.value);
  }

  get ended(): boolean {
    return this.#endedAtMs !== null;
  }

  /** Hands an event to the call. `key` names this very occurrence, so that a repetition is dropped. */
  deliver(event: UnstampedCallEvent, key?: string): void {
    this.#queue.push(event, key);
  }

  /** Whether an operator's command has an effect in the present state. */
  accepts(event: UnstampedCallEvent): boolean {
    const stamped = { ...event, at: this.#services.clock.now() } as CallEvent;
    const transitions = callMachine.getTransitionData(this.#snapshot, stamped) ?? [];
    return transitions.some((transition) => transition.eventType === event.type);
  }

  /** Label of one of our legs by its call sid, for callbacks that carry no label. */
  labelOf(callSid: string): string | null {
    const legs = Object.values(this.#snapshot.context.legs);
    return legs.find((leg) => leg.callSid === callSid)?.label ?? null;
  }

  /** The AI leg that is wanted now, or null when the call wants none (any more). */
  get wantedAiLabel(): string | null {
    const { aiLabel, endReason, legs } = this.#snapshot.context;
    if (endReason !== null || aiLabel === null || legs[aiLabel]?.status === "left") return null;
    const away =
      this.#snapshot.matches({ removed: "leaving" }) || this.#snapshot.matches({ removed: "gone" });
    return away ? null : aiLabel;
  }

  legWanted(label: string): boolean {
    const leg = this.#snapshot.context.legs[label];
    return leg?.kind === "human" && leg.status !== "left" && !leg.unwanted;
  }

  get callerIsHere(): boolean {
    return !this.ended && !this.#snapshot.context.callerGone;
  }

  streamStarted(stream: {
    readonly label: string;
    readonly streamSid: string;
    readonly streamCallSid: string;
    readonly leg: MediaLeg;
  }): boolean {
    if (this.ended || stream.label !== this.wantedAiLabel) return false;
    this.#streams.set(stream.streamSid, stream.leg);
    this.#voice.attachLeg(stream.leg);
    const { label, streamSid, streamCallSid } = stream;
    this.#queue.push({ type: "ai.streamStarted", label, streamSid, streamCallSid });
    return true;
  }

  streamClosed(stream: {
    readonly label: string;
    readonly streamSid: string;
    readonly reason: "stop" | "socket" | "replaced" | "error";
  }): void {
    const leg = this.#streams.get(stream.streamSid);
    this.#streams.delete(stream.streamSid);
    if (leg) this.#voice.detachLeg(leg);
    const { label, streamSid, reason } = stream;
    this.#queue.push({ type: "ai.streamClosed", label, streamSid, reason });
  }

  /** The engine stops and cannot wait any longer: the row is made from what is known. */
  abandon(): void {
    if (this.ended) return;
    const from = this.state;
    this.#actor.stop();
    this.#finish(this.#snapshot.context.endReason ?? "engine_shutdown");
    this.#feed.state(this.ended ? "ended" : this.state, from, this.#snapshot.value);
  }

  row(): CallRow {
    const { deployment, provider, escalations } = this.#services;
    const { context } = this.#snapshot;
    return rowOf({
      // The last of them may go on after the call.
      incidents: escalations.incidents(this.callSid),
      // An actor that failed did not get as far as to say why the call ended.
      context: { ...context, endReason: this.#endReason ?? context.endReason },
      errors: this.#runner.withLost(context.errors),
      state: this.ended ? "ended" : this.state,
      from: this.#start.from,
      to: this.#start.to,
      agent: deployment.agent.name,
      provider,
      endedAtMs: this.#endedAtMs,
      transcript: this.#voice.said,
      recordings: this.#voice.recordings,
      metrics: this.#metrics(),
      log: this.#recorder.head,
    });
  }

  #metrics(): Readonly<Record<string, number>> {
    return {
      ...this.#voice.metrics(),
      ...this.#queue.metrics(),
      effects: this.#snapshot.context.effectCount,
      logDropped: this.#recorder.dropped,
    };
  }

  #makeVoice(): Voice {
    const { clock, model, deployment, wording, recordings, mediaMetrics } = this.#services;
    return new Voice({
      callSid: this.callSid,
      clock,
      log: this.#log,
      model,
      deployment,
      wording,
      recordings,
      ...(mediaMetrics && { metrics: mediaMetrics }),
      onEvent: (event) => this.#queue.push(event),
      onTranscript: (entry) => this.#feed.transcript(entry),
      onMedia: (name, data) => this.#recorder.write("media", name, data),
    });
  }

  #handle(event: CallEvent): void {
    const before = this.#snapshot;
    this.#recorder.write("event", event.type, event);
    this.#actor.send(event);
    const after = this.#actor.getSnapshot();
    this.#snapshot = after;
    this.#log.debug("call.event", { type: event.type });
    if (after.status === "error") return;
    if (after.context.endReason !== null) this.#ending.abort();
    this.#seeIncidents();
    if (JSON.stringify(before.value) !== JSON.stringify(after.value)) this.#moved(topState(before.value));
  }

  #moved(from: string): void {
    const { index, store } = this.#services;
    this.#recorder.write("state", this.state, { value: this.#snapshot.value });
    // Whoever is told that a call has ended may ask for its row at once: the row comes first.
    if (this.#snapshot.status === "done") this.#finish(this.#snapshot.context.endReason ?? "internal_error");
    else index.send({ type: "moved", call: this.#live() });
    this.#feed.state(this.ended ? "ended" : this.state, from, this.#snapshot.value);
    if (from === this.state) return;
    this.#log.info("call.state", { state: this.state, from });
    if (!this.ended) store.saveCall(this.row());
  }

  #seeIncidents(): void {
    const { incidents } = this.#snapshot.context;
    if (incidents.length === 0) return;
    // First, so that whoever looks because of the change finds it.
    this.#services.escalations.update(this.callSid, this.#start.from, incidents);
    this.#watch.see(incidents);
  }

  #perform(effect: AnyEffect, turn: Turn): Promise<EffectAnswer> | null {
    const { effects, pages, clock } = this.#services;
    if (effect.name.startsWith("carrier.")) {
      // As they are now: this may run in the middle of the step that asked for it.
      const facts = (): CallContext => this.#actor.getSnapshot().context;
      return effects.run(effect as CarrierEffect, facts, this.#ending.signal, turn);
    }
    if (effect.name.startsWith("page.") || effect.name.startsWith("ladder.")) {
      const { ringTimeoutMs } = this.#snapshot.context.policy;
      const facts = { callSid: this.callSid, ringTimeoutMs, from: this.#start.from };
      return pages.run(effect as PageEffect, facts, this.#ending.signal, turn);
    }
    const confirmed = this.#voice.run(effect as VoiceEffect);
    if (!confirmed) return null;
    return answerOf(effect, clock, async () => {
      if (!(await confirmed)) throw new Error("the model did not confirm");
      return {};
    });
  }

  /** A leg whose making was answered only after the call was over would be nobody's. */
  #answered(answer: EffectAnswer): void {
    const late = this.ended && answer.type === "effect.done" && MAKES_A_LEG.has(answer.name);
    if (late && answer.callSid && answer.label !== null) this.#hangUp(answer.label, answer.callSid);
    this.#queue.push(answer);
  }

  /** Every leg and every page that may be up, as far as is known. */
  #legsUp(): readonly LegUp[] {
    const { context, children } = this.#snapshot;
    const legs = Object.values(context.legs).flatMap(({ label, callSid, status }) =>
      callSid === null || status === "left" ? [] : [{ label, callSid }],
    );
    return [...legs, ...pageLegs(children)];
  }

  #hangUp(label: string, callSid: string): void {
    const id = `${this.callSid}/late/${label}`;
    const effect = { type: "effect", id, name: "carrier.hangUp", input: { label, callSid } } as const;
    void this.#services.effects.run(effect, () => this.#snapshot.context);
  }

  /** An error of the actor itself: never expected, so nothing of the call is trusted any more. */
  #onActorError(error: unknown): void {
    this.#log.error("call.actor_failed", { error: errorText(error) });
    this.#recorder.write("note", "actor.failed", { error: errorText(error) });
    if (this.ended) return;
    this.#ending.abort();
    for (const { label, callSid } of this.#legsUp()) this.#hangUp(label, callSid);
    const from = this.state;
    this.#finish("internal_error");
    this.#feed.state(this.ended ? "ended" : this.state, from, this.#snapshot.value);
  }

  #finish(reason: EndReason): void {
    if (this.ended) return;
    this.#endReason = reason;
    const { clock, index, store, onEnded } = this.#services;
    // Closed first: what was unheard is cut and noted before the row is made.
    this.#voice.close();
    this.#endedAtMs = clock.now();
    this.#queue.close();
    this.#over.abort();
    for (const leg of this.#streams.values()) leg.close(1000, "call ended");
    this.#streams.clear();
    this.#recorder.write("note", "call.ended", { endReason: reason });
    const open = this.#openIncident();
    if (!open) this.#closeLog();
    store.saveCall(this.row());
    if (open && !this.#services.followUps.begin(open)) {
      this.#closeLog();
      store.saveCall(this.row());
    }
    void this.#voice.keepRecordings().then((kept) => kept && store.saveCall(this.row()));
    index.send({ type: "over", callSid: this.callSid, reason });
    this.#log.info("call.ended", {
      endReason: reason,
      auditHash: this.#recorder.head.hash,
      durationMs: this.#endedAtMs - this.#snapshot.context.startedAtMs,
    });
    onEnded(this);
  }

  /** The caller was promised an answer, and nobody was there: somebody is sought on without them. */
  #openIncident(): FollowUpSeed | null {
    const { incidents, policy } = this.#snapshot.context;
    const last = incidents.at(-1);
    if (last?.outcome !== "exhausted") return null;
    const { callSid, from } = this.#start;
    const { journal } = this.#runner;
    return { callSid, from, policy, incidents, recorder: this.#recorder, journal, row: () => this.row() };
  }

  #closeLog(): void {
    this.#services.escalations.over(this.callSid);
    this.#recorder.write("note", LOG_CLOSED, {});
  }

  #live(): LiveCall {
    const { context, value } = this.#snapshot;
    return {
      callSid: this.callSid,
      state: this.state,
      value,
      startedAtMs: context.startedAtMs,
      role: context.role,
    };
  }
}
