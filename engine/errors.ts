/**
 * The closed set of errors. Whether to try again is in the type, not in the caller's guess. Expected
 * outcomes (a participant that has already left, a declined page) are return values, never errors.
 */

/** One mistake in the environment or the deployment file. */
export interface ConfigIssue {
  /** Name of the variable, or path of the key: `escalation.rungs[0].contacts[1].voice`. */
  readonly name: string;
  readonly problem: string;
  readonly fix: string;
}

/** Every configuration mistake at once. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[]) {
    const lines = issues.map((i) => `  ${i.name}: ${i.problem}\n    fix: ${i.fix}`);
    super(`${issues.length} configuration mistake${issues.length === 1 ? "" : "s"}:\n${lines.join("\n")}`);
    this.issues = issues;
  }
}

export interface CarrierErrorInit {
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;
  /** Twilio's error code (https://www.twilio.com/docs/api/errors), or 0. */
  readonly code: number;
  /** The same request may succeed later. */
  readonly retryable: boolean;
  /** The request may have taken effect (a timeout after it was sent): look before repeating it. */
  readonly ambiguous: boolean;
  readonly operation: string;
}

/** A request to the carrier failed. */
export class CarrierError extends Error {
  override readonly name = "CarrierError";
  readonly status: number;
  readonly code: number;
  readonly retryable: boolean;
  readonly ambiguous: boolean;
  readonly operation: string;

  constructor(message: string, init: CarrierErrorInit) {
    super(message);
    this.status = init.status;
    this.code = init.code;
    this.retryable = init.retryable;
    this.ambiguous = init.ambiguous;
    this.operation = init.operation;
  }
}

/** Closed set of what can go wrong with a speech model. */
export const PROVIDER_ERROR_CODES = [
  "connect_failed",
  "auth_failed",
  "quota_exceeded",
  "rate_limited",
  "format_mismatch",
  "protocol_error",
  "session_expired",
  "connection_lost",
  "server_error",
  "rejected_event",
  "overflow",
] as const;
export type ProviderErrorCode = (typeof PROVIDER_ERROR_CODES)[number];

/** The speech model refused, failed or misbehaved. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly code: ProviderErrorCode;
  readonly retryable: boolean;
  /** The provider's own code, if it gave one. */
  readonly providerCode: string | null;

  constructor(
    code: ProviderErrorCode,
    message: string,
    retryable: boolean,
    providerCode: string | null = null,
  ) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.providerCode = providerCode;
  }
}

/** Code of an effect of which nobody knows whether it was done. The carrier's own begin at 10000. */
export const OUTCOME_UNKNOWN = 1;

/** It may have been done, and whether it was could not be found out: it is not tried again. */
export class EffectLostError extends Error {
  override readonly name = "EffectLostError";
  readonly code = OUTCOME_UNKNOWN;
  /** HTTP status of the request itself, or 0. */
  readonly status: number;

  /** `looking`: why it could not be found out; `asking`: how the request failed, when this engine made it. */
  constructor(looking: unknown, asking?: CarrierError) {
    super(`nobody knows whether it was done: ${errorText(looking)}`);
    this.status = asking?.status ?? 0;
  }
}

/** A push did not reach its receiver. Never holds the receiver's URL, which may be a secret. */
export class PushError extends Error {
  override readonly name = "PushError";
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;
  /** The same push may succeed later. */
  readonly retryable: boolean;

  constructor(message: string, init: { readonly status: number; readonly retryable: boolean }) {
    super(message);
    this.status = init.status;
    this.retryable = init.retryable;
  }
}

/** The store could not keep or return what it was asked to. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/** A promise of our own code was broken: a bug, never a condition of the outside world. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Asserts a promise of our own code; stays on in production. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The message of anything thrown, on one line. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s*\n\s*/g, " ").slice(0, 500);
}
