import type { LadderContact, LadderPolicy } from "../../machines/ladder.types.ts";
import type { Deployment } from "./deployment.ts";

/**
 * The briefing is said three times, with five seconds to press a key after each. The longest, whose reason has 200
 * characters, takes up to half a minute to say.
 */
const BRIEFING_TIMEOUT_MS = 120_000;
const JOIN_TIMEOUT_MS = 10_000;

/** The deployment's ladder as an incident is opened with. */
export function ladderPolicyOf({ escalation }: Deployment): LadderPolicy {
  const { ackTimeoutMs, repeat, againAfterMs, ringTimeoutMs, textCaller, rungs } = escalation;
  return {
    rungs: rungs.map(({ name, contacts }) => ({
      name,
      contacts: contacts.map((contact): LadderContact => ({
        name: contact.name,
        voice: contact.voice ?? null,
        sms: contact.sms ?? null,
        push: contact.push ?? null,
      })),
    })),
    ackTimeoutMs,
    repeat,
    againAfterMs,
    ringTimeoutMs,
    briefingTimeoutMs: BRIEFING_TIMEOUT_MS,
    joinTimeoutMs: JOIN_TIMEOUT_MS,
    textCaller,
  };
}
