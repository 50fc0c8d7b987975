/**
 * Every field that a log line may have, with its class: a line with another does not compile. No field of a line is
 * personal, of somebody's health, or a secret: what is of these classes has no place in a log.
 */

/**
 * - `public`: ids, numbers, closed sets, and names that the deployment gives.
 * - `internal`: technical text that others have worded: it may quote anything, and is redacted.
 * - `personal`: names or leads to a person.
 * - `health`: what somebody said, or was said of them.
 * - `secret`: gives somebody a right.
 */
export type FieldClass = "public" | "internal" | "personal" | "health" | "secret";

/** What may be told without a right. */
export type OpenClass = Extract<FieldClass, "public" | "internal">;

/** A class for each field. */
export type Classes<T, C extends FieldClass = FieldClass> = { readonly [K in keyof T]-?: C };

export const LOG_FIELDS = {
  again: "public",
  ambiguous: "public",
  answer: "public",
  attempt: "public",
  attempts: "public",
  auditHash: "public",
  /** The name of a token. */
  by: "public",
  byMs: "public",
  bytes: "public",
  callId: "public",
  callSid: "public",
  calls: "public",
  code: "public",
  command: "public",
  conferenceSid: "public",
  context: "internal",
  delivery: "public",
  documents: "public",
  downMs: "public",
  durationMs: "public",
  effectId: "public",
  endReason: "public",
  error: "internal",
  extraction: "public",
  failures: "public",
  fallback: "public",
  fix: "internal",
  followed: "public",
  /** A state of a machine. */
  from: "public",
  hash: "public",
  hook: "public",
  how: "internal",
  issues: "internal",
  kind: "public",
  label: "public",
  latenessMs: "public",
  leg: "public",
  limitMs: "public",
  logs: "public",
  machine: "public",
  machineAheadMs: "public",
  machineHash: "public",
  message: "internal",
  messageSid: "public",
  name: "public",
  node: "public",
  open: "public",
  operation: "public",
  outcome: "public",
  over: "public",
  owned: "public",
  paged: "public",
  param: "internal",
  part: "public",
  path: "internal",
  persona: "public",
  phase: "public",
  port: "public",
  problem: "internal",
  providerCode: "internal",
  queuedWrites: "public",
  reason: "internal",
  recordings: "public",
  restarts: "public",
  retryInMs: "public",
  retryable: "public",
  role: "public",
  rows: "public",
  seq: "public",
  session: "public",
  signal: "public",
  speaking: "public",
  standing: "public",
  state: "public",
  status: "public",
  stopped: "public",
  streamEvent: "public",
  streamSid: "public",
  timedOut: "public",
  tool: "internal",
  toolCallId: "public",
  track: "public",
  type: "public",
  via: "public",
  what: "internal",
  where: "internal",
  why: "internal",
} as const satisfies Readonly<Record<string, OpenClass>>;

export type LogFieldName = keyof typeof LOG_FIELDS;
