/** The error bodies of the Realtime API, with its texts where they are known. */
import type { z } from "zod";
import type { ProtocolError } from "./wire.ts";

export function invalidRequest(code: string, message: string, param: string | null = null): ProtocolError {
  return { type: "invalid_request_error", code, message, param };
}

export function serverError(message: string): ProtocolError {
  return { type: "server_error", code: "server_error", message, param: null };
}

export const SERVER_ERROR_TEXT = "The server had an error while processing your request. Sorry about that!";

export const invalidEvent = (message: string, param: string | null = null): ProtocolError =>
  invalidRequest("invalid_event", message, param);

export const betaShapeDisabled: ProtocolError = invalidRequest(
  "beta_api_shape_disabled",
  "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.",
);

export const missingModel: ProtocolError = invalidRequest(
  "missing_model",
  "You must provide a model parameter.",
  "model",
);

export const cancelNotActive: ProtocolError = invalidRequest(
  "response_cancel_not_active",
  "Cancellation failed: no active response found",
);

export const activeResponse = (responseId: string): ProtocolError =>
  invalidRequest(
    "conversation_already_has_active_response",
    `Conversation already has an active response in progress: ${responseId}. Wait until the response is finished before creating a new one.`,
  );

export const commitEmpty = (lengthMs: number): ProtocolError =>
  invalidRequest(
    "input_audio_buffer_commit_empty",
    `Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has ${lengthMs.toFixed(2)}ms of audio.`,
  );

export const itemMissing = (verb: "retrieve" | "delete" | "truncate", itemId: string): ProtocolError =>
  invalidRequest(
    `item_${verb}_invalid_item_id`,
    `Error ${verb.slice(0, -1)}ing item: the item with id '${itemId}' does not exist.`,
    "item_id",
  );

export const notTruncatable: ProtocolError = invalidRequest(
  "unsupported_content_type",
  "Only model output audio messages can be truncated",
);

export const tooShort = (heldMs: number, askedMs: number): ProtocolError =>
  invalidRequest(
    "invalid_value",
    `Audio content of ${Math.floor(heldMs)}ms is already shorter than ${askedMs}ms`,
    "audio_end_ms",
  );

export const voiceLocked: ProtocolError = invalidRequest(
  "cannot_update_voice",
  "Cannot update a conversation's voice if assistant audio is present.",
);

export function sessionExpired(maxMs: number): ProtocolError {
  const minutes = maxMs >= 60_000 ? `${Math.round(maxMs / 60_000)} minutes` : `${maxMs} ms`;
  return invalidRequest("session_expired", `Your session hit the maximum duration of ${minutes}.`);
}

/** `["session", "tools", 0, "name"]` as `session.tools[0].name`. */
function paramName(path: readonly PropertyKey[]): string {
  let name = "";
  for (const key of path) {
    if (typeof key === "number") name += `[${key}]`;
    else name += name === "" ? String(key) : `.${String(key)}`;
  }
  return name;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The first mistake zod found in `input`, as the API words it; `prefix` is the path of `input` itself. */
export function schemaError(
  error: z.ZodError,
  input: unknown,
  prefix: readonly string[] = [],
): ProtocolError {
  const issue = error.issues[0];
  if (!issue) return invalidRequest("invalid_value", "Invalid value.");
  if (issue.code === "unrecognized_keys") {
    const param = paramName([...prefix, ...issue.path, issue.keys[0] ?? ""]);
    return invalidRequest("unknown_parameter", `Unknown parameter: '${param}'.`, param);
  }
  const param = paramName([...prefix, ...issue.path]);
  const value = valueAt(input, issue.path);
  if (value === undefined) {
    return invalidRequest("missing_required_parameter", `Missing required parameter: '${param}'.`, param);
  }
  if (issue.code === "invalid_value") {
    const supported = issue.values.map((v) => `'${String(v)}'`).join(", ");
    const shown =
      typeof value === "string" || typeof value === "number" ? `${value}`.slice(0, 64) : typeof value;
    const message = `Invalid value: '${shown}'. Supported values are: ${supported}.`;
    return invalidRequest("invalid_value", message, param);
  }
  if (issue.code === "invalid_type") {
    const got = value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
    const message = `Invalid type for '${param}': expected ${issue.expected}, but got ${got} instead.`;
    return invalidRequest("invalid_type", message, param);
  }
  return invalidRequest("invalid_value", `Invalid '${param}': ${issue.message}.`, param);
}
