/**
 * How each effect is found again at the carrier: by a participant's label, by whom a call or text went to, or by
 * reading back what was set. What is found is an answer; `null`: it is surely not there.
 *
 * Twilio's list of calls tells neither the URL nor anything else of ours. A ring is known by its callbacks when one
 * has come; of two to one number that are in doubt at once the first to look takes the older call. Each call is taken
 * once, so there are never more rings than pages; if two are confused, both are rings to the same person. As it is
 * asked for, each ring notes what has rung the number before: of a call that is over no journal tells any more.
 */
import { FINAL_CALL_STATUSES } from "../../machines/events.ts";
import type { EffectFacts } from "../call/effect-answer.ts";
import { CarrierError } from "../errors.ts";
import type { Carrier, Clock, ParticipantInfo } from "../ports.ts";
import type { Claims } from "./claims.ts";
import type { Turn } from "./journal.ts";
import type { Sighting } from "./reconcile.ts";

type CarrierReads = Pick<
  Carrier,
  "fetchCall" | "fetchParticipant" | "findCalls" | "findConference" | "findMessages" | "listParticipants"
>;

/** The clocks of two hosts may differ by this. */
const SKEW_MS = 5000;
/** What came to be known longer ago than this was made too long ago to be found; Twilio's times are of whole seconds. */
const RUNG_BEFORE_MS = 2 * SKEW_MS + 1000;

/** A leg that was added by us, under a label that no other has in its conference. */
export async function lookForLeg(
  carrier: CarrierReads,
  turn: Turn,
  leg: {
    readonly conferenceSid: string | null;
    readonly conferenceName: string;
    readonly label: string;
    readonly to: string;
    readonly from: string;
  },
): Promise<Sighting> {
  const conferenceSid = leg.conferenceSid ?? (await carrier.findConference(leg.conferenceName));
  const participants = conferenceSid === null ? [] : await carrier.listParticipants(conferenceSid);
  const there = participants.find(({ label }) => label === leg.label);
  if (there) return { callSid: there.callSid, conferenceSid: there.conferenceSid };
  const { to, from } = leg;
  // Its address is its own, so a call to it was this leg's.
  const [call] = await carrier.findCalls({ to, from, sinceMs: turn.sinceMs - SKEW_MS });
  if (!call) return null;
  if (FINAL_CALL_STATUSES.has(call.status)) return leftAlready();
  return { callSid: call.callSid, conferenceSid };
}

/** It was done, and is over: that is an answer of its own, and nothing to do again. */
function leftAlready(): CarrierError {
  const operation = "createParticipant";
  return new CarrierError("the leg was added and has left already", {
    status: 404,
    code: 20_404,
    retryable: false,
    ambiguous: false,
    operation,
  });
}

/** Whether a participant is as it was to be made; one that is not there is not. */
export async function lookAtParticipant(
  carrier: CarrierReads,
  ref: { readonly conferenceSid: string | null; readonly label: string },
  isSet: (participant: ParticipantInfo) => boolean,
): Promise<EffectFacts | null> {
  const { conferenceSid, label } = ref;
  if (conferenceSid === null) return null;
  const found = await carrier.fetchParticipant({ conferenceSid, participant: label });
  return found && isSet(found) ? {} : null;
}

export async function lookForAbsence(
  carrier: CarrierReads,
  ref: { readonly conferenceSid: string | null; readonly label: string },
): Promise<EffectFacts | null> {
  const { conferenceSid, label } = ref;
  if (conferenceSid === null) return null;
  return (await carrier.fetchParticipant({ conferenceSid, participant: label })) === null ? {} : null;
}

/** A call that was to be ended, with or without a word before. */
export async function lookForEnd(carrier: CarrierReads, callSid: string): Promise<EffectFacts | null> {
  const call = await carrier.fetchCall(callSid);
  return call === null || FINAL_CALL_STATUSES.has(call.status) ? {} : null;
}

/** `before`: sids of the calls that are known to have rung the number for others. */
type RingNote = { readonly before: readonly string[] };

/** What a ring notes as it is asked for: no earlier one will be taken for it. */
export function ringNote(claims: Claims, turn: Turn, to: string): RingNote {
  return { before: claims.rungSince(to, turn.sinceMs - RUNG_BEFORE_MS) };
}

export async function lookForRing(
  carrier: CarrierReads,
  claims: Claims,
  turn: Turn,
  ring: {
    readonly to: string;
    readonly from: string;
    /** The page that it is for: `{callSid}/{label}`. */
    readonly page: string;
    readonly clock: Clock;
  },
): Promise<EffectFacts | null> {
  const { to, from, page, clock } = ring;
  const found = await carrier.findCalls({ to, from, sinceMs: turn.sinceMs - SKEW_MS });
  const { before = [] } = (turn.request ?? {}) as Partial<RingNote>;
  // One that waited for another to the same number had not been asked for when its engine died.
  const waited = turn.resumed && turn.request === null;
  const isFree = (callSid: string): boolean => !waited && !claims.has(callSid) && !before.includes(callSid);
  const call =
    found.find(({ callSid }) => claims.isLegOf(page, callSid)) ??
    found.find(({ callSid }) => isFree(callSid));
  if (!call) return null;
  claims.addRing(call.callSid, { to, atMs: clock.now() });
  return { callSid: call.callSid };
}

/** A text is known by its words: that of a page holds a link of its own, or the code of its incident. */
export async function lookForText(
  carrier: CarrierReads,
  claims: Claims,
  turn: Turn,
  text: { readonly to: string; readonly from: string; readonly body: string },
): Promise<EffectFacts | null> {
  const { to, from, body } = text;
  const found = await carrier.findMessages({ to, from, sinceMs: turn.sinceMs - SKEW_MS });
  const message = found.find((each) => each.body === body && !claims.has(each.messageSid));
  if (!message) return null;
  claims.add(message.messageSid);
  return {};
}
