/**
 * Calls that an engine left without a word, when it died, or for another to go on with. In a store that other
 * engines use, too, the rest are another's live calls: there each engine goes on with what it left itself.
 */
import { pageLabel } from "../../machines/context.ts";
import type { Journal } from "../effects/journal.ts";
import { errorText } from "../errors.ts";
import { callOfKey, isPostCallKey } from "../platform/call-key.ts";
import { givenUp, withPostCall } from "../postcall/facts.ts";
import type { PostCalls } from "../postcall/post-calls.ts";
import type { CallRow, Carrier, Clock, Log, Store, StoredSnapshot } from "../ports.ts";
import type { FollowUps } from "./follow-ups.ts";
import { giveUpIncidents } from "./lost-calls.ts";
import type { LegUp } from "./page-legs.ts";
import { type Recorder, resumeRecorder } from "./recorder.ts";
import { openSnapshot, type SavedState } from "./snapshot.ts";
import type { Supervisor } from "./supervisor.ts";

/** The row of a call that is over, as the last of those who work on it has left it. */
export interface HeldRow {
  row: CallRow;
}

export interface Unfinished<S = SavedState> {
  readonly saved: S;
  /** The call's log goes on. */
  readonly recorder: Recorder;
  /** Number of the last entry of the log that the snapshot has seen. */
  readonly snapshotSeq: number;
  /** Since the snapshot. */
  readonly downMs: number;
  readonly row: CallRow;
}

export interface LoadOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Reads what they had begun. */
  readonly journal: Pick<Journal, "resume">;
  /** Whether a call is not another engine's; left out: all are ours. */
  readonly isOurs?: IsOurs;
}

export type IsOurs = (row: CallRow) => boolean;

/** Calls whose logs are read at once. */
const AT_ONCE = 20;

/**
 * What was left, as far as it can be gone on with. The snapshots of the others are dropped; their rows are still
 * open. Never rejects for one call's sake.
 */
