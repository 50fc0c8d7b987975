/** What must hold of every call (design §9, 1, 3, 4 and 6): its caller, its row, its end. */
import type { AuditEntry, CallRow } from "../../engine/ports.ts";
import { cancelMs, type Court, lastedMs } from "./court.ts";
import { MediaBooks } from "./heard.ts";

/** A caller who is alone and has spoken, or for whom somebody is sought, hears something within this time. */
export const MAX_SILENCE_MS = 25_000;
/** From the caller's leaving until the call has ended. */
const MAX_ENDING_MS = 60_000;
/** The longest that somebody may speak with the AI while the caller is on hold. */
const MAX_HOLD_MS = 60_000;
/** How long a caller has neither a person nor an AI that may be heard: it comes, comes back, or changes its role. */
const MAX_ALONE_MS = 5000;
const MAX_ALONE_WITH_FAULTS_MS = 60_000;
/** How far the engine's sum of what was heard may be from the carrier's, for each cut besides the latency. */
const HEARD_SLACK_MS = 250;
/** Each item is told in whole milliseconds. */
const ROUNDING_MS = 1;
/** What an engine that dies has not yet noted of what was heard: the speech that was under way, and what was not saved. */
const LOST_SPEECH_MS = 6000;

/** How a call ends that the engine gives up. Where nothing but engines fails, none is. */
const LOST: ReadonlySet<string> = new Set([
  "ai_leg_failed",
  "engine_lost",
  "engine_shutdown",
  "internal_error",
  "model_failed",
]);

/** What of a row does not change any more when its call has ended. */
function lasting(row: CallRow): Partial<CallRow> {
  const { escalations: _all, escalation: _last, recordings: _kept, metrics: _counted, ...more } = row;
  const { auditEntries: _logged, auditHash: _chained, errors: _later, ...rest } = more;
  return rest;
}

/** Pages that go on after the call may have outcomes that nobody knows; nothing else is added, and nothing changed. */
function keepsErrors(before: CallRow, now: CallRow): boolean {
  const kept = now.errors.slice(0, before.errors.length);
  const added = now.errors.slice(before.errors.length);
  return Bun.deepEquals(kept, before.errors) && added.every(({ code }) => code.startsWith("page."));
}

export class CallRules {
  readonly callSid: string;
  readonly #court: Court;
  /** The caller's and the AI's leg, and whoever else is in the room, by the carrier's books. */
  company = { humans: 0, ai: false, aiLegs: 0, onHold: false };
  leftMs: number | null = null;
  /** The engine knows of the call: a caller may leave before. */
  begun = false;
  ended = false;
  /** By the engine's word; of its machine's first level. */
  state = "arriving";
  row: CallRow | null = null;
  #unansweredSinceMs: number | null = null;
  #seekingSinceMs: number | null = null;
  #holdSinceMs: number | null = null;
  #heldAloneSinceMs: number | null = null;
  #aloneSinceMs: number | null = null;
  /** The call began to end while its caller was there. */
  #givenUp = false;

  constructor(court: Court, callSid: string) {
    this.#court = court;
    this.callSid = callSid;
  }

