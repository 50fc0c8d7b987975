/** What belongs to one call beside its actor: its log, its feed, its voice, and who carries out its effects. */
import type { CallContext } from "../../machines/context.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import type { Log, Snapshot } from "../ports.ts";
import { type AnyEffect, CallEffects } from "./call-effects.ts";
import { CallFeed } from "./call-feed.ts";
import type { CallStart } from "./call-input.ts";
import type { CallServices } from "./call-services.ts";
import { CallMeter } from "./call-meter.ts";
import { CallStreams } from "./call-streams.ts";
import type { EffectAnswer } from "./effect-answer.ts";
import { EffectRunner } from "./effect-runner.ts";
import { IncidentWatch } from "./incident-watch.ts";
import { Recorder } from "./recorder.ts";
import type { Unfinished } from "./restore.ts";
import type { SavedCall } from "./snapshot.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import { Speakers } from "./speakers.ts";
import { Tracks } from "./tracks.ts";
import { Voice } from "./voice.ts";
import { VoiceMetrics } from "./voice-metrics.ts";

export interface CallPartsOptions {
  readonly services: Omit<CallServices, "onEnded">;
  readonly start: CallStart;
  readonly log: Log;
  /** Of a call that another engine left. */
  readonly unfinished: Unfinished<SavedCall> | undefined;
  readonly push: (event: UnstampedCallEvent) => void;
  readonly answered: (answer: EffectAnswer) => void;
  readonly facts: () => CallContext;
  readonly take: () => Snapshot;
  /** The call ends: what would only bring more people into it is withdrawn. */
  readonly ending: AbortSignal;
}

export type CallParts = ReturnType<typeof makeParts>;

export function makeParts({ services, start, log, unfinished, ...host }: CallPartsOptions) {
  const { clock, store, effects: carrier, pages, escalationMetrics: metrics } = services;
  const { callSid } = start;
  const saved = unfinished?.saved;
  const feed = new CallFeed(callSid, clock, services.feed);
  const recorder = unfinished?.recorder ?? new Recorder(callSid, clock, store);
  if (services.onEntry) recorder.listen(services.onEntry);
  const keeper = new SnapshotKeeper({ callSid, clock, store, take: host.take });
  const { voiceMetrics = new VoiceMetrics() } = services;
  const trace = services.tracing?.call(callSid);
  const onMedia: OnMedia = (name, data) => recorder.write("media", name, data);
  const onFork: OnFork = (label, runs) => meter.fork(label, runs);
  const { tracks, speakers } = listening(services, callSid, saved, { facts: host.facts, onMedia, onFork });
  const voice = new Voice({
    ...services,
    speakers,
    tracks,
    callSid,
    log,
    ...(services.mediaMetrics && { metrics: services.mediaMetrics }),
    voiceMetrics,
    trace,
    onEvent: host.push,
    onTranscript: (entry) => feed.transcript(entry),
    onMedia,
    onChange: () => keeper.soon(),
    ...(saved && { before: saved.voice }),
  });
  const { facts, ending } = host;
  const streams = new CallStreams(voice);
  const { prices, recording } = services.deployment;
  const { modelName = null } = services;
  const meter: CallMeter = new CallMeter({
    clock,
    voice,
    metrics: voiceMetrics,
    facts,
    modelName,
    prices,
    recording,
    ...(saved && { before: saved.usage ?? null }),
  });
  const effects = new CallEffects({ start, clock, effects: carrier, pages, voice, facts, ending });
  const runner = new EffectRunner<AnyEffect>({
    clock,
    log,
    recorder,
    journal: services.journal.of(callSid),
    perform: (effect, turn) => effects.perform(effect, turn),
    tell: (name, outcome) => feed.effect(name, outcome),
    deliver: host.answered,
    spans: trace?.effects,
  });
  const onPageEnded = (label: string): void => pages.withdraw(callSid, label);
  const watch = new IncidentWatch(
    { recorder, metrics, tell: (incident) => feed.incident(incident), onPageEnded },
    (saved?.machine.context["incidents"] ?? []) as CallContext["incidents"],
  );
  return { log, feed, recorder, keeper, voice, streams, meter, trace, effects, runner, watch };
}

type OnMedia = (name: string, data: Readonly<Record<string, unknown>>) => void;
type OnFork = (label: string, runs: boolean) => void;

/** What of the audio is kept, and who is told apart in it. */
function listening(
  services: Omit<CallServices, "onEnded">,
  callSid: string,
  saved: SavedCall | undefined,
  host: { readonly facts: () => CallContext; readonly onMedia: OnMedia; readonly onFork: OnFork },
) {
  const { clock, deployment } = services;
  // A call that another engine had begins before this one: its tracks are laid out from its own beginning.
  const { startedAtMs = clock.now() } = (saved?.machine.context ?? {}) as Partial<CallContext>;
  const startMs = clock.monotonicMs() - Math.max(0, clock.now() - startedAtMs);
  const tracks = new Tracks({ ...services, callSid, startMs, kept: saved?.voice.recordings ?? [] });
  const { turnDetection } = deployment.agent;
  const options = { ...host, clock, turnDetection, tracks, restored: saved !== undefined };
  return { tracks, speakers: deployment.speakers === "forked" ? new Speakers(options) : null };
}

/** For the row: what is known beside the call's actor. */
export function rowParts(services: Omit<CallServices, "onEnded">, start: CallStart, parts: CallParts) {
  const { deployment, provider, escalations, node } = services;
  return {
    // The last of them may go on after the call.
    incidents: escalations.incidents(start.callSid),
    from: start.from,
    to: start.to,
    node,
    agent: deployment.agent.name,
    provider,
    transcript: parts.voice.said,
    recordings: parts.voice.recordings,
    speakers: parts.voice.speakers?.told ?? "mixed",
    cost: parts.meter.cost(),
    log: parts.recorder.head,
  };
}

/** For the row: what the parts of the call counted. */
export function figuresOf({ voice, keeper, recorder }: CallParts): Readonly<Record<string, number>> {
  return { ...voice.metrics(), ...keeper.counters(), logDropped: recorder.dropped };
}
