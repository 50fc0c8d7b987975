/**
 * What one call uses of the carrier, by the kinds it is billed by: legs and streams by the minute begun, each apart,
 * and messages. From the call's events and facts, and its forks, so that it is the same however often it is looked at.
 */
import { z } from "zod";
import type { CallContext, Leg } from "../../machines/context.ts";
import { type CallEvent, FINAL_CALL_STATUSES } from "../../machines/events.ts";
import { forkedLabel, forkKeyOf } from "../media/fork-key.ts";
import { CARRIER_KINDS, type CarrierKind } from "../postcall/schema.ts";

export type CarrierMinutes = Readonly<Record<CarrierKind, number>>;

/** As it is kept for an engine that goes on. */
const savedUsageSchema = z.object({
  /** Since when, by kind and label: `app ai-1`. */
  open: z.record(z.string(), z.number()),
  minutes: z.record(z.enum(CARRIER_KINDS), z.number()),
  messages: z.number(),
  /** Something may be missing: an engine died with it. */
  partial: z.boolean(),
  /** The engine that wrote this went on counting after it. */
  counting: z.boolean(),
});
export type SavedUsage = z.output<typeof savedUsageSchema>;

const MINUTE_MS = 60_000;
const MESSAGES: ReadonlySet<string> = new Set(["page.sms", "ladder.tellPaged", "ladder.tellCaller"]);

export interface UsageMeterOptions {
  readonly recording: "none" | "conference" | "leg";
  readonly before?: unknown;
}

export class UsageMeter {
  readonly #recording: UsageMeterOptions["recording"];
  readonly #open = new Map<string, number>();
  readonly #minutes: Record<CarrierKind, number> = {
    inbound: 0,
    outbound: 0,
    app: 0,
    stream: 0,
    conference: 0,
    recording: 0,
  };
  /** Sids of legs to people; as many as a call has pages. */
  readonly #hungUp = new Set<string>();
  #messages = 0;
  #partial = false;

  constructor({ recording, before }: UsageMeterOptions) {
    this.#recording = recording;
    if (before === undefined) return;
    const saved = savedUsageSchema.safeParse(before).data;
    this.#partial = !saved || saved.partial || saved.counting;
    if (!saved) return;
    Object.assign(this.#minutes, saved.minutes);
    this.#messages = saved.messages;
    for (const [key, sinceMs] of Object.entries(saved.open)) this.#open.set(key, sinceMs);
  }

  get messages(): number {
    return this.#messages;
  }

  /** What an engine that died had counted last may be missing. */
  get partial(): boolean {
    return this.#partial;
  }

  /** After each event. */
  see(event: CallEvent, { answeredAtMs, callerGone, legs }: CallContext): void {
    if (answeredAtMs !== null) this.#is("inbound", "caller", !callerGone, answeredAtMs, event.at);
    for (const leg of Object.values(legs)) this.#seeLeg(leg, event.at);
    this.#seeRecording(legs, event.at);
    if (event.type === "leg.status" && event.label.startsWith("human-")) {
      const { label, callSid } = event;
      // Callbacks may overtake each other: whoever has hung up has not picked up after it.
      if (event.status === "in-progress" && !this.#hungUp.has(callSid))
        this.#begin("outbound", label, event.at);
      else if (FINAL_CALL_STATUSES.has(event.status)) {
        this.#end("outbound", label, event.at);
        this.#hungUp.add(callSid);
      }
    } else if (event.type === "ai.streamStarted") this.#begin("stream", event.label, event.at);
    else if (event.type === "ai.streamClosed") this.#end("stream", event.label, event.at);
    else if (event.type === "effect.done" && MESSAGES.has(event.name)) this.#messages++;
  }

  /** A fork of this leg begins to run, or ends: it is a stream of its own. */
  fork(label: string, runs: boolean, atMs: number): void {
    this.#is("stream", forkKeyOf(label), runs, atMs, atMs);
  }

  /** Of an engine that died with them: no fork outlives its engine. */
  endForks(nowMs: number): void {
    for (const key of this.#open.keys()) {
      const label = forkedLabel(key.slice(key.indexOf(" ") + 1));
      if (label !== null) this.fork(label, false, nowMs);
    }
  }

  /** What was used until now: what still runs counts as if it ended. */
  minutesAt(nowMs: number): CarrierMinutes {
    const minutes = { ...this.#minutes };
    for (const [key, sinceMs] of this.#open) minutes[kindOf(key)] += minutesFrom(sinceMs, nowMs);
    return minutes;
  }

  /** The call is over, and nothing of it runs any more. */
  close(nowMs: number): void {
    Object.assign(this.#minutes, this.minutesAt(nowMs));
    this.#open.clear();
  }

  /** `counting`: this engine goes on; else another does, and finds it all. */
  saved(counting: boolean): SavedUsage {
    const open = Object.fromEntries(this.#open);
    return { open, minutes: this.#minutes, messages: this.#messages, partial: this.#partial, counting };
  }

  #seeLeg({ label, kind, status }: Leg, atMs: number): void {
    if (status === "joined") {
      this.#begin("conference", label, atMs);
      if (kind === "ai") this.#begin("app", label, atMs);
      if (kind === "ai" && this.#recording === "leg") this.#begin("recording", label, atMs);
    } else if (status === "left") {
      for (const each of ["conference", "app", "recording"] as const) this.#end(each, label, atMs);
    }
  }

  /** The mix is recorded once two are in the room. */
  #seeRecording(legs: CallContext["legs"], atMs: number): void {
    if (this.#recording !== "conference") return;
    const inside = Object.values(legs).filter(({ status }) => status === "joined").length;
    if (inside >= 2) this.#begin("recording", "conference", atMs);
    else if (inside === 0) this.#end("recording", "conference", atMs);
  }

  #is(kind: CarrierKind, label: string, runs: boolean, sinceMs: number, atMs: number): void {
    if (runs) this.#begin(kind, label, sinceMs);
    else this.#end(kind, label, atMs);
  }

  #begin(kind: CarrierKind, label: string, atMs: number): void {
    const key = `${kind} ${label}`;
    if (!this.#open.has(key)) this.#open.set(key, atMs);
  }

  #end(kind: CarrierKind, label: string, atMs: number): void {
    const key = `${kind} ${label}`;
    const sinceMs = this.#open.get(key);
    if (sinceMs === undefined) return;
    this.#open.delete(key);
    this.#minutes[kind] += minutesFrom(sinceMs, atMs);
  }
}

const kindOf = (key: string): CarrierKind => key.slice(0, key.indexOf(" ")) as CarrierKind;

/** Each leg's is rounded up by itself. */
const minutesFrom = (sinceMs: number, atMs: number): number =>
  Math.max(1, Math.ceil((atMs - sinceMs) / MINUTE_MS));
