import { Session } from "../session/session.ts";
import type { SessionParts } from "../session/scope.ts";
import type { PhoneLine } from "../../types.ts";
import type { Calls } from "./registry.ts";

/** A phone dials one of the account's numbers. Throws with a text for the person when it is not in service. */
export function acceptInbound(
  parts: SessionParts,
  calls: Calls,
  line: PhoneLine,
  to: string,
): { readonly callSid: string } {
  const number = parts.core.routing.numbers.find((n) => n.number === to);
  if (!number) throw new Error(`the number ${to} is not in service`);
  const call = calls.create({ direction: "inbound", from: line.number, to });
  line.onHangup = () => call.end("canceled");
  // Until it is answered the call has no media, and so nobody else tells the phone that it is over.
  call.onEnd(() => {
    if (call.answeredMs === null) line.hangUp(call.status);
  });
  call.progress("ringing");
  const session = new Session(parts, call, () => call.answer(line));
  session.start({ kind: "url", url: number.voiceUrl, method: "POST", fields: [] });
  return { callSid: call.sid };
}