export async function loadUnfinished(options: LoadOptions): Promise<readonly Unfinished[]> {
  const waiting = [...(await options.store.unfinishedSnapshots())];
  const found: Unfinished[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      if (!(await isOursToo(next, options))) continue;
      const one = await load(next, options);
      if (typeof one !== "string") found.push(one);
      else {
        options.log.error("restore.refused", { callSid: next.callSid, why: one });
        options.store.dropSnapshot(next.callSid);
        await giveUp(next, options);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return found;
}

/** What cannot be told is left alone. */
async function isOursToo({ callSid: key }: StoredSnapshot, options: LoadOptions): Promise<boolean> {
  const { isOurs, store, log } = options;
  if (!isOurs) return true;
  try {
    const row = await store.getCall(callOfKey(key));
    return row !== null && isOurs(row);
  } catch (error) {
    log.error("restore.left_alone", { callSid: key, error: errorText(error) });
    return false;
  }
}

async function load(stored: StoredSnapshot, options: LoadOptions): Promise<Unfinished | string> {
  const { store, clock, log, journal } = options;
  const { callSid: key } = stored;
  const opened = openSnapshot(stored);
  if (!opened.ok) return opened.why;
  const { saved, how } = opened;
  const { callSid } = saved.start;
  if (how !== "same")
    log.warn("restore.other_machines", { callSid: key, how, machineHash: stored.machineHash });
  try {
    const row = await store.getCall(callSid);
    if (!row) return "the call has no row";
    const recorder = await resumeRecorder(key, clock, store, saved.known);
    if (!recorder || recorder.closed) return "the call's log is closed, or is not there";
    await journal.resume(key);
    const downMs = Math.max(0, clock.now() - saved.savedAtMs);
    return { saved, recorder, snapshotSeq: stored.seq, downMs, row };
  } catch (error) {
    return errorText(error);
  }
}

/** What the clock of the engine that left them showed last, so far as they tell; 0 without any. */
export function lastSavedAtMs(unfinished: readonly Unfinished[]): number {
  return Math.max(0, ...unfinished.map(({ saved }) => saved.savedAtMs));
}

/** The row says that nothing more comes. What cannot be read may be there for whoever has the right key. */
async function giveUp({ callSid: key, body }: StoredSnapshot, options: LoadOptions): Promise<void> {
  const { store, log } = options;
  const afterCall = isPostCallKey(key);
  if (afterCall && body === null) return;
  const callSid = callOfKey(key);
  try {
    const row = await store.getCall(callSid);
    if (!row) return;
    if (afterCall) store.saveCall(withPostCall(row, givenUp({ ...row, slots: row.protected.slots }, "lost")));
    // Of a call that is not over the row is closed with its caller's leg.
    else if (row.endedAt !== null) store.saveCall(giveUpIncidents(row, false, options));
  } catch (error) {
    log.error("restore.not_given_up", { callSid, error: errorText(error) });
  }
}

/** Nobody is left whom the calls could be gone on with. What follows a call needs nobody. */
export async function forgetUnfinished(store: Store): Promise<void> {
  for (const { callSid } of await store.unfinishedSnapshots()) {
    if (!isPostCallKey(callSid)) store.dropSnapshot(callSid);
  }
}

export interface ResumeOptions {
  readonly supervisor: Supervisor;
  readonly followUps: FollowUps;
  /** Without it what follows a call is left for another engine. */
  readonly postCalls?: PostCalls;
  /** Whose each ring is. */
  readonly journal: Pick<Journal, "claims">;
  readonly gateway: { resumeTokens(callSid: string, used: Readonly<Record<string, number>>): void };
  readonly carrier: Pick<Carrier, "fetchCall">;
  readonly log: Log;
}

/**
 * Goes on with them, all before anything else happens: whoever rings next finds their call. Returns those that
 * could not be taken up.
 */
export function resumeUnfinished(
  found: readonly Unfinished[],
  options: ResumeOptions,
): readonly Unfinished[] {
  const rows = new Map<string, HeldRow>();
  return found.flatMap((one) => {
    const { callSid } = one.saved.start;
    try {
      const held = rows.get(callSid) ?? { row: one.row };
      rows.set(callSid, held);
      resume(one, held, options);
      return [];
    } catch (error) {
      options.log.error("restore.failed", { callSid, kind: one.saved.kind, error: errorText(error) });
      // A call that is over has nobody who would have to be told.
      if (one.saved.kind === "post_call") return [];
      // It has come so far as to make its row and, if somebody is sought on, to go on with its log.
      const isClosed = one.saved.kind === "call" && options.supervisor.isOver(callSid);
      return [isClosed ? { ...one, row: { ...one.row, endReason: "engine_lost" } } : one];
    }
  });
}

function resume(one: Unfinished, held: HeldRow, options: ResumeOptions): void {
  const { supervisor, followUps, gateway, postCalls } = options;
  const { saved } = one;
  const { callSid } = saved.start;
  if (saved.kind === "post_call") {
    postCalls?.resume({ ...one, saved }, held);
    return;
  }
  if (saved.kind === "follow_up") {
    followUps.resume({ ...one, saved }, held);
    goOnWithLegs(callSid, followUps.get(callSid)?.legsUp() ?? [], options);
    return;
  }
  gateway.resumeTokens(callSid, saved.tokens);
  const session = supervisor.resume({ ...one, saved });
  goOnWithLegs(callSid, session.legsUp(), options);
}

/** No ring whose answer died with the engine before may be taken for one of these: nothing is looked for yet. */
function goOnWithLegs(callSid: string, legs: readonly LegUp[], options: ResumeOptions): void {
  for (const leg of legs) options.journal.claims.add(leg.callSid, `${callSid}/${pageLabel(leg.label)}`);
  void askAboutLegs(callSid, legs, options);
}

/**
 * Who is in the room the call asks by itself; but a leg that rang, or spoke, elsewhere may have ended unheard.
 * The caller's own call is asked for with the room.
 */
async function askAboutLegs(callSid: string, legs: readonly LegUp[], options: ResumeOptions): Promise<void> {
  const { carrier, supervisor, followUps, log } = options;
  for (const leg of legs) {
    if (leg.callSid === callSid) continue;
    try {
      const info = await carrier.fetchCall(leg.callSid);
      const status = info?.status ?? "completed";
      const host = supervisor.get(callSid) ?? followUps.get(callSid);
      host?.deliver({ type: "leg.status", label: leg.label, callSid: leg.callSid, status });
    } catch (error) {
      // Its deadline is still there.
      log.warn("restore.leg_unknown", { callSid, label: leg.label, error: errorText(error) });
    }
  }
}
