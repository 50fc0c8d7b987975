/**
 * One live call: its actor, its voice, its log and its row. Everything that happens to the call goes
 * through one queue, one event at a time; audio does not.
 */
import { createActor, type SnapshotFrom } from "xstate";
import type { CallContext, CallEffect, CallInput } from "../../machines/context.ts";
import type { CallEvent, EndReason, UnstampedCallEvent } from "../../machines/events.ts";
import { callMachine, topState } from "../../machines/call.machine.ts";
import { observeActors } from "../audit/observer.ts";
import { type Deployment, firstVoiceNumber } from "../config/deployment.ts";
import { ladderPolicyOf } from "../config/ladder-policy.ts";
import { errorText } from "../errors.ts";
import type { MediaLeg } from "../media/leg.ts";
import type { MediaMetrics } from "../media/media-metrics.ts";
import type { CallRow, Clock, Log, Recordings, SpeechModel, Store, TranscriptEntry } from "../ports.ts";
import { type CallLogic, hostDeadlines } from "./deadline.ts";
import type { CarrierEffect, CarrierEffects } from "./effects.ts";
import { EventQueue } from "./event-queue.ts";
import type { FeedMessage, LiveCall, LiveIndex } from "./live-index.ts";
import { Recorder } from "./recorder.ts";
import { rowOf } from "./row.ts";
import { Voice, type VoiceEffect } from "./voice.ts";
import type { Wording } from "./wording.ts";

export interface CallServices {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly recordings: Recordings;
  readonly model: SpeechModel;
  readonly effects: CarrierEffects;
  readonly logic: CallLogic;
  readonly provider: string;
  readonly deployment: Deployment;
  readonly wording: Wording;
  readonly mediaMetrics?: MediaMetrics;
  readonly index: LiveIndex;
  readonly feed: (message: FeedMessage) => void;
  readonly onEnded: (session: CallSession) => void;
}

export interface CallStart {
  readonly callSid: string;
  readonly conferenceName: string;
  readonly from: string;
  readonly to: string;
}

const REJOIN_TIMEOUT_MS = 4000;
const READD_TIMEOUT_MS = 20_000;
const MAX_READDS = 3;
const JOIN_TIMEOUT_MS = 10_000;
const RELEASE_TIMEOUT_MS = 6000;
const GOODBYE_BASE_MS = 15_000;
const SPOKEN_MS_PER_CHAR = 100;
const DRAIN_TIMEOUT_MS = 30_000;

export class CallSession {
  readonly callSid: string;
  readonly #services: CallServices;
  readonly #start: CallStart;
  readonly #log: Log;
  readonly #queue: EventQueue;
  readonly #recorder: Recorder;
  readonly #voice: Voice;
  readonly #actor;
  #snapshot: SnapshotFrom<typeof callMachine>;
  readonly #streams = new Map<string, MediaLeg>();
  readonly #over = new AbortController();
  /** Withdraws what has not been sent yet and would only bring more people into a call that ends. */
  readonly #ending = new AbortController();
  #endedAtMs: number | null = null;
  #endReason: EndReason | null = null;

