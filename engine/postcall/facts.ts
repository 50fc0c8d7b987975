/** What the row tells of the time after the call. Pure. */
import type { PostCallContext, Task } from "../../machines/postcall.facts.ts";
import { iso } from "../platform/clock.ts";
import type { TokensUsed } from "../extractor-port.ts";
import type { DeliveryRow, ExtractionRow, SlotValues } from "../postcall-port.ts";
import type { CallRow } from "../ports.ts";
import { withExtraction } from "../cost/cost.ts";
import type { Found } from "./findings.ts";
import { SCHEMA_VERSION } from "./schema.ts";

/** What the pipeline adds to a call's row. */
export interface PostCallFacts {
  readonly extraction: ExtractionRow | null;
  readonly delivery: DeliveryRow | null;
  readonly slots: SlotValues | null;
}

export const NO_POST_CALL: PostCallFacts = { extraction: null, delivery: null, slots: null };

/** What was found, and what it took. */
export interface Extracted extends Found {
  readonly usage: TokensUsed | null;
}

export interface Reading {
  /** `null`: there is none any more. */
  readonly model: string | null;
  /** Why a call is not read, when it is not. */
  readonly skipped: "off" | "nothing_said";
  /** What it cost; `null`: unknown. */
  readonly microsOf: (usage: TokensUsed) => number | null;
}

const NOTHING_YET = {
  attempts: 0,
  nextAttemptAt: null,
  endedAt: null,
  findings: null,
  usage: null,
  costMicros: null,
} as const;

/** Of a call of which nothing is read. */
export function skippedRow(reason: Reading["skipped"]): ExtractionRow {
  return { status: "skipped", reason, schemaVersion: SCHEMA_VERSION, model: null, ...NOTHING_YET };
}

/** Nothing more is done: too many wait, or there is nothing to go on with. */
export function givenUp(facts: PostCallFacts, reason: "overflow" | "lost"): PostCallFacts {
  const { extraction, delivery } = facts;
  const over = { reason, nextAttemptAt: null };
  return {
    ...facts,
    extraction:
      extraction && extraction.status !== "skipped" && extraction.endedAt === null
        ? { ...extraction, ...over, status: "failed" }
        : extraction,
    delivery: delivery && delivery.endedAt === null ? { ...delivery, ...over, status: "dead" } : delivery,
  };
}

/** The same in every attempt, also of an engine that has come back. */
export const eventIdOf = (callSid: string): string => `${callSid}/row`;

export function factsOf(
  { callSid, extraction, delivery }: PostCallContext,
  extracted: Extracted | null,
  reading: Reading,
): PostCallFacts {
  return {
    extraction: extraction.policy
      ? extractionRow(extraction, extracted, reading)
      : skippedRow(reading.skipped),
    delivery: delivery.policy && deliveryRow(delivery, callSid),
    slots: extracted?.slots ?? null,
  };
}

function extractionRow(task: Task, extracted: Extracted | null, { model, microsOf }: Reading): ExtractionRow {
  const usage = extracted?.usage ?? null;
  const status = task.done ? "done" : task.reason === null ? "pending" : "failed";
  return {
    status,
    reason: task.reason,
    schemaVersion: SCHEMA_VERSION,
    model,
    attempts: task.attempts,
    nextAttemptAt: iso(task.nextAtMs),
    endedAt: iso(task.endedAtMs),
    findings: extracted?.findings ?? null,
    usage,
    costMicros: usage && microsOf(usage),
  };
}

function deliveryRow(task: Task, callSid: string): DeliveryRow {
  const failed = task.endedAtMs === null ? "failed" : "dead";
  const status = task.done ? "delivered" : task.reason === null ? "pending" : failed;
  return {
    status,
    reason: task.reason,
    eventId: eventIdOf(callSid),
    attempts: task.attempts,
    nextAttemptAt: iso(task.nextAtMs),
    endedAt: iso(task.endedAtMs),
  };
}

/** The row of a call that ended before, with what has become of it since. */
export function withPostCall(row: CallRow, { extraction, delivery, slots }: PostCallFacts): CallRow {
  const cost = withExtraction(row.cost, extraction);
  return { ...row, cost, extraction, delivery, protected: { ...row.protected, slots } };
}
