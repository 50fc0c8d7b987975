/** What holds for every leg that rings a phone, whoever asked for it. */
import type { RingOutcome } from "../../types.ts";
import type { Call, EndStatus } from "./call.ts";

/** Twilio always rings this much longer than `Timeout` says. */
export const RING_BUFFER_S = 5;

/** How a leg ends that was rung and got no line. */
export function refusedAs(outcome: RingOutcome): Parameters<Call["end"]> {
  const [status, sipCode] = REFUSED[outcome];
  return [status, { sipCode }];
}

const REFUSED: Readonly<Record<RingOutcome, readonly [EndStatus, number]>> = {
  answered: ["failed", 500],
  voicemail: ["failed", 500],
  busy: ["busy", 486],
  declined: ["busy", 603],
};
