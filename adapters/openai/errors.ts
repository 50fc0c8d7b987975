/**
 * What the provider's error codes mean for a call. Codes as in the Realtime reference of OpenAI and as seen by
 * the bridges of LiveKit, Pipecat and the Agents SDK; a code that is not listed leaves the session open.
 */
import { ProviderError, type ProviderErrorCode } from "../../engine/errors.ts";

/**
 * `fatal`: the session is over and will not come back. `expired`: roll the session over. `retry`: the same
 * request may succeed later. `busy`: a response is active, ask again after it. `benign`: nothing to do.
 * `rejected`: this one event was refused, the session goes on.
 */
export type Treatment = "fatal" | "expired" | "retry" | "busy" | "benign" | "rejected";

export interface Classified {
  readonly treatment: Treatment;
  readonly error: ProviderError;
}

export interface ProviderFault {
  readonly type?: string | null | undefined;
  readonly code?: string | null | undefined;
  readonly message?: string | null | undefined;
  readonly param?: string | null | undefined;
}

const TABLE: Readonly<Record<string, readonly [Treatment, ProviderErrorCode]>> = {
  invalid_api_key: ["fatal", "auth_failed"],
  account_deactivated: ["fatal", "auth_failed"],
  insufficient_quota: ["fatal", "quota_exceeded"],
  billing_hard_limit_reached: ["fatal", "quota_exceeded"],
  beta_api_shape_disabled: ["fatal", "protocol_error"],
  // A wrong model name cannot become right by asking again.
  model_not_found: ["fatal", "rejected_event"],
  session_expired: ["expired", "session_expired"],
  rate_limit_exceeded: ["retry", "rate_limited"],
  server_error: ["retry", "server_error"],
  conversation_already_has_active_response: ["busy", "rejected_event"],
  response_cancel_not_active: ["benign", "rejected_event"],
  input_audio_buffer_commit_empty: ["benign", "rejected_event"],
  item_truncate_invalid_item_id: ["benign", "rejected_event"],
  item_delete_invalid_item_id: ["benign", "rejected_event"],
  item_retrieve_invalid_item_id: ["benign", "rejected_event"],
};

const RETRYABLE: ReadonlySet<Treatment> = new Set(["expired", "retry", "busy"]);

/** Classifies the `error` of an `error` event or of a failed response. `context` says what it answers. */
export function classifyFault(fault: ProviderFault, context: string): Classified {
  const providerCode = fault.code ?? fault.type ?? null;
  const [treatment, code] = lookUp(fault.code) ?? lookUp(fault.type) ?? ["rejected", "rejected_event"];
  const param = fault.param ? ` (${fault.param})` : "";
  const text = `${context}: ${fault.message ?? "no message"}${param}`.replaceAll(/\s+/g, " ").slice(0, 500);
  return { treatment, error: new ProviderError(code, text, RETRYABLE.has(treatment), providerCode) };
}

function lookUp(code: string | null | undefined): readonly [Treatment, ProviderErrorCode] | undefined {
  return code && Object.hasOwn(TABLE, code) ? TABLE[code] : undefined;
}

/**
 * The error of a socket that never opened. Bun's client gives the HTTP status of a refused upgrade only in the
 * text of its error event: "Expected 101 status code: 401".
 */
export function upgradeError(message: string): ProviderError {
  const status = Number(/Expected 101 status code: (\d{3})/.exec(message)?.[1] ?? 0);
  if (status === 401 || status === 403) {
    const fix = "check OPENAI_API_KEY and that its project may use the Realtime API";
    return new ProviderError("auth_failed", `OpenAI refused the key with HTTP ${status}; ${fix}`, false);
  }
  if (status === 429) {
    return new ProviderError("rate_limited", "OpenAI refused the connection with HTTP 429", true);
  }
  const reason = status > 0 ? `with HTTP ${status}` : `(${message || "no reason given"})`;
  return new ProviderError("connect_failed", `could not connect to OpenAI Realtime ${reason}`, true);
}

/** The error of an open socket that was closed by the other side. */
export function closeError(code: number, reason: string): ProviderError {
  const text = reason ? `${code} (${reason.slice(0, 200)})` : String(code);
  return new ProviderError("connection_lost", `OpenAI closed the socket with ${text}`, true, String(code));
}
