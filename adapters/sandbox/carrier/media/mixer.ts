import { PCM_TO_ULAW, ULAW_TO_PCM } from "../../../../engine/media/g711.ts";
import { errorText } from "../../../../engine/errors.ts";
import type { Log } from "../../../../engine/ports.ts";
import { FRAME_BYTES, type AudioEndpoint } from "../../types.ts";
import { Clip, ClipQueue } from "./clip.ts";
import { SILENT_FRAME, waitMusic } from "./tones.ts";

/** Twilio's participant flags, as far as they concern audio. */
export interface MixFlags {
  readonly muted: boolean;
  readonly hold: boolean;
  /** The leg that alone hears this one; a leg that is not in the room means that nobody does. */
  readonly coachOf: string | null;
}

interface Leg {
  readonly id: string;
  readonly endpoint: AudioEndpoint;
  flags: MixFlags;
  readonly announcements: ClipQueue;
  /** What it said in this tick, if `reach` lets anybody hear it. */
  readonly said: Uint8Array;
  /** Marks in `said`, when streams are traced. */
  taint: number;
  /**
   * Who hears it in this tick: fixed at its start, so that a change made by a callback cannot split a frame.
   */
  reach: "nobody" | "room" | "coached";
  coached: string | null;
  musicAt: number;
  /** Heard on hold instead of wait music. */
  holdSound: Clip | null;
  holdLoops: boolean;
  present: boolean;
  failed: boolean;
}

/**
 * The mixer of one conference: every 20 ms each leg says a frame and hears the sum of the others (mix-minus).
 *
 * - muted: not heard, hears all
 * - hold: not heard, hears wait music or its own hold sound alone
 * - coach: heard by the coached leg alone, hears all
 * - waiting (the conference has not started): all hear wait music, nobody is heard
 * - announcement: heard by the leg (or by all) on top of the others, and instead of wait music
 *
 * A frame with one source is passed on byte for byte; sums are made in linear PCM and saturate. No allocation
 * per frame.
 */
export class ConferenceMixer {
  readonly #log: Log;
  readonly #passThrough: boolean;
  readonly #traced: boolean;
  #legs: readonly Leg[] = [];
  #waiting = false;
  readonly #roomSum = new Int32Array(FRAME_BYTES);
  #roomCount = 0;
  readonly #sum = new Int32Array(FRAME_BYTES);
  readonly #out = new Uint8Array(FRAME_BYTES);
  readonly #extra = new Uint8Array(FRAME_BYTES);
  readonly #speakers: string[] = [];
  /** Marks of the frame made last, when streams are traced. */
  #taint = 0;
  #refusedAnnouncements = 0;

  /**
   * Told of each frame that each leg hears, with the legs whose audio is in it (music and announcements are
   * nobody's). Both arrays are reused after the call.
   */
  onHeard?: (legId: string, frame: Uint8Array, speakers: readonly string[]) => void;

  /**
   * `passThrough: false` decodes and encodes even a frame with one source. `traced` tells every endpoint which
   * marks are in the frame that it hears.
   */
  constructor(options: { readonly log: Log; readonly passThrough?: boolean; readonly traced?: boolean }) {
    this.#log = options.log;
    this.#passThrough = options.passThrough ?? true;
    this.#traced = options.traced ?? false;
  }

  get size(): number {
    return this.#legs.length;
  }

  /** Announcements refused because too many were waiting. */
  get refusedAnnouncements(): number {
    return this.#refusedAnnouncements;
  }

  /** Joining again under the same id replaces the leg. */
  join(legId: string, endpoint: AudioEndpoint, flags: MixFlags): void {
    this.leave(legId);
    const leg: Leg = {
      id: legId,
      endpoint,
      flags: { muted: flags.muted, hold: flags.hold, coachOf: flags.coachOf },
      announcements: new ClipQueue(),
      said: new Uint8Array(FRAME_BYTES),
      taint: 0,
      reach: "nobody",
      coached: null,
      musicAt: 0,
      holdSound: null,
      holdLoops: false,
      present: true,
      failed: false,
    };
    // A fresh array each time: a tick under way goes on over the old one.
    this.#legs = [...this.#legs, leg];
  }

  /** The leg's endpoint is not touched after this, not even by a tick under way. */
  leave(legId: string): void {
    const leg = this.#find(legId);
    if (!leg) return;
    leg.present = false;
    this.#legs = this.#legs.filter((other) => other !== leg);
  }

  /** Takes effect with the next tick. An unknown leg is ignored: it may have just left. */
  update(legId: string, flags: Partial<MixFlags>): void {
    const leg = this.#find(legId);
    if (leg) leg.flags = { ...leg.flags, ...flags };
  }

  /**
   * What a leg hears on hold from the next tick on: `ulaw` from its start, again and again if it `loops`, else
   * silence after it. `null`: wait music.
   */
  setHoldSound(legId: string, ulaw: Uint8Array | null, loops: boolean): void {
    const leg = this.#find(legId);
    if (!leg) return;
    leg.holdSound = ulaw === null ? null : new Clip(ulaw);
    leg.holdLoops = loops;
  }

  setWaiting(waiting: boolean): void {
    this.#waiting = waiting;
  }

