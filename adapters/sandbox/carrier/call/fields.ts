/** The form fields that Twilio sends about a call. */
import { rfc2822 } from "../dates.ts";
import { API_VERSION, type Fields } from "../types.ts";
import type { Call } from "./call.ts";

type Field = readonly [string, string];

const PLACES = ["Caller", "Called", "From", "To"] as const;

/** What every voice webhook and call callback carries. The sandbox's phones live in no city. */
export function voiceFields(call: Call): Fields {
  const fields: Field[] = [
    ["AccountSid", call.core.accountSid],
    ["ApiVersion", API_VERSION],
    ["CallSid", call.sid],
    ["CallStatus", call.status],
    ["Direction", call.direction],
    ["From", call.from],
    ["To", call.to],
    ["Caller", call.from],
    ["Called", call.to],
  ];
  if (call.parentSid !== null) fields.push(["ParentCallSid", call.parentSid]);
  if (call.answeredBy !== null) fields.push(["AnsweredBy", call.answeredBy]);
  for (const place of PLACES) {
    fields.push([`${place}City`, ""], [`${place}State`, ""], [`${place}Zip`, ""], [`${place}Country`, "US"]);
  }
  return fields;
}

/** A call progress callback: `sequence` counts the call's events from 0. */
export function progressFields(call: Call, sequence: number): Fields {
  const fields: Field[] = [
    ...voiceFields(call),
    ["Timestamp", rfc2822(call.core.clock.now())],
    ["CallbackSource", "call-progress-events"],
    ["SequenceNumber", String(sequence)],
  ];
  if (call.endedMs !== null) {
    const seconds = call.durationS();
    fields.push(["CallDuration", String(seconds)], ["Duration", String(Math.ceil(seconds / 60))]);
    fields.push(["SipResponseCode", String(call.sipCode)]);
  }
  return fields;
}
