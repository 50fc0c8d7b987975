/**
 * A page by phone: what somebody on call hears who picks up, and what their keys do. Only a key lets anybody
 * into the room, and only when the call says that the room is theirs to enter. The same request again gets
 * the same answer, since all that an answer depends on is in the URL and in the call.
 */
import { pageLabel } from "../../machines/context.ts";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import type { EscalationsView, PageView } from "../call/escalations-view.ts";
import {
  ALREADY_YOURS_WORDS,
  CALLER_GONE_WORDS,
  connectingWords,
  goodbyeWords,
  LAST_LEAVE_WORDS,
  MENU_WORDS,
  NOT_BACK_WORDS,
  type PageWording,
} from "../call/page-wording.ts";
import type { Urls } from "../call/urls.ts";
import { type StrayRequests, twiml } from "./answers.ts";
import type { Forks } from "./forks.ts";
import { parseDialAction, parseVoiceRequest } from "./twilio-forms.ts";
import type { SignedForm } from "./twilio-guard.ts";
import { conferenceTwiml, gatherTwiml, hangupTwiml, pauseTwiml, sayTwiml } from "./twiml.ts";

export interface PageCallsOptions {
  readonly escalations: EscalationsView;
  readonly wording: PageWording;
  readonly urls: Urls;
  readonly forks: Forks;
  readonly strays: StrayRequests;
}

/** How often somebody is asked for a key, by silence or by wrong keys. */
const MAX_ROUNDS = 3;
const KEY_TIMEOUT_S = 5;
/** Which of the legs of one phone call may be the last: each coming back is a leg with a label of its own. */
const MAX_LEGS = 9;
/**
 * When a caller hangs up, the room is closed, and the person's phone may be first to tell. After this time
 * the caller's own end has been told as well.
 */
const SETTLE_S = 1;

export class PageCalls {
  readonly #options: PageCallsOptions;

  constructor(options: PageCallsOptions) {
    this.#options = options;
  }

  /** Somebody, or something, picked up. */
  human({ form, query }: SignedForm): Response {
    const { escalations, strays } = this.#options;
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return strays.malformed("human", parsed.issues);
    const { callSid, label } = legOf(query);
    const { CallSid, AnsweredBy } = parsed.value;
    // The first request of a leg whose making was in doubt is also the first word of its call sid.
    const up = { type: "leg.status", label, callSid: CallSid, status: "in-progress" } as const;
    this.#deliver("human", callSid, up, `up/${CallSid}`);
    // Not a word to a machine: what it records of a caller is out of our hands.
    if (AnsweredBy !== undefined && AnsweredBy !== "human" && AnsweredBy !== "unknown") {
      escalations.deliver(
        callSid,
        { type: "human.answered", label, answer: "voicemail" },
        answered(label, 1),
      );
      return twiml(hangupTwiml());
    }
    const page = escalations.page(callSid, label);
    if (page?.standing === "open" || page?.standing === "yours") return this.#ask(page, 1);
    return twiml(sayTwiml(goodbyeWords(page), "hangup"));
  }

  /** The key that they pressed. */
  humanKey({ form, query }: SignedForm): Response {
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return this.#options.strays.malformed("human-key", parsed.issues);
    const { callSid, label, round } = legOf(query);
    const page = this.#options.escalations.page(callSid, label);
    const key = parsed.value.Digits;
    if (key === "1" || (key === "3" && page?.followUp === false)) {
      return this.#accepted(callSid, label, key === "3", round);
    }
    if (key === "2") {
      const declined = { type: "human.answered", label, answer: "declined" } as const;
      this.#deliver("human-key", callSid, declined, answered(label, round));
      return twiml(sayTwiml("Thank you. Goodbye.", "hangup"));
    }
    const waits = page?.standing === "open" || page?.standing === "yours";
    return waits ? this.#ask(page, round + 1) : twiml(sayTwiml(goodbyeWords(page), "hangup"));
  }

  /** `<Dial action>` of a person: out of the room, by hanging up, by `*`, or because the room is closed. */
  humanAfterDial({ form, query }: SignedForm): Response {
    const { escalations, forks, strays, urls } = this.#options;
    const parsed = parseDialAction(form);
    if (!parsed.ok) return strays.malformed("human-after-dial", parsed.issues);
    const { callSid, label } = legOf(query);
    const { CallSid, CallStatus } = parsed.value;
    const onThePhone = CallStatus === "in-progress";
    const reason = onThePhone && escalations.callerIsHere(callSid) ? "handed_back" : "dial_ended";
    const left = { type: "participant.left", label, callSid: CallSid, reason } as const;
    this.#deliver("human-after-dial", callSid, left, `after-dial/${label}`);
    if (!onThePhone) return twiml(hangupTwiml());
    const menu = { redirect: urls.humanMenu(callSid, label, 1) };
    return twiml(pauseTwiml(SETTLE_S, menu, forks.enabled ? label : undefined));
  }