  constructor(services: CallServices, start: CallStart) {
    const { clock } = services;
    this.callSid = start.callSid;
    this.#services = services;
    this.#start = start;
    this.#log = services.log.child({ callSid: start.callSid });
    this.#recorder = new Recorder(start.callSid, clock, services.store);
    this.#queue = new EventQueue({ clock, log: this.#log, handle: (event) => this.#handle(event) });
    this.#voice = new Voice({
      callSid: start.callSid,
      clock,
      log: this.#log,
      model: services.model,
      deployment: services.deployment,
      wording: services.wording,
      recordings: services.recordings,
      ...(services.mediaMetrics && { metrics: services.mediaMetrics }),
      onEvent: (event) => this.#queue.push(event),
      onTranscript: (entry) => this.#onTranscript(entry),
      onMedia: (name, data) => this.#recorder.write("media", name, data),
    });
    const inspect = observeActors(({ actor, ...step }) => this.#recorder.write("step", actor, step));
    this.#actor = createActor(services.logic, { input: this.#input(), clock, inspect });
    hostDeadlines(this.#actor, { deliver: (event) => this.#queue.push(event), over: this.#over.signal });
    this.#actor.on("effect", (effect) => this.#run(effect));
    this.#actor.subscribe({ error: (error) => this.#onActorError(error) });
    this.#snapshot = this.#actor.getSnapshot();
  }

  /** Starts the actor, which asks for its first effects. */
  begin(): void {
    const { index } = this.#services;
    this.#recorder.write("note", "call.begun", { agent: this.#services.deployment.agent.name });
    this.#queue.hold(() => {
      this.#actor.start();
      this.#snapshot = this.#actor.getSnapshot();
      index.send({ type: "begun", call: this.#live() });
      this.#log.info("call.state", { state: this.state, from: null });
      this.#tellState(null);
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

  /** The human who is being rung or on their way into the room, or null. */
  get wantedHumanLabel(): string | null {
    const paged =
      this.#snapshot.matches("escalating") && !this.#snapshot.matches({ escalating: { page: "idle" } });
    return paged ? this.#snapshot.context.humanLabel : null;
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
    this.#tellState(from);
  }

  row(): CallRow {
    const { deployment, provider } = this.#services;
    const { context } = this.#snapshot;
    return rowOf({
      // An actor that failed did not get as far as to say why the call ended.
      context: { ...context, endReason: this.#endReason ?? context.endReason },
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
    const { taken, repeated, refused, overflowed, late, failed } = this.#queue.counters;
    return {
      ...this.#voice.metrics(),
      events: taken,
      eventsRepeated: repeated,
      eventsRefused: refused + overflowed,
      eventsLate: late,
      eventsFailed: failed,
      effects: this.#snapshot.context.effectCount,
      logDropped: this.#recorder.dropped,
    };
  }

  #input(): CallInput {
    const { deployment, clock } = this.#services;
    return {
      callSid: this.#start.callSid,
      conferenceName: this.#start.conferenceName,
      startedAtMs: clock.now(),
      afterHandover: deployment.escalation.afterHandover,
      onCallNumber: firstVoiceNumber(deployment),
      policy: ladderPolicyOf(deployment),
      limits: {
        arriveTimeoutMs: deployment.limits.arriveTimeoutMs,
        maxCallMs: deployment.limits.maxCallMs,
        modelReadyTimeoutMs: deployment.limits.modelReadyTimeoutMs,
        rejoinTimeoutMs: REJOIN_TIMEOUT_MS,
        readdTimeoutMs: READD_TIMEOUT_MS,
        maxReadds: MAX_READDS,
        ringTimeoutMs: deployment.escalation.ackTimeoutMs,
        joinTimeoutMs: JOIN_TIMEOUT_MS,
        releaseTimeoutMs: RELEASE_TIMEOUT_MS,
        goodbyeTimeoutMs: GOODBYE_BASE_MS + deployment.agent.apology.length * SPOKEN_MS_PER_CHAR,
        drainTimeoutMs: DRAIN_TIMEOUT_MS,
      },
    };
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
    if (JSON.stringify(before.value) !== JSON.stringify(after.value)) this.#moved(topState(before.value));
  }

  #moved(from: string): void {
    const { index, store } = this.#services;
    this.#recorder.write("state", this.state, { value: this.#snapshot.value });
    // Whoever is told that a call has ended may ask for its row at once: the row comes first.
    if (this.#snapshot.status === "done") this.#finish(this.#snapshot.context.endReason ?? "internal_error");
    else index.send({ type: "moved", call: this.#live() });
    this.#tellState(from);
    if (from === this.state) return;
    this.#log.info("call.state", { state: this.state, from });
    if (!this.ended) store.saveCall(this.row());
  }

  #run(effect: CallEffect): void {
    this.#recorder.write("effect", effect.name, { id: effect.id, ...effect.input });
    this.#tellEffect(effect.name, "started");
    if (effect.name === "carrier.withdraw") {
      this.#services.effects.withdraw(this.callSid, effect.input.label);
      return;
    }
    if (effect.name.startsWith("carrier.")) {
      void this.#runCarrier(effect as CarrierEffect);
      return;
    }
    try {
      const answer = this.#voice.run(effect as VoiceEffect);
      if (answer) void answer.then((confirmed) => this.#answered(effect, confirmed));
    } catch (error) {
      // A bug in the voice must not end in an endless wait for its answer.
      this.#log.error("effect.threw", { name: effect.name, error: errorText(error) });
      this.#answered(effect, false);
    }
  }

  async #runCarrier(effect: CarrierEffect): Promise<void> {
    // As they are now: this may run in the middle of the step that asked for it.
    const facts = (): CallContext => this.#actor.getSnapshot().context;
    const result = await this.#services.effects.run(effect, facts, this.#ending.signal);
    this.#recorder.write("result", result.type, { ...result, name: effect.name });
    const failed = result.type === "effect.failed";
    if (failed) {
      this.#log.warn("effect.failed", { name: result.name, code: result.code, status: result.status });
    }
    this.#tellEffect(effect.name, failed ? "failed" : "done");
    this.#queue.push(result);
  }

  #answered(effect: CallEffect, confirmed: boolean): void {
    const head = { id: effect.id, name: effect.name, label: null };
    if (confirmed) this.#queue.push({ type: "effect.done", ...head });
    else {
      const message = "the model did not confirm";
      this.#queue.push({ type: "effect.failed", ...head, code: 0, status: 0, message });
    }
  }

  /** An error of the actor itself: never expected, so nothing of the call is trusted any more. */
  #onActorError(error: unknown): void {
    this.#log.error("call.actor_failed", { error: errorText(error) });
    this.#recorder.write("note", "actor.failed", { error: errorText(error) });
    if (this.ended) return;
    const { effects } = this.#services;
    const facts = this.#snapshot.context;
    const legs = Object.values(facts.legs).filter((leg) => leg.callSid !== null && leg.status !== "left");
    for (const leg of legs) {
      const input = { label: leg.label, callSid: leg.callSid as string };
      const id = `${this.callSid}/failed/${leg.label}`;
      void effects.run({ type: "effect", id, name: "carrier.hangUp", input }, () => facts);
    }
    const from = this.state;
    this.#finish("internal_error");
    this.#tellState(from);
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
    store.saveCall(this.row());
    void this.#voice.keepRecordings().then((kept) => kept && store.saveCall(this.row()));
    index.send({ type: "over", callSid: this.callSid, reason });
    this.#log.info("call.ended", {
      endReason: reason,
      auditHash: this.#recorder.head.hash,
      durationMs: this.#endedAtMs - this.#snapshot.context.startedAtMs,
    });
    onEnded(this);
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

  #at(): string {
    return new Date(this.#services.clock.now()).toISOString();
  }

  #tellState(from: string | null): void {
    const { value } = this.#snapshot;
    this.#services.feed({
      type: "state",
      callSid: this.callSid,
      state: this.ended ? "ended" : this.state,
      from,
      value,
      at: this.#at(),
    });
  }

  #tellEffect(name: string, outcome: "started" | "done" | "failed"): void {
    this.#services.feed({ type: "effect", callSid: this.callSid, name, outcome, at: this.#at() });
  }

  #onTranscript(entry: TranscriptEntry): void {
    const { speaker, text, heardText } = entry;
    const heard = heardText === undefined ? {} : { heardText };
    const { callSid } = this;
    this.#services.feed({ type: "transcript", callSid, speaker, text, ...heard, at: this.#at() });
  }
}
