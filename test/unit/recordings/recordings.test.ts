/** Recordings on a real folder: WAV in, sealed on disk, the same WAV out; what a disk does loses no more. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync } from "node:fs";
import { copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordings, type RecordingsOptions } from "../../../adapters/recordings/recordings.ts";
import { parseWav } from "../../../adapters/sandbox/phone/wav.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type {
  LogFields,
  RecordedAudio,
  RecordingFile,
  Recordings,
  RecordingTrack,
} from "../../../engine/ports.ts";
import { speech } from "../media/leg-setup.ts";

const KEY = new Uint8Array(32).fill(7);
const SID = "CA00000000000000000000000000000001";
const OTHER_SID = "CA00000000000000000000000000000002";
const PART_BYTES = 64 * 1024;
const SEALED_PART_BYTES = PART_BYTES + 28;

let root = "";
let folder = "";
const fileOf = (callSid: string): string => join(folder, `${callSid}.coach.wav.sealed`);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tandem-recordings-"));
  folder = join(root, "recordings");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function make(options: Partial<RecordingsOptions> = {}) {
  const lines: (readonly [string, LogFields])[] = [];
  const note = (event: string, fields: LogFields = {}): void => void lines.push([event, fields]);
  const log = { ...silentLog, warn: note, error: note };
  const recordings = createRecordings({
    folder,
    key: KEY,
    clock: systemClock,
    ids: systemIds,
    log,
    ...options,
  });
  return { recordings, lines };
}

const audioOf = (bytes: Uint8Array, pieceBytes = 1000): RecordedAudio => ({
  bytes: bytes.length,
  *pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  },
});

async function contentOf(file: RecordingFile | null, at = 0): Promise<Buffer> {
  if (!file) throw new Error("there is no such recording");
  return Buffer.concat(await Array.fromAsync(file.from(at)));
}

const wavOf = async (recordings: Recordings, callSid = SID): Promise<Buffer> =>
  await contentOf(await recordings.read(callSid, "coach"));

const filesOpen = (path: string): number =>
  readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  }).length;

describe("a recording", () => {
  test.each([1, 8001, PART_BYTES - 58, PART_BYTES, 3 * PART_BYTES + 5])(
    "of %d bytes comes back as a μ-law WAV, byte for byte",
    async (bytes) => {
      const { recordings } = make();
      const audio = speech(bytes);
      expect(await recordings.save(SID, "coach", audioOf(audio))).toBe(true);
      const file = await recordings.read(SID, "coach");
      const wav = await contentOf(file);
      expect(wav.length).toBe(file?.bytes ?? 0);
      expect(wav.readUInt32LE(4)).toBe(wav.length - 8);
      expect(wav.readUInt16LE(20)).toBe(7);
      expect(wav.readUInt32LE(46)).toBe(bytes);
      expect(wav.subarray(58, 58 + bytes).equals(Buffer.from(audio))).toBe(true);
      const parsed = parseWav(wav, "coach.wav");
      expect(parsed).toMatchObject({ codec: "ulaw", channels: 1, sampleRateHz: 8000 });
      expect(parsed.samples).toHaveLength(bytes);
    },
  );

  test("is sealed on disk, and for the owner's eyes alone", async () => {
    const { recordings } = make();
    const audio = speech(5000);
    await recordings.save(SID, "coach", audioOf(audio));
    const stored = await readFile(fileOf(SID));
    expect(stored.includes(audio.subarray(100, 116))).toBe(false);
    expect(stored.includes("WAVE")).toBe(false);
    expect((await stat(fileOf(SID))).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder)).toEqual([`${SID}.coach.wav.sealed`]);
  });

  test("that is not there is not there", async () => {
    const { recordings, lines } = make();
    expect(await recordings.read(SID, "coach")).toBeNull();
    expect(lines).toEqual([]);
  });

  test("lets go of its file when its reader stops early", async () => {
    const { recordings } = make();
    await recordings.save(SID, "coach", audioOf(speech(3 * PART_BYTES)));
    const file = await recordings.read(SID, "coach");
    const pieces = file?.from(PART_BYTES + 1);
    await pieces?.next();
    expect(filesOpen(fileOf(SID))).toBe(1);
    await pieces?.return?.();
    expect(filesOpen(fileOf(SID))).toBe(0);
    await (await recordings.read(SID, "coach"))?.close();
    expect(filesOpen(fileOf(SID))).toBe(0);
  });

  test.each([0, 57, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 7, 3 * PART_BYTES + 62])(
    "is read on from byte %d as from its beginning",
    async (at) => {
      const { recordings } = make();
      await recordings.save(SID, "coach", audioOf(speech(3 * PART_BYTES + 5)));
      const whole = await wavOf(recordings);
      const rest = await contentOf(await recordings.read(SID, "coach"), at);
      expect(rest.equals(whole.subarray(at))).toBe(true);
      expect(filesOpen(fileOf(SID))).toBe(0);
    },
  );

  test("is opened only where somebody listens", async () => {
    const { recordings } = make();
    await recordings.save(SID, "coach", audioOf(speech(3 * PART_BYTES)));
    const whole = await wavOf(recordings);
    const stored = await readFile(fileOf(SID));
    stored.fill(0, 24 + SEALED_PART_BYTES, 24 + 2 * SEALED_PART_BYTES);
    await writeFile(fileOf(SID), stored);
    // The part before cannot be opened, and is not asked for.
    const rest = await contentOf(await recordings.read(SID, "coach"), 2 * PART_BYTES);
    expect(rest.equals(whole.subarray(2 * PART_BYTES))).toBe(true);
    await expect(wavOf(recordings)).rejects.toThrow();
  });

  test("opens under no other call, no other key, and not without one", async () => {
    const { recordings, lines } = make();
    await recordings.save(SID, "coach", audioOf(speech(5000)));
    await copyFile(fileOf(SID), fileOf(OTHER_SID));
    expect(await recordings.read(OTHER_SID, "coach")).toBeNull();
    expect(recordings.counters()["unreadable"]).toBe(1);
    expect(lines).toMatchObject([["recording.unreadable", { callSid: OTHER_SID }]]);
    for (const key of [new Uint8Array(32).fill(8), null]) {
      const other = make({ key });
      expect(await other.recordings.read(SID, "coach")).toBeNull();
      expect(other.lines).toMatchObject([["recording.unreadable", { callSid: SID }]]);
    }
    expect(filesOpen(fileOf(OTHER_SID)) + filesOpen(fileOf(SID))).toBe(0);
  });

  test("gives nothing that was changed, moved or cut off", async () => {
    const { recordings } = make();
    await recordings.save(SID, "coach", audioOf(speech(3 * PART_BYTES)));
    const stored = await readFile(fileOf(SID));
    const part = (index: number): Buffer =>
      stored.subarray(24 + index * SEALED_PART_BYTES, 24 + (index + 1) * SEALED_PART_BYTES);
    const head = stored.subarray(0, 24);
    const broken = [
      Buffer.concat([head, part(0), part(2), part(1), part(3)]),
      Buffer.concat([head, part(0), part(1)]),
      Buffer.concat([head, part(0), part(1), part(2), part(3).subarray(0, -1)]),
      Buffer.concat([head, part(0), Buffer.alloc(SEALED_PART_BYTES), part(2), part(3)]),
    ];
    for (const bytes of broken) {
      await writeFile(fileOf(SID), bytes);
      await expect(wavOf(recordings)).rejects.toThrow();
    }
    for (const bytes of [Buffer.concat([head, part(0)]), head, Buffer.alloc(0), Buffer.from("rubbish")]) {
      await writeFile(fileOf(SID), bytes);
      expect(await recordings.read(SID, "coach")).toBeNull();
    }
    expect(filesOpen(fileOf(SID))).toBe(0);
  });
});

describe("without a key", () => {
  test("nothing is written, and that is counted and logged", async () => {
    const { recordings, lines } = make({ key: null });
    expect(recordings.enabled).toBe(false);
    expect(await recordings.save(SID, "coach", audioOf(speech(5000)))).toBe(false);
    expect(readdirSync(root)).toEqual([]);
    expect(recordings.counters()["dropped"]).toBe(1);
    expect(lines).toMatchObject([["recording.dropped", { callSid: SID }]]);
  });
});

describe("a disk that fails", () => {
  test("when it is full loses the recording alone, without a rest, and the next one is kept", async () => {
    const { recordings, lines } = make();
    await recordings.save(OTHER_SID, "coach", audioOf(speech(500)));
    symlinkSync("/dev/full", `${fileOf(SID)}.part`);
    expect(await recordings.save(SID, "coach", audioOf(speech(5000)))).toBe(false);
    expect(lines).toMatchObject([
      ["recording.failed", { callSid: SID, error: expect.stringContaining("ENOSPC") }],
    ]);
    expect(readdirSync(folder)).toEqual([`${OTHER_SID}.coach.wav.sealed`]);
    expect(await recordings.save(SID, "coach", audioOf(speech(5000)))).toBe(true);
    expect(recordings.counters()).toMatchObject({ saved: 2, failed: 1 });
  });

  test("when it takes no folder loses the recording alone", async () => {
    const { recordings, lines } = make();
    await writeFile(folder, "a file where the folder should be");
    expect(await recordings.save(SID, "coach", audioOf(speech(5000)))).toBe(false);
    expect(lines).toMatchObject([["recording.failed", { callSid: SID }]]);
  });

  test("gets no more than it is bound to take, and what waits is written before the end", async () => {
    const { recordings, lines } = make({ maxWaiting: 1 });
    const first = recordings.save(SID, "coach", audioOf(speech(5000)));
    expect(await recordings.save(OTHER_SID, "coach", audioOf(speech(5000)))).toBe(false);
    expect(lines).toMatchObject([["recording.dropped", { callSid: OTHER_SID }]]);
    await recordings.close();
    expect(readdirSync(folder)).toEqual([`${SID}.coach.wav.sealed`]);
    expect(await first).toBe(true);
    expect(await recordings.save(OTHER_SID, "coach", audioOf(speech(5000)))).toBe(true);
  });
});

describe("the tracks of a call", () => {
  test("are files of their own, each bound to its name", async () => {
    const { recordings } = make();
    for (const [track, seed] of [
      ["caller", 1],
      ["human-3", 2],
      ["human-3.2", 3],
    ] as const) {
      expect(await recordings.save(SID, track, audioOf(speech(5000, seed)))).toBe(true);
    }
    const audioIn = async (track: RecordingTrack) =>
      (await contentOf(await recordings.read(SID, track))).subarray(58, 5058);
    expect(await audioIn("caller")).toEqual(Buffer.from(speech(5000, 1)));
    expect(await audioIn("human-3.2")).toEqual(Buffer.from(speech(5000, 3)));
    await copyFile(join(folder, `${SID}.human-3.wav.sealed`), join(folder, `${SID}.caller.wav.sealed`));
    expect(await recordings.read(SID, "caller")).toBeNull();
  });

  test("are erased together, with what was not finished, and those of no other call", async () => {
    const { recordings } = make();
    for (const track of ["coach", "caller", "human-3"] as const) {
      await recordings.save(SID, track, audioOf(speech(100)));
    }
    await recordings.save(OTHER_SID, "caller", audioOf(speech(100)));
    await writeFile(join(folder, `${SID}.human-4.wav.sealed.part`), "x");
    await writeFile(join(folder, "notes.txt"), "x");
    expect(await recordings.erase(SID)).toBe(4);
    expect(readdirSync(folder).sort()).toEqual([`${OTHER_SID}.caller.wav.sealed`, "notes.txt"]);
    expect(await recordings.erase(SID)).toBe(0);
    expect(await recordings.expire(Infinity, 10)).toBe(1);
    expect(readdirSync(folder)).toEqual(["notes.txt"]);
  });

  test("of which there are none are refused, whatever they are called", async () => {
    const { recordings } = make();
    for (const track of [
      "../x",
      "human-",
      "human-1/../../x",
      "human-1.wav",
      "caller.2",
    ] as RecordingTrack[]) {
      expect(await recordings.save(SID, track, audioOf(speech(100)))).toBe(false);
      expect(await recordings.read(SID, track)).toBeNull();
    }
    expect(recordings.counters()).toMatchObject({ failed: 5, unreadable: 5 });
  });
});

test("a call sid that is a path leads nowhere", async () => {
  const { recordings } = make();
  for (const callSid of ["../CA1", "", `${SID}/../x`]) {
    expect(await recordings.save(callSid, "coach", audioOf(speech(100)))).toBe(false);
    expect(await recordings.read(callSid, "coach")).toBeNull();
  }
  expect(recordings.counters()).toMatchObject({ failed: 3, unreadable: 3 });
});
