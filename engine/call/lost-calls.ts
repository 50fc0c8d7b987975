/**
 * Calls that an engine which died left open, and that cannot be gone on with. In a store that other engines use, too,
 * the rest are another's live calls.
 */
import { LIVE_STATES } from "../../machines/events.ts";
import { LOG_CLOSED } from "../audit/chain.ts";
import { costOfLost } from "../cost/cost.ts";
import { CarrierError, errorText } from "../errors.ts";
import { sayTwiml } from "../http/twiml.ts";
import { pause } from "../platform/clock.ts";
import type { CallRow, Carrier, Clock, Log, ParticipantInfo, Store } from "../ports.ts";
import { withoutOpenIncidents } from "./lost-incidents.ts";
import { resumeRecorder } from "./recorder.ts";
import type { IsOurs } from "./restore.ts";

const LOST = "engine_lost";
const PAGE_ROWS = 500;
const AT_ONCE = 10;
const ATTEMPTS = 5;
const PAUSE_MS = 1000;

/** The unfinished rows that are ours, as they were before this engine took its first call. */
export async function findLostCalls(store: Store, isOurs: IsOurs = () => true): Promise<readonly CallRow[]> {
  const found: CallRow[] = [];
  for (const state of LIVE_STATES) {
    for (let before: string | undefined; ;) {
      const query = { state, limit: PAGE_ROWS, ...(before !== undefined && { before }) };
      const page = await store.listCalls(query);
      found.push(...page.filter((row) => isOurs(row)));
      before = page.at(-1)?.callSid;
      if (page.length < PAGE_ROWS) break;
    }
  }
  return found;
}

export interface CloseLostOptions {
  readonly store: Store;
  readonly carrier: Carrier;
  readonly clock: Clock;
  readonly log: Log;
  /** What a caller hears who was left in the room without the AI. */
  readonly apology: string;
}

/**
 * A caller who is alone is told, and the call ends; one who talks to a person goes on, without the AI. The rows
 * end with `engine_lost`. Never rejects.
 */
export async function closeLostCalls(rows: readonly CallRow[], options: CloseLostOptions): Promise<void> {
  const waiting = [...rows];
  const work = async (): Promise<void> => {
    for (let row = waiting.shift(); row; row = waiting.shift()) await close(row, options);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function close(row: CallRow, options: CloseLostOptions): Promise<void> {
  const { store, clock, log } = options;
  const { callSid, state } = row;
  // Its caller had left before: what is lost is what went on without them.
  const over = row.endedAt !== null;
  let withPerson = false;
  try {
    withPerson = !over && (await settle(row, options));
  } catch (error) {
    log.error("lost_call.not_settled", { callSid, error: errorText(error) });
  }
  // Its row and its log were closed, or go on, with the attempt to go on with the call.
  if (row.endReason === LOST) return;
  const now = clock.now();
  const ended = {
    state: "ended",
    endedAt: new Date(now).toISOString(),
    endReason: LOST,
    durationMs: now - Date.parse(row.startedAt),
    cost: costOfLost(row.cost),
  };
  const head = await closeLog(row, options);
  store.dropSnapshot(callSid);
  store.saveCall(giveUpIncidents({ ...row, ...(over ? {} : ended), ...head }, withPerson, options));
  log.warn("lost_call.closed", { callSid, state });
}

/** Nobody goes on with them, and whoever reads the log can see to the caller. */
export function giveUpIncidents(
  row: CallRow,
  withPerson: boolean,
  { clock, log }: Pick<CloseLostOptions, "clock" | "log">,
): CallRow {
  const { row: after, unanswered } = withoutOpenIncidents(row, withPerson, clock.now());
  const { callSid } = row;
  const fix =
    "nobody is paged for this caller any more: call them back (the console and the row have the number)";
  if (unanswered) log.error("lost_call.unanswered", { callSid, fix });
  return after;
}

async function closeLog(
  { callSid, auditEntries, auditHash }: CallRow,
  { store, clock, log }: CloseLostOptions,
): Promise<Pick<CallRow, "auditEntries" | "auditHash">> {
  try {
    const recorder = await resumeRecorder(callSid, clock, store, []);
    if (!recorder) return { auditEntries, auditHash };
    recorder.write("note", "call.ended", { endReason: LOST });
    recorder.write("note", LOG_CLOSED, {});
    return { auditEntries: recorder.head.entries, auditHash: recorder.head.hash };
  } catch (error) {
    log.error("lost_call.log_not_closed", { callSid, error: errorText(error) });
    return { auditEntries, auditHash };
  }
}

/** Resolves to whether the caller is with a person. */
async function settle(row: CallRow, options: CloseLostOptions): Promise<boolean> {
  const { carrier, apology } = options;
  const participants = await again(options, () => whoIsThere(row, carrier));
  const humans = participants.filter((each) => each.label?.startsWith("human-"));
  const last = humans.at(-1);
  if (last) {
    // Nobody will notice when the person leaves: the conference must end by itself then.
    const ref = { conferenceSid: last.conferenceSid, participant: last.callSid };
    await again(options, () => carrier.updateParticipant(ref, { endConferenceOnExit: true }));
    const ai = participants.filter((each) => each.label?.startsWith("ai-"));
    await Promise.all(
      ai.map((leg) => again(options, () => carrier.updateCall(leg.callSid, { status: "completed" }))),
    );
    return true;
  }
  try {
    await again(options, () => carrier.updateCall(row.callSid, { twiml: sayTwiml(apology, "hangup") }));
  } catch {
    // A call that cannot be told anything is at least not left open.
    await again(options, () => carrier.updateCall(row.callSid, { status: "completed" }));
  }
  return false;
}

async function whoIsThere(row: CallRow, carrier: Carrier): Promise<readonly ParticipantInfo[]> {
  const conferenceSid = row.conferenceSid ?? (await carrier.findConference(row.conferenceName));
  return conferenceSid === null ? [] : await carrier.listParticipants(conferenceSid);
}

/** Repeats what may succeed later: what is asked for here may be done twice. */
async function again<T>({ clock }: CloseLostOptions, request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof CarrierError) || !error.retryable || attempt === ATTEMPTS) throw error;
      await pause(clock, PAUSE_MS * attempt);
    }
  }
}
