import { CarrierAlert } from "../alerts.ts";
import type { HttpMethod } from "../types.ts";
import { resolveUrl, type Scope } from "./scope.ts";
import { voiceFields } from "../call/fields.ts";

/**
 * Requests the wait music of a conference that has not started. Its answer is not played (the sandbox has one
 * piece of wait music), but a broken URL is reported as Twilio does.
 */
export function fetchWaitUrl(scope: Scope, waitUrl: string, method: HttpMethod): void {
  const { core, call, signal } = scope;
  const fail = (error: unknown): void => {
    if (!signal.aborted && error instanceof CarrierAlert) {
      core.alerts.raise(error.code, error.message, call.sid);
    }
  };
  try {
    const url = resolveUrl(scope, waitUrl);
    core.webhooks
      .request({
        url,
        method,
        fields: voiceFields(call),
        product: "voice",
        maxBytes: 20 * 1024 * 1024,
        signal,
      })
      .then(() => undefined, fail);
  } catch (error) {
    fail(error);
  }
}
