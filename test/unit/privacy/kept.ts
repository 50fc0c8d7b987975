/** A store and recordings on a real folder, with calls in them, and what is found in the bytes of their files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordings } from "../../../adapters/recordings/recordings.ts";
import { createFieldCipher } from "../../../adapters/store/protect.ts";
import { createStore } from "../../../adapters/store/store.ts";
import { LOG_CLOSED } from "../../../engine/audit/chain.ts";
import { Recorder } from "../../../engine/call/recorder.ts";
import { systemClock, VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds, systemIds } from "../../../engine/platform/ids.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type { CallRow, Log } from "../../../engine/ports.ts";
import { callRow } from "../../contract/store.contract.ts";

export const KEY = Uint8Array.fromHex(seededIds(1).sid("") + seededIds(2).sid(""));
export const NEXT_KEY = Uint8Array.fromHex(seededIds(3).sid("") + seededIds(4).sid(""));
export const CALLER = "+15550142";
export const STARTED_MS = Date.parse("2026-01-01T00:00:00.000Z");

export const sidOf = (n: number): string => `CA${String(n).padStart(32, "0")}`;

const folders: string[] = [];

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tandem-kept-"));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

export async function openKept(
  folder: string,
  keys: { readonly key: Uint8Array | null; readonly previousKey?: Uint8Array | null } = { key: KEY },
  log: Log = silentLog,
) {
  const clock = new VirtualClock(STARTED_MS);
  const parts = { ...keys, ids: systemIds, clock, log };
  const url = `sqlite://${join(folder, "t.db")}`;
  const store = await createStore({ ...parts, url, cipher: createFieldCipher(parts) });
  // Between the parts of a file it waits in earnest.
  const onDisk = { ...parts, clock: systemClock, folder: join(folder, "recordings") };
  const recordings = createRecordings({ ...onDisk, calls: store.privacy });
  return { store, privacy: store.privacy, recordings, clock };
}

export type Kept = Awaited<ReturnType<typeof openKept>>;

/** A call that is over, with a row and a log that is closed. */
export function keepCall({ store, clock }: Kept, n: number, change: Partial<CallRow> = {}): CallRow {
  const row = rowOf(n, change);
  const recorder = new Recorder(row.callSid, clock, store);
  recorder.write("event", "media.quiet", { at: clock.now() });
  recorder.write("note", LOG_CLOSED, {});
  const whole = { ...row, auditEntries: recorder.head.entries, auditHash: recorder.head.hash };
  store.saveCall(whole);
  return whole;
}

export function rowOf(n: number, change: Partial<CallRow> = {}): CallRow {
  const text = `The secret of call ${n} is out.`;
  return callRow(n, {
    callSid: sidOf(n),
    state: "ended",
    startedAt: new Date(STARTED_MS).toISOString(),
    endedAt: new Date(STARTED_MS + n * 1000).toISOString(),
    protected: {
      from: CALLER,
      to: "+15550100",
      transcript: [{ atMs: 1, speaker: "caller", text }],
      escalationReason: null,
      slots: { name: `Name ${n}` },
    },
    ...change,
  });
}

/** Of the coach's track; `null`: there is none that opens. */
export async function recordedBytes({ recordings }: Kept, n: number): Promise<number | null> {
  const file = await recordings.read(sidOf(n), "coach");
  return file && Buffer.concat(await Array.fromAsync(file.from(0))).length;
}

/** Names of the files of a folder, below it too, whose bytes have the text. */
export function filesWith(folder: string, text: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text));
}
