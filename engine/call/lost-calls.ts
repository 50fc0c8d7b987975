/**
 * Calls that an engine which died left open. Only for a store that no other engine uses: in a shared one they
 * may be another's live calls.
 */
import { errorText } from "../errors.ts";
import { sayTwiml } from "../http/twiml.ts";
import type { CallRow, Carrier, Clock, Log, Store } from "../ports.ts";

const STATES = ["arriving", "streaming", "escalating", "coaching", "removed", "wrapUp"] as const;
const MAX_PER_STATE = 500;

/** The unfinished rows, as they were before this engine took its first call. */
export async function findLostCalls(store: Store): Promise<readonly CallRow[]> {
  const found: CallRow[] = [];
  for (const state of STATES) found.push(...(await store.listCalls({ state, limit: MAX_PER_STATE })));
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

/** Tells the callers, who may still be in the room, and ends the rows with `engine_lost`. Never rejects. */
export async function closeLostCalls(rows: readonly CallRow[], options: CloseLostOptions): Promise<void> {
  const { store, carrier, clock, log, apology } = options;
  for (const row of rows) {
    const { callSid } = row;
    try {
      await carrier.updateCall(callSid, { twiml: sayTwiml(apology, "hangup") });
    } catch (error) {
      log.warn("lost_call.caller_not_told", { callSid, error: errorText(error) });
    }
    const now = clock.now();
    const ended = { state: "ended", endedAt: new Date(now).toISOString(), endReason: "engine_lost" };
    store.saveCall({ ...row, ...ended, durationMs: now - Date.parse(row.startedAt) });
    log.warn("lost_call.closed", { callSid, state: row.state });
  }
}
