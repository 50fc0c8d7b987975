import { describe, expect, test } from "bun:test";
import { classifyFault, closeError, upgradeError } from "../../../adapters/openai/errors.ts";

describe("provider errors", () => {
  test.each([
    ["invalid_api_key", "fatal", "auth_failed", false],
    ["account_deactivated", "fatal", "auth_failed", false],
    ["insufficient_quota", "fatal", "quota_exceeded", false],
    ["billing_hard_limit_reached", "fatal", "quota_exceeded", false],
    ["beta_api_shape_disabled", "fatal", "protocol_error", false],
    ["model_not_found", "fatal", "rejected_event", false],
    ["session_expired", "expired", "session_expired", true],
    ["rate_limit_exceeded", "retry", "rate_limited", true],
    ["server_error", "retry", "server_error", true],
    ["conversation_already_has_active_response", "busy", "rejected_event", true],
    ["response_cancel_not_active", "benign", "rejected_event", false],
    ["input_audio_buffer_commit_empty", "benign", "rejected_event", false],
    ["item_truncate_invalid_item_id", "benign", "rejected_event", false],
    ["item_delete_invalid_item_id", "benign", "rejected_event", false],
    ["invalid_value", "rejected", "rejected_event", false],
    ["toString", "rejected", "rejected_event", false],
  ] as const)("%s is %s (%s)", (code, treatment, ours, retryable) => {
    const { error, ...rest } = classifyFault({ code, type: "invalid_request_error", message: "m" }, "test");
    expect(rest.treatment).toBe(treatment);
    expect(error).toMatchObject({ code: ours, retryable, providerCode: code });
  });

  test("the type decides when the code says nothing", () => {
    expect(classifyFault({ type: "server_error", code: null }, "x").treatment).toBe("retry");
    expect(classifyFault({}, "x").error.providerCode).toBeNull();
  });

  test("the text names what it answers, the parameter and stays on one short line", () => {
    const fault = { code: "invalid_value", message: "bad\nvalue", param: "session.audio.output.voice" };
    expect(classifyFault(fault, "answer to configure").error.message).toBe(
      "answer to configure: bad value (session.audio.output.voice)",
    );
    expect(classifyFault({ message: "x".repeat(9000) }, "t").error.message.length).toBe(500);
  });

  test.each([
    [401, "auth_failed", false],
    [403, "auth_failed", false],
    [429, "rate_limited", true],
    [404, "connect_failed", true],
    [503, "connect_failed", true],
  ] as const)("a refused upgrade with %d is %s", (status, code, retryable) => {
    const error = upgradeError(
      `WebSocket connection to 'ws://h/' failed: Expected 101 status code: ${status}`,
    );
    expect(error).toMatchObject({ code, retryable });
    expect(error.message).toContain(String(status));
  });

  test("no connection at all may be tried again", () => {
    expect(upgradeError("Failed to connect")).toMatchObject({ code: "connect_failed", retryable: true });
  });

  test("a closed socket names code and reason", () => {
    const error = closeError(1011, "internal");
    expect(error).toMatchObject({ code: "connection_lost", retryable: true, providerCode: "1011" });
    expect(error.message).toContain("1011 (internal)");
  });
});