  heard(): void {
    this.#unansweredSinceMs = null;
    if (this.#seekingSinceMs !== null) this.#seekingSinceMs = this.#court.nowMs;
  }

  spoke(): void {
    this.#unansweredSinceMs ??= this.#court.nowMs;
  }

  audit({ kind, name, data }: AuditEntry): void {
    this.begun = true;
    if (kind === "note" && (name === "call.ended" || name === "log.closed")) this.ended = true;
    if (kind !== "state" || name === "incident") return;
    this.state = name;
    if (name === "wrapUp" && this.leftMs === null) this.#givenUp = true;
    const value = JSON.stringify(data["value"]);
    this.#court.reached(`state ${value}`);
    if (!value.includes("escalating")) this.#seekingSinceMs = null;
    else this.#seekingSinceMs ??= this.#court.nowMs;
  }

  /** Once a call has ended its row stays, but for who is still sought, what was recorded and what came late. */
  saved(row: CallRow): void {
    const before = this.row;
    this.row = row;
    if (before === null || before.endedAt === null) return;
    if (!Bun.deepEquals(lasting(before), lasting(row)) || !keepsErrors(before, row))
      this.#court.violate("second-row", JSON.stringify(row));
  }

  check(): void {
    const { nowMs, plan } = this.#court;
    const { humans, ai, aiLegs, onHold } = this.company;
    if (this.#court.isDown) return;
    if (this.leftMs !== null) {
      const late = lastedMs(this.#court, this.leftMs) > MAX_ENDING_MS;
      if (late && this.begun && !this.ended) this.#court.violate("not-ended", this.callSid);
      return;
    }
    if (humans > 0) {
      this.#unansweredSinceMs = null;
      if (this.#seekingSinceMs !== null) this.#seekingSinceMs = nowMs;
    }
    for (const sinceMs of [this.#unansweredSinceMs, this.#seekingSinceMs]) {
      if (sinceMs !== null && this.#lasted(sinceMs) > MAX_SILENCE_MS)
        this.#court.violate("left-in-silence", `since ${sinceMs}`);
    }
    this.#holdSinceMs = onHold ? (this.#holdSinceMs ?? nowMs) : null;
    this.#heldAloneSinceMs = onHold && humans === 0 && aiLegs > 0 ? (this.#heldAloneSinceMs ?? nowMs) : null;
    this.#aloneSinceMs = humans === 0 && !ai ? (this.#aloneSinceMs ?? nowMs) : null;
    const aloneMs = plan.faults.length > 0 || plan.crashes ? MAX_ALONE_WITH_FAULTS_MS : MAX_ALONE_MS;
    if (this.#aloneSinceMs !== null && this.#lasted(this.#aloneSinceMs) > aloneMs + 20 * plan.latencyMs[1])
      this.#court.violate("left-alone", `since ${this.#aloneSinceMs}`);
    const slackMs = cancelMs(plan, true);
    if (this.#holdSinceMs !== null && this.#lasted(this.#holdSinceMs) > MAX_HOLD_MS + slackMs)
      this.#court.violate("held-too-long", `since ${this.#holdSinceMs}`);
    // They may be on hold a little before the person is there; without the AI they wait for that person with music.
    if (this.#heldAloneSinceMs !== null && this.#lasted(this.#heldAloneSinceMs) > slackMs)
      this.#court.violate("held-alone", `since ${this.#heldAloneSinceMs}`);
  }

  #lasted(sinceMs: number): number {
    return lastedMs(this.#court, sinceMs);
  }

  finish(): void {
    const { row } = this;
    if ((row === null || row.endedAt === null) && this.begun) this.#court.violate("no-row", this.callSid);
    if (!row) return;
    this.#court.reached(`end ${row.endReason}`);
    const { crashes, faults } = this.#court.plan;
    if (crashes && faults.length === 0 && this.#givenUp && LOST.has(row.endReason ?? ""))
      this.#court.violate("caller-dropped", `${row.endReason}`);
    this.#court.reached(`handover ${row.handover}`);
    for (const { code } of row.errors) this.#court.reached(`error ${code}`);
  }
}

/** What the only caller of a world was told, and what the engine says that they heard of it. */
export class HeardRules {
  readonly books = new MediaBooks();
  readonly #court: Court;
  #playedBytes = 0;

  constructor(court: Court) {
    this.#court = court;
  }

  played(ulaw: Uint8Array): void {
    this.#playedBytes += ulaw.length;
  }

  finish(row: CallRow): void {
    const spoken = row.protected.transcript.filter((entry) => entry.heardMs !== undefined);
    const heardMs = spoken.reduce((sum, entry) => sum + (entry.heardMs ?? 0), 0);
    const cut = spoken.filter((entry) => (entry.heardMs ?? 0) < (entry.generatedMs ?? 0)).length;
    const playedMs = this.#playedBytes / 8;
    const { latencyMs, faults, crashes = [] } = this.#court.plan;
    const stalledMs = faults.reduce((sum, each) => sum + (each.kind === "mediaStall" ? each.stallMs : 0), 0);
    const lostMs = LOST_SPEECH_MS * crashes.length;
    const slackMs =
      (HEARD_SLACK_MS + 4 * latencyMs[1] + stalledMs) * (1 + cut) + 4 * latencyMs[1] * crashes.length;
    const { sentMs, confirmedMs } = this.books;
    const roundingMs = ROUNDING_MS * (spoken.length + 1);
    if (heardMs > sentMs + roundingMs)
      this.#court.violate("heard-unsent", `heard ${heardMs} ms, sent ${sentMs} ms`);
    if (heardMs < confirmedMs - roundingMs - lostMs) {
      this.#court.violate("confirmed-unheard", `heard ${heardMs} ms, marks confirm ${confirmedMs} ms`);
    }
    if (heardMs > playedMs + slackMs || heardMs < playedMs - slackMs - lostMs) {
      this.#court.violate("heard-wrong", `heard ${heardMs} ms, played ${playedMs} ms, ${cut} cut`);
    }
    for (const { heardMs: heard = 0, generatedMs = 0 } of spoken) {
      if (heard > generatedMs) this.#court.violate("heard-wrong", `${heard} ms of ${generatedMs} ms heard`);
    }
  }
}
