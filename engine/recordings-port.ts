/**
 * The port for recordings of our own: types, and which tracks there are. Twilio's recording of a conference has no
 * whisper in it, so what the coach said is kept here; and, where the legs are forked, what each of them said.
 */

/**
 * `coach`: what the AI whispered to the person who took over. `caller`, and `human-3` by its label: what was said on
 * that leg, in the room.
 */
export type RecordingTrack = "coach" | "caller" | `human-${string}`;

/** It becomes part of a file's name. */
export function isRecordingTrack(text: string): text is RecordingTrack {
  return /^(coach|caller|human-\d{1,6}(\.\d)?)$/.test(text);
}

/** Audio that a call leaves behind: G.711 μ-law, 8 kHz, mono, from the beginning of the call. */
export interface RecordedAudio {
  readonly bytes: number;
  /** In order, together {@link RecordedAudio.bytes}; each is read before the next is asked for. */
  pieces(): Iterable<Uint8Array>;
}

/** A WAV file as it is served: open until it is closed, or read to its end, or the reading has ended otherwise. */
export interface RecordingFile {
  readonly bytes: number;
  /** From this byte on, at the same cost wherever that is. To be called once. */
  from(at: number): AsyncIterableIterator<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Durable recordings, sealed: without a key nothing is kept, because protected data is never stored in the
 * clear. What cannot be written loses only the recording; it is logged and counted.
 */
export interface Recordings {
  readonly enabled: boolean;
  /** Resolves `true` once the WAV file is on disk, `false` when it is not kept. Never rejects. */
  save(callSid: string, track: RecordingTrack, audio: RecordedAudio): Promise<boolean>;
  /** `null`: there is none, or none that this key opens. A file damaged further on fails while it is read. */
  read(callSid: string, track: RecordingTrack): Promise<RecordingFile | null>;
  counters(): Readonly<Record<string, number>>;
  /** Resolves when all that was to be saved is saved or given up. */
  close(): Promise<void>;
}
