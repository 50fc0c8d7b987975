/**
 * Who speaks in one call, from forks of the legs of its caller and of people who joined: what the model hears is one
 * mix. A fork that is lost loses this alone, and never touches the call.
 */
import type { CallContext } from "../../machines/context.ts";
import type { Deployment } from "../config/deployment.ts";
import type { ForkStream } from "../media/fork-stream.ts";
import type { StreamCloseReason } from "../media/media-connection.ts";
import { SpeechSpans } from "../media/speech-spans.ts";
import type { UserTurn } from "../media/user-turns.ts";
import { VoiceActivity } from "../media/voice-activity.ts";
import type { Clock, SpeakersTold, TranscriptEntry } from "../ports.ts";
import { CALLER, whoSpoke } from "./attribution.ts";
import type { LegTape, Tracks } from "./tracks.ts";

/** Legs of one call that are listened to, one after the other or at once; forks of more are refused. */
const MAX_LEGS = 32;
/** By how much a provider that judges by the sense of words lets a turn go on at least. */
const SEMANTIC_SILENCE_MS = 300;
/** The mix is behind the forks by the conference's own buffer: the end of a turn is told by so much later. */
const MIX_DELAY_MS = 100;

export interface SpeakersOptions {
  readonly clock: Clock;
  readonly turnDetection: Deployment["agent"]["turnDetection"];
  readonly facts: () => CallContext;
  readonly onMedia: (name: string, data: Readonly<Record<string, unknown>>) => void;
  /** A fork of this leg begins to run, or ends. */
  readonly onFork: (label: string, runs: boolean) => void;
  readonly tracks: Pick<Tracks, "leg">;
  /** Of a call that another engine left: what that one knew is gone, and forks do not come back by themselves. */
  readonly restored: boolean;
}

/** One leg: it stays known when its fork is over, since what was said may be told later. */
class Leg {
  readonly spans = new SpeechSpans();
  readonly activity = new VoiceActivity(this.spans);
  readonly tape: LegTape | null;
  fork: ForkStream | null = null;
  /** Of forks that are over. */
  readonly past: Record<string, number> = {};

  constructor(tape: LegTape | null) {
    this.tape = tape;
  }

  counters(): Readonly<Record<string, number>> {
    return sumOf([
      this.past,
      this.fork?.counters() ?? {},
      { spansForgotten: this.spans.counters.spansForgotten },
    ]);
  }
}

export class Speakers {
  readonly #options: SpeakersOptions;
  readonly #legs = new Map<string, Leg>();
  readonly #silenceMs: number;
  readonly #counters = { forks: 0, forksLost: 0, forksRefused: 0, forkUnheardFrames: 0, turnsUntold: 0 };
  #partly: boolean;
  #closed = false;

  constructor(options: SpeakersOptions) {
    const { turnDetection: detection } = options;
    this.#options = options;
    this.#partly = options.restored;
    this.#silenceMs = detection.type === "server_vad" ? detection.silenceMs : SEMANTIC_SILENCE_MS;
  }

  /** Whether each leg that was in the room was listened to as long as it was there. */
  get told(): SpeakersTold {
    return this.#partly ? "partly" : "forked";
  }

  counters(): Readonly<Record<string, number>> {
    const legs = [...this.#legs].map(([label, leg]) => ({
      ...leg.counters(),
      [label === CALLER ? "callerSpokenMs" : "humanSpokenMs"]: Math.round(leg.spans.counters.spokenMs),
    }));
    return sumOf([this.#counters, ...legs]);
  }

  /** A fork begins; `false` refuses it. */
  begin(label: string, fork: ForkStream): boolean {
    const room = this.#legs.has(label) || this.#legs.size < MAX_LEGS;
    if (this.#closed || !room || !this.#mayBeHeard(label)) {
      this.#counters.forksRefused++;
      return false;
    }
    const leg = this.#legs.getOrInsertComputed(label, () => new Leg(this.#options.tracks.leg(label)));
    leg.fork = fork;
    this.#counters.forks++;
    fork.listen({ frame: (ulaw, atMs) => this.#frame(label, leg, ulaw, atMs) });
    this.#options.onFork(label, true);
    this.#options.onMedia("fork.began", { label });
    return true;
  }

  end(label: string, streamSid: string, reason: StreamCloseReason): void {
    const leg = this.#legs.get(label);
    const fork = leg?.fork;
    if (!leg || fork?.streamSid !== streamSid) return;
    // What it still held is heard first.
    fork.dispose();
    leg.activity.stop();
    leg.fork = null;
    Object.assign(leg.past, sumOf([leg.past, fork.counters()]));
    if (!this.#closed && reason !== "stop" && reason !== "replaced") {
      this.#counters.forksLost++;
      if (this.#mayBeHeard(label)) this.#partly = true;
    }
    this.#options.onFork(label, false);
    this.#options.onMedia("fork.ended", { label, status: reason });
  }

  /** Says whose words these are, which were heard in this turn of the mix. */
  attribute(entry: TranscriptEntry, turn: UserTurn): TranscriptEntry {
    const nowMs = this.#options.clock.monotonicMs();
    // Told of a turn when it has begun a while ago, and when it has been over for as long as silence must last. By
    // both margins the turn before and the one after stay out: they are at least as far away.
    const fromMs = turn.startMs - this.#silenceMs;
    const endMs = turn.endMs === null ? nowMs : turn.endMs - this.#silenceMs + MIX_DELAY_MS;
    const toMs = Math.max(endMs, turn.startMs);
    const forked = [...this.#legs].map(([label, { spans }]) => ({
      label,
      spokenMs: spans.spokenMs(fromMs, toMs),
    }));
    const deaf = this.#inRoom().filter((label) => !this.#legs.get(label)?.fork);
    if (deaf.length > 0) this.#partly = true;
    const known = forked.filter(({ label }) => !deaf.includes(label));
    const told = whoSpoke(known, deaf);
    if (told.speaker === "unknown") this.#counters.turnsUntold++;
    return { ...entry, ...told };
  }

  close(): void {
    this.#closed = true;
    for (const [label, { fork }] of this.#legs) if (fork) this.end(label, fork.streamSid, "stop");
  }

  /** Hot path. */
  #frame(label: string, leg: Leg, ulaw: Uint8Array, atMs: number): void {
    if (this.#mayBeHeard(label)) {
      leg.activity.push(ulaw, atMs);
      leg.tape?.add(ulaw, atMs, leg.activity.speaking);
    } else {
      this.#counters.forkUnheardFrames++;
      leg.activity.stop();
    }
  }

  /** Not once the leg has left, and not while it is on hold or muted: what is said then is not said in the room. */
  #mayBeHeard(label: string): boolean {
    const { legs, callerGone, callerOnHold } = this.#options.facts();
    const leg = legs[label];
    if (!leg || leg.kind === "ai" || leg.status === "left" || leg.muted) return false;
    return label !== CALLER || (!callerGone && !callerOnHold);
  }

  #inRoom(): readonly string[] {
    const { legs } = this.#options.facts();
    return Object.values(legs).flatMap(({ label, status }) =>
      status === "joined" && this.#mayBeHeard(label) ? [label] : [],
    );
  }
}

function sumOf(parts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part)) sum[name] = (sum[name] ?? 0) + value;
  }
  return sum;
}
