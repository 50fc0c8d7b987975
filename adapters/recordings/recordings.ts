/** The port `Recordings` on a folder: one sealed WAV file per call and track. */
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../../engine/errors.ts";
import { isCallSid } from "../../engine/platform/call-key.ts";
import { pause } from "../../engine/platform/clock.ts";
import { masterKeys, Sealer } from "../../engine/platform/seal.ts";
import {
  type CallSealers,
  type Clock,
  type Ids,
  isRecordingTrack,
  type Log,
  type PrivateRecordings,
  type RecordedAudio,
  type RecordingFile,
  type Recordings,
  type RecordingTrack,
} from "../../engine/ports.ts";
import { readSealed, writeSealed } from "./sealed-file.ts";
import { wavBytes, wavPieces } from "./wav.ts";

/** Recordings that wait for the disk; more are dropped, newest first. */
const MAX_WAITING = 1000;
/** Between parts of 64 KiB: live calls go first, and a recording has time. */
const PAUSE_MS = 2;
/** Also one that was not finished, whose engine died. */
const FILE = /^CA[0-9a-fA-F]{32}\.[\w.-]+\.wav\.sealed(\.part)?$/;

export interface RecordingsOptions {
  /** Made when it is needed. */
  readonly folder: string;
  /** 32 bytes; `null`: nothing is kept. */
  readonly key: Uint8Array | null;
  /** Still opens what was sealed with it. */
  readonly previousKey?: Uint8Array | null;
  /** The keys that calls have for themselves; left out: all is sealed with `key`, as it was before. */
  readonly calls?: CallSealers;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly maxWaiting?: number;
}

class FileRecordings implements Recordings, PrivateRecordings {
  readonly #folder: string;
  /** Of the keys that are for all calls, the present one first. */
  readonly #masters: readonly Sealer[];
  readonly #calls: CallSealers | null;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #maxWaiting: number;
  readonly #counters = { saved: 0, savedBytes: 0, failed: 0, dropped: 0, unreadable: 0 };
  #waiting = 0;
  #closing = false;
  /** One after the other: they are in memory already, and a disk gains nothing from many writers. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: RecordingsOptions) {
    const { folder, key, previousKey = null, clock, ids, log, maxWaiting = MAX_WAITING } = options;
    this.#folder = folder;
    this.#masters = masterKeys(key, previousKey).map((each) => new Sealer(each, ids));
    this.#calls = options.calls ?? null;
    this.#clock = clock;
    this.#log = log;
    this.#maxWaiting = maxWaiting;
  }

  get enabled(): boolean {
    return this.#masters.length > 0;
  }

  save(callSid: string, track: RecordingTrack, audio: RecordedAudio): Promise<boolean> {
    const [master = null] = this.#masters;
    const sealer = master && this.#calls ? this.#calls.sealing(callSid) : master;
    if (!sealer || this.#waiting >= this.#maxWaiting) {
      this.#counters.dropped++;
      const reason = sealer ? "too many wait for the disk" : "TANDEM_ENCRYPTION_KEY is not set";
      this.#log.error("recording.dropped", { callSid, track, reason });
      return Promise.resolve(false);
    }
    this.#waiting++;
    const saved = this.#last.then(() => this.#write(sealer, callSid, track, audio));
    this.#last = saved;
    return saved;
  }

  async #write(
    sealer: Sealer,
    callSid: string,
    track: RecordingTrack,
    audio: RecordedAudio,
  ): Promise<boolean> {
    try {
      const bytes = wavBytes(audio.bytes);
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const content = { bytes, pieces: wavPieces(audio) };
      await writeSealed(this.#path(callSid, track), `${callSid}/${track}`, sealer, content, this.#between);
      this.#counters.saved++;
      this.#counters.savedBytes += bytes;
      return true;
    } catch (error) {
      this.#counters.failed++;
      this.#log.error("recording.failed", { callSid, track, error: errorText(error) });
      return false;
    } finally {
      this.#waiting--;
    }
  }

  async read(callSid: string, track: RecordingTrack): Promise<RecordingFile | null> {
    try {
      const path = this.#path(callSid, track);
      if (!(await Bun.file(path).exists())) return null;
      if (!this.enabled) throw new Error("sealed, and TANDEM_ENCRYPTION_KEY is not set");
      return await readSealed(path, `${callSid}/${track}`, async (keyId) => {
        const master = this.#masters.find((each) => each.keyId === keyId);
        return master ?? (await this.#calls?.opening(callSid, keyId)) ?? null;
      });
    } catch (error) {
      this.#counters.unreadable++;
      this.#log.warn("recording.unreadable", { callSid, track, error: errorText(error) });
      return null;
    }
  }

  async erase(callSid: string): Promise<number> {
    const files = (await this.#files()).filter((name) => name.startsWith(`${callSid}.`));
    for (const name of files) await rm(join(this.#folder, name), { force: true });
    return files.length;
  }

  async expire(beforeMs: number, limit: number): Promise<number> {
    let expired = 0;
    for (const name of await this.#files()) {
      if (expired >= limit) break;
      const path = join(this.#folder, name);
      if ((await stat(path)).mtimeMs >= beforeMs) continue;
      await rm(path, { force: true });
      expired++;
    }
    return expired;
  }

  /** Names of the recordings that there are. */
  async #files(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => FILE.test(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }

  readonly #between = (): Promise<void> => (this.#closing ? Promise.resolve() : pause(this.#clock, PAUSE_MS));

  counters(): Readonly<Record<string, number>> {
    return this.#counters;
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#last;
  }

  #path(callSid: string, track: RecordingTrack): string {
    // Both become parts of a file's name.
    if (!isCallSid(callSid)) throw new Error("this is no call sid");
    if (!isRecordingTrack(track)) throw new Error("there is no such track");
    return join(this.#folder, `${callSid}.${track}.wav.sealed`);
  }
}

export function createRecordings(options: RecordingsOptions): Recordings & PrivateRecordings {
  return new FileRecordings(options);
}