  /** What somebody may do who has handed the caller back and is still on the phone. */
  humanMenu({ form, query }: SignedForm): Response {
    const { escalations, strays, urls } = this.#options;
    const parsed = parseVoiceRequest(form);
    if (!parsed.ok) return strays.malformed("human-menu", parsed.issues);
    const { callSid, label, round } = legOf(query);
    const { Digits, CallSid } = parsed.value;
    const next = nextLabel(label);
    if (next !== null && (Digits === "1" || Digits === "3")) {
      const back = { from: label, callSid: CallSid, withoutAi: Digits === "3" };
      const event = { type: "human.returned", label: next, ...back } as const;
      this.#deliver("human-menu", callSid, event, `returned/${next}`);
      if (escalations.legWanted(callSid, next)) return this.#connect(callSid, next, connectingWords(false));
      return twiml(sayTwiml(this.#notBackWords(callSid, label), "hangup"));
    }
    if (!escalations.callerIsHere(callSid)) return twiml(sayTwiml(CALLER_GONE_WORDS, "hangup"));
    if (next === null) return twiml(sayTwiml(LAST_LEAVE_WORDS, "hangup"));
    const asked = Digits === undefined ? round : round + 1;
    if (asked > MAX_ROUNDS) return twiml(sayTwiml("Goodbye.", "hangup"));
    const url = (of: number): string => urls.humanMenu(callSid, label, of);
    // One round at a time, so that they do not wait for a caller who has gone in between.
    const otherwise = { redirect: url(asked + 1) };
    const menu = { prompt: MENU_WORDS, actionUrl: url(asked), timeoutS: KEY_TIMEOUT_S, otherwise };
    return twiml(gatherTwiml(menu));
  }

  #notBackWords(callSid: string, label: string): string {
    const { escalations } = this.#options;
    if (!escalations.callerIsHere(callSid)) return CALLER_GONE_WORDS;
    const page = escalations.page(callSid, pageLabel(label));
    return page?.standing === "taken" ? goodbyeWords(page) : NOT_BACK_WORDS;
  }

  #accepted(callSid: string, label: string, consult: boolean, round: number): Response {
    const { escalations, wording } = this.#options;
    const answer = consult ? "consult" : "accepted";
    const event = { type: "human.answered", label, answer } as const;
    this.#deliver("human-key", callSid, event, answered(label, round));
    const page = escalations.page(callSid, label);
    // Without effect on the call it was no acknowledgement, and they must not believe that it was.
    if (page?.standing === "open") return this.#ask(page, round + 1);
    if (page?.standing !== "yours") return twiml(sayTwiml(goodbyeWords(page), "hangup"));
    if (page.followUp) return twiml(sayTwiml(wording.followUpDetails(page), "hangup"));
    if (!escalations.legWanted(callSid, label)) return twiml(sayTwiml(ALREADY_YOURS_WORDS, "hangup"));
    return this.#connect(callSid, label, connectingWords(consult));
  }

  /** The whole message is inside the `<Gather>`: a key that is pressed while it is said counts. */
  #ask(page: PageView, round: number): Response {
    const { urls, wording } = this.#options;
    return asking(wording.briefing(page), urls.humanKey(page.callSid, page.label, round), round);
  }

  #connect(callSid: string, label: string, say: string): Response {
    const { forks, urls } = this.#options;
    return twiml(
      conferenceTwiml({
        name: `af-${callSid}`,
        participantLabel: label,
        say,
        hangupOnStar: true,
        actionUrl: urls.humanAfterDial(callSid, label),
        endConferenceOnExit: false,
        statusCallback: urls.conferenceCallback(callSid),
        ...forks.of(callSid, label),
      }),
    );
  }

  #deliver(hook: string, callSid: string, event: UnstampedCallEvent, key: string): void {
    const { escalations, strays } = this.#options;
    if (!escalations.deliver(callSid, event, key)) strays.unknown(hook, callSid);
  }
}

/** Asks again after silence and after a wrong key, {@link MAX_ROUNDS} times in all. */
function asking(prompt: string, actionUrl: string, round: number): Response {
  const repeat = MAX_ROUNDS - round + 1;
  if (repeat < 1) return twiml(sayTwiml("Goodbye.", "hangup"));
  return twiml(gatherTwiml({ prompt, actionUrl, timeoutS: KEY_TIMEOUT_S, repeat, otherwise: "hangup" }));
}

/** A page is answered once a round, however often Twilio asks what to do about it. */
function answered(label: string, round: number): string {
  return `answered/${label}/${round}`;
}

function legOf(query: URLSearchParams): { callSid: string; label: string; round: number } {
  const round = Number(query.get("round") ?? 1);
  return {
    callSid: query.get("call") ?? "",
    label: query.get("label") ?? "",
    round: Number.isInteger(round) && round >= 1 ? round : MAX_ROUNDS,
  };
}

/** `human-3` → `human-3.2` → … `human-3.9` → `null`, as for a URL that somebody has taken the label out of. */
export function nextLabel(label: string): string | null {
  const [first = "", leg = "1"] = label.split(".");
  const next = Number(leg) + 1;
  return first !== "" && Number.isInteger(next) && next <= MAX_LEGS ? `${first}.${next}` : null;
}
