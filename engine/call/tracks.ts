/**
 * What Tandem records of one call by itself, laid out from the call's beginning: the coach's whispers, and with forked
 * legs what each of them said in the room. Audio that was said is kept until the call is over, then on disk.
 */
import type { Deployment } from "../config/deployment.ts";
import { ULAW_SILENCE } from "../media/g711.ts";
import { Tape, type TapeBudget } from "../media/tape.ts";
import { isRecordingTrack, type Recordings, type RecordingTrack } from "../ports.ts";

/** Memory for legs, of all calls together: nine hours of them. A leg that speaks on then has gaps, which are counted. */
export const LEG_TAPES_BYTES = 256 * 1024 * 1024;
/** The clocks of a leg and ours are set right by so much at a time. */
const LEG_MIN_GAP_MS = 10;
/** A leg that is ahead of its time by more is held back in its next pause. */
const LEG_MAX_AHEAD_MS = 60;

export interface TracksOptions {
  readonly callSid: string;
  readonly deployment: Pick<Deployment, "recording">;
  readonly recordings: Recordings;
  /** When the call began, on the monotonic clock. */
  readonly startMs: number;
  /** Those that an engine before has put on disk: they are not written over by what comes after. */
  readonly kept: readonly RecordingTrack[];
  readonly legTapes: TapeBudget;
}

export class Tracks {
  readonly #options: TracksOptions;
  readonly #tapes = new Map<RecordingTrack, Tape>();
  #kept: readonly RecordingTrack[];

  constructor(options: TracksOptions) {
    this.#options = options;
    this.#kept = options.kept;
    if (this.#records("coach")) this.#tapes.set("coach", new Tape(options.startMs));
  }

  /** Tracks that are on disk. */
  get kept(): readonly RecordingTrack[] {
    return this.#kept;
  }

  /** `null`: the coach is not recorded. */
  get coach(): Tape | null {
    return this.#tapes.get("coach") ?? null;
  }

  /** The tape of a forked leg, whichever of its forks it is; `null`: it is not recorded. */
  leg(label: string): LegTape | null {
    if (!isRecordingTrack(label) || !this.#records(label)) return null;
    const { startMs, legTapes: budget } = this.#options;
    const make = (): Tape => new Tape(startMs, { budget, minGapMs: LEG_MIN_GAP_MS });
    return new LegTape(this.#tapes.getOrInsertComputed(label, make));
  }

  counters(): Readonly<Record<string, number>> {
    let tapeDroppedBytes = 0;
    for (const { counters } of this.#tapes.values()) tapeDroppedBytes += counters.tapeDroppedBytes;
    return this.#tapes.size === 0 ? {} : { tapeDroppedBytes };
  }

  /** Puts on disk what there is. Resolves to whether there is anything new to name; never rejects. */
  async keep(): Promise<boolean> {
    const { callSid, recordings } = this.#options;
    const before = this.#kept.length;
    for (const [track, tape] of this.#tapes) {
      if (tape.bytes > 0 && (await recordings.save(callSid, track, tape)))
        this.#kept = [...this.#kept, track];
      tape.release();
    }
    return this.#kept.length > before;
  }

  #records(track: RecordingTrack): boolean {
    const { deployment, recordings } = this.#options;
    return deployment.recording !== "none" && recordings.enabled && !this.#kept.includes(track);
  }
}

/** What one leg said, at its times. */
export class LegTape {
  readonly #tape: Tape;

  constructor(tape: Tape) {
    this.#tape = tape;
  }

  /** Hot path. `isSpeech`: nothing of it may be left out. */
  add(ulaw: Uint8Array, atMs: number, isSpeech: boolean): void {
    // Digital silence is there already, and takes no memory.
    if (isSilent(ulaw) || (!isSpeech && this.#tape.aheadMs(atMs) > LEG_MAX_AHEAD_MS)) return;
    this.#tape.add(ulaw, ulaw.length, atMs);
  }
}

function isSilent(ulaw: Uint8Array): boolean {
  for (let i = 0; i < ulaw.length; i++) if (ulaw[i] !== ULAW_SILENCE) return false;
  return true;
}
