import { CarrierError, errorText } from "../../engine/errors.ts";
import type { Reach } from "../../engine/platform/reach.ts";

/** Whether a request may be repeated: `read` changes nothing, `idempotent` changes the same thing again. */
export type RequestKind = "read" | "idempotent" | "once";

/** What went wrong with one request, before it is decided what that means for the operation. */
export interface Failure {
  readonly kind:
    "http" | "network" | "timeout" | "unreadable" | "budget" | "withdrawn" | "closed" | "invalid";
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;
  /** Twilio's error code, or 0. */
  readonly code: number;
  /** For people; without credentials, numbers and addresses. */
  readonly detail: string;
  readonly retryAfterMs: number | null;
  /** The request reached the wire, as far as is known. */
  readonly sent: boolean;
  /** The same request may succeed later. */
  readonly transient: boolean;
}

/** Codes of 4xx answers that time may cure: rate, conference add, concurrency. */
const TRANSIENT_CODES: ReadonlySet<number> = new Set([20429, 16030, 16021, 10004]);

/** The account has as many calls at once as it may. */
export const CONCURRENCY_CODES: ReadonlySet<number> = new Set([16021, 10004]);

/** The connection was never made, so that nothing can have happened. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EAI_FAIL",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
]);

const TLS = /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/;

/** An answer that is not 2xx. `body` is parsed JSON, or text when it was no JSON. */
export function httpFailure(status: number, body: unknown, retryAfter: unknown): Failure {
  const fields = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const code = typeof fields["code"] === "number" ? fields["code"] : 0;
  const said = [fields["message"], fields["detail"], fields["title"]].find(
    (text) => typeof text === "string",
  );
  const transient = status === 429 || status === 408 || status >= 500 || TRANSIENT_CODES.has(code);
  return {
    kind: "http",
    status,
    code,
    detail: [
      `HTTP ${status}`,
      code === 0 ? "" : `Twilio error ${code}`,
      redact(said ?? ""),
      advice(status, code),
    ]
      .filter((part) => part !== "")
      .join(", "),
    retryAfterMs: parseRetryAfter(retryAfter),
    sent: true,
    transient,
  };
}

/** An error of the transport, or of the SDK before it sent anything. */
export function thrownFailure(error: unknown): Failure {
  const held = (error as { failure?: Failure } | null)?.failure;
  if (held) return held;
  const raw = error as { isAxiosError?: unknown; code?: unknown; cause?: { code?: unknown } } | null;
  if (raw?.isAxiosError !== true) {
    return { ...BLANK, kind: "invalid", detail: redact(errorText(error)), sent: false, transient: false };
  }
  const code = [raw.code, raw.cause?.code].find((each) => typeof each === "string") ?? "unknown";
  if (code === "ECONNABORTED") return timeoutFailure();
  if (TLS.test(code)) {
    const detail = `no secure connection (${code}); check TWILIO_API_BASE_URL and the trusted certificates`;
    return { ...BLANK, kind: "network", detail, sent: false, transient: false };
  }
  const sent = !NOT_CONNECTED.has(code);
  return { ...BLANK, kind: "network", detail: `no answer (${code})`, sent, transient: true };
}

const BLANK = { status: 0, code: 0, retryAfterMs: null } as const;

export function timeoutFailure(): Failure {
  return { ...BLANK, kind: "timeout", detail: "no answer in time", sent: true, transient: true };
}

export function unreadableFailure(status: number, detail: string): Failure {
  return { ...BLANK, kind: "unreadable", status, detail, sent: true, transient: true };
}

export function closedFailure(sent: boolean): Failure {
  return { ...BLANK, kind: "closed", detail: "the carrier was closed", sent, transient: true };
}

export function budgetFailure(): Failure {
  return { ...BLANK, kind: "budget", detail: "budget queue full", sent: false, transient: true };
}

/** Whoever asked does not want it any more, and it had not been sent. */
export function withdrawnFailure(): Failure {
  return {
    ...BLANK,
    kind: "withdrawn",
    detail: "withdrawn before it was sent",
    sent: false,
    transient: false,
  };
}

/** A request that must not be sent; `detail` names the field and the fix. */
export function invalidFailure(detail: string): Failure {
  return { ...BLANK, kind: "invalid", detail, sent: false, transient: false };
}

/** Carries a failure through the SDK, which passes thrown errors on untouched. */
export function failureError(failure: Failure): Error {
  return Object.assign(new Error(failure.detail), { failure });
}

/** The request may have taken effect although it failed. */
export function isAmbiguous(failure: Failure, kind: RequestKind): boolean {
  if (kind === "read" || !failure.sent) return false;
  if (failure.kind !== "http") return true;
  return failure.status >= 500 || failure.status === 408;
}

/** Whether this adapter itself may send the request once more. */
export function mayRepeat(failure: Failure, kind: RequestKind): boolean {
  if (!failure.transient || failure.kind === "closed" || failure.kind === "budget") return false;
  // A refused connection and a 429 were never processed (https://www.twilio.com/docs/api/errors/20429).
  if (!failure.sent || failure.status === 429) return true;
  if (kind === "once") return false;
  return failure.kind !== "http" || failure.status >= 500 || failure.status === 408;
}

/** What a failed request says of the carrier as such. An answer that refuses this one request is an answer. */
export function noteReach(reach: Reach, { kind, status, code }: Failure): void {
  if (kind === "network" || kind === "timeout") reach.failed(kind);
  else if (kind === "unreadable") reach.failed("no answer of Twilio's");
  else if (kind !== "http") return;
  // Neither a sign of trouble nor of none: it was not looked at.
  else if (status === 429) return;
  else if (status === 401) reach.failed(`HTTP 401, Twilio error ${code}: check the credentials`, true);
  else if (status >= 500 || status < 400) reach.failed(`HTTP ${status}`);
  else reach.worked();
}

export function carrierError(operation: string, failure: Failure, ambiguous: boolean): CarrierError {
  return new CarrierError(`${operation}: ${failure.detail}`, {
    status: failure.status,
    code: failure.code,
    // An answer of success that cannot be read did take effect: repeating it is no cure.
    retryable: failure.transient && !(failure.kind === "unreadable" && ambiguous),
    ambiguous,
    operation,
  });
}

function advice(status: number, code: number): string {
  if (CONCURRENCY_CODES.has(code)) return "the account's limit of calls at once; ask Twilio for a higher one";
  if (status === 401 || status === 403) return "check the Twilio credentials and their region";
  if (status >= 300 && status < 400) return "redirects are not followed; check TWILIO_API_BASE_URL";
  return "";
}

/** Seconds, or a date, which is ignored: only the other end's clock could tell what it means. */
function parseRetryAfter(value: unknown): number | null {
  if (typeof value !== "string" || !/^\d{1,6}(\.\d+)?$/.test(value.trim())) return null;
  return Number(value) * 1000;
}

/** Twilio quotes numbers and addresses in its messages, and a proxy may quote anything; none of it is for a log. */
function redact(text: string): string {
  return (
    text
      .replaceAll(/\b(?:basic|bearer)\s+\S+/gi, "[secret]")
      // A bare token; a sid has a prefix of two letters.
      .replaceAll(/(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])/gi, "[secret]")
      .replaceAll(/\b(?:sips?|client|tel|whatsapp):\S+/gi, "[address]")
      .replaceAll(/(?<![0-9A-Za-z])\+?\d(?:[\s().-]*\d){6,}(?![0-9A-Za-z])/g, "[number]")
      .slice(0, 300)
  );
}