  /**
   * Plays `ulaw` to one leg, or with `null` to all that are in the room now, after what is already queued.
   */
  announce(legId: string | null, ulaw: Uint8Array): void {
    for (const leg of this.#legs) {
      if (legId !== null && leg.id !== legId) continue;
      if (!leg.announcements.push(ulaw)) this.#refusedAnnouncements++;
    }
  }

  tick(): void {
    const legs = this.#legs;
    for (const leg of legs) this.#listen(leg);
    this.#sumRoom(legs);
    for (const leg of legs) {
      if (leg.present) this.#speakTo(leg, legs);
    }
  }

  #find(legId: string): Leg | undefined {
    return this.#legs.find((leg) => leg.id === legId);
  }

  /** Every endpoint is read in every tick, heard or not: its audio is live and must not pile up. */
  #listen(leg: Leg): void {
    leg.reach = "nobody";
    try {
      if (!leg.endpoint.read(leg.said)) return;
    } catch (error) {
      this.#endpointFailed(leg, error);
      return;
    }
    if (this.#traced) leg.taint = leg.endpoint.taint ?? 0;
    const { muted, hold, coachOf } = leg.flags;
    if (this.#waiting || muted || hold || !leg.present) return;
    leg.reach = coachOf === null ? "room" : "coached";
    leg.coached = coachOf;
  }

  #sumRoom(legs: readonly Leg[]): void {
    this.#roomCount = 0;
    for (const leg of legs) {
      if (leg.reach !== "room") continue;
      if (this.#roomCount++ === 0) this.#roomSum.fill(0);
      addFrame(this.#roomSum, leg.said);
    }
  }

  #speakTo(leg: Leg, legs: readonly Leg[]): void {
    const frame =
      this.#waiting || leg.flags.hold ? this.#frameFromNetwork(leg) : this.#frameFromRoom(leg, legs);
    try {
      if (this.#traced) leg.endpoint.onTaint?.(this.#taint);
      leg.endpoint.write(frame);
    } catch (error) {
      this.#endpointFailed(leg, error);
    }
    this.onHeard?.(leg.id, frame, this.#speakers);
  }

  #frameFromNetwork(leg: Leg): Uint8Array {
    this.#speakers.length = 0;
    this.#taint = 0;
    if (leg.announcements.next(this.#extra)) return this.#extra;
    const { holdSound } = leg;
    if (holdSound === null || this.#waiting) waitMusic(leg.musicAt++, this.#extra);
    else {
      if (holdSound.done && leg.holdLoops) holdSound.rewind();
      if (!holdSound.next(this.#extra)) return SILENT_FRAME;
    }
    return this.#extra;
  }

  #frameFromRoom(leg: Leg, legs: readonly Leg[]): Uint8Array {
    const announced = leg.announcements.next(this.#extra);
    let sources = announced ? 1 : 0;
    let only: Uint8Array = this.#extra;
    this.#speakers.length = 0;
    this.#taint = 0;
    for (const speaker of legs) {
      if (!reaches(speaker, leg)) continue;
      sources++;
      only = speaker.said;
      this.#taint |= speaker.taint;
      this.#speakers.push(speaker.id);
    }
    if (sources === 0) return SILENT_FRAME;
    if (sources === 1 && this.#passThrough) return only;
    return this.#mix(leg, legs, announced);
  }

  /**
   * The room's sum less the leg's own part, plus those who coach it: linear in the number of legs for the
   * whole room.
   */
  #mix(leg: Leg, legs: readonly Leg[], announced: boolean): Uint8Array {
    const sum = this.#sum;
    if (this.#roomCount > 0) sum.set(this.#roomSum);
    else sum.fill(0);
    if (leg.reach === "room") subtractFrame(sum, leg.said);
    for (const other of legs) {
      if (other.reach === "coached" && reaches(other, leg)) addFrame(sum, other.said);
    }
    if (announced) addFrame(sum, this.#extra);
    encodeSaturated(sum, this.#out);
    return this.#out;
  }

  #endpointFailed(leg: Leg, error: unknown): void {
    if (leg.failed) return;
    leg.failed = true;
    this.#log.warn("sandbox.mixer.endpoint_failed", { leg: leg.id, error: errorText(error) });
  }
}

function reaches(speaker: Leg, listener: Leg): boolean {
  if (speaker === listener || speaker.reach === "nobody") return false;
  return speaker.reach === "room" || speaker.coached === listener.id;
}

function addFrame(sum: Int32Array, ulaw: Uint8Array): void {
  for (let i = 0; i < FRAME_BYTES; i++) {
    sum[i] = (sum[i] as number) + (ULAW_TO_PCM[ulaw[i] as number] as number);
  }
}

function subtractFrame(sum: Int32Array, ulaw: Uint8Array): void {
  for (let i = 0; i < FRAME_BYTES; i++) {
    sum[i] = (sum[i] as number) - (ULAW_TO_PCM[ulaw[i] as number] as number);
  }
}

function encodeSaturated(sum: Int32Array, out: Uint8Array): void {
  for (let i = 0; i < FRAME_BYTES; i++) {
    const sample = sum[i] as number;
    const clamped = sample > 32_767 ? 32_767 : sample < -32_768 ? -32_768 : sample;
    out[i] = PCM_TO_ULAW[clamped & 0xffff] as number;
  }
}
