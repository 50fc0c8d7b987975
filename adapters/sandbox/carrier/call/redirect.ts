import { Session } from "../session/session.ts";
import type { SessionParts, Target } from "../session/scope.ts";
import type { Call } from "./call.ts";

/** Sends a live call to other TwiML: it leaves its conference or stream, and its TwiML so far ends there. */
export function redirectCall(parts: SessionParts, call: Call, target: Target): void {
  const running = call.session;
  // Marked as gone first: the conference ends the calls that it had dialled itself, but not this one.
  call.redirecting = true;
  call.membership?.leave("participant_updated_via_api", "in-progress");
  call.redirecting = false;
  running?.abort();
  new Session(parts, call, () => undefined).start(target);
}
