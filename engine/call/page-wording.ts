/**
 * The words of an escalation: said on the phone, sent as texts and pushes. What is told of the caller is the
 * deployment's to say, channel by channel, and the reason is free text of a model's: it is made one bounded
 * line here, and escaped where it is put into XML or HTML.
 */
import type { Urgency } from "../../machines/events.ts";
import type { CancelReason, Channel } from "../../machines/ladder.types.ts";
import type { Deployment } from "../config/deployment.ts";
import { redactText } from "../privacy/redact.ts";
import type { PageView } from "./escalations-view.ts";
import { fitsMessage, gsmLength, MAX_REASON_LENGTH, oneLine, withGsmTwins } from "./short-text.ts";

/** What a page is worded by. */
export type PageFacts = Pick<
  PageView,
  "agent" | "channel" | "urgency" | "reason" | "rungName" | "standing" | "followUp"
>;

export interface PageWording {
  /** Said to whoever picks up, while their keys are listened for. */
  briefing(page: PageFacts): string;
  /** Said to somebody who has taken a follow-up: twice, since they have to write it down. */
  followUpDetails(page: PageView): string;
  /** The text that pages: one message, with the link when there is room for it. */
  sms(page: PageFacts, how: { readonly code: string; readonly ackUrl: string }): string;
  push(page: PageFacts): { readonly title: string; readonly body: string };
  /** The reason as the page's channel may tell it, or `null`. */
  reason(page: Pick<PageFacts, "channel" | "reason">): string | null;
  /** Whether what is known of a caller may be told by this channel. */
  tellsOfCaller(channel: Channel): boolean;
  /** The answer to a text that acknowledged or declined; `others` are codes of what else is open. */
  reply(page: PageView, answer: "acknowledged" | "declined", code: string, others: readonly string[]): string;
  /** What a caller is sent when nobody could be reached. */
  callerText(): string;
}

export function createPageWording(
  escalation: Pick<Deployment["escalation"], "details" | "callerText">,
): PageWording {
  const tellsOfCaller = (channel: Channel): boolean => escalation.details[channel] !== "none";
  const reason: PageWording["reason"] = (page) =>
    page.reason !== null && tellsOfCaller(page.channel) ? oneLine(tellable(page, page.reason)) || null : null;
  return {
    briefing: (page) => briefing(page, reason(page)),
    followUpDetails: (page) => followUpDetails(page, reason(page)),
    sms: (page, how) => pageText(page, how, reason(page)),
    push: (page) => push(page, reason(page)),
    reason,
    tellsOfCaller,
    reply: (page, answer, code, others) => {
      const also =
        others.length === 0 ? "" : ` Also open: reply ${others.map((c) => `1 ${c}`).join(" or ")}.`;
      return replyText(page, answer, code, tellsOfCaller("sms")) + also;
    },
    callerText: () => escalation.callerText,
  };
}

/** A text or a push lies open on a screen and in others' systems: who it is about is told on the phone alone. */
function tellable({ channel }: Pick<PageFacts, "channel">, reason: string): string {
  return channel === "voice" ? reason : redactText(reason).text;
}

// ---------------------------------------------------------------- on the phone

const SPOKEN_URGENCY: Readonly<Record<Urgency, string>> = {
  low: ", it is not urgent",
  normal: "",
  high: ", it is urgent",
  emergency: ", it is an emergency",
};

function briefing(page: PageFacts, reason: string | null): string {
  const urgency = SPOKEN_URGENCY[page.urgency];
  const say = (what: string, keys: string): string =>
    `This is ${page.agent}. ${withReason(`${what}${urgency}`, reason)} ${keys}`;
  if (page.followUp) {
    return say(
      "A caller asked for somebody and is not on the line any more",
      "Press 1 to take it, 2 to decline.",
    );
  }
  if (page.standing === "yours") {
    const keys = "Press 1 to join, 2 to give it back, 3 to speak with the assistant first.";
    return say("The call that you have taken is waiting for you", keys);
  }
  const keys = "Press 1 to take the call, 2 to decline, 3 to speak with the assistant first.";
  return say("A caller needs you", keys);
}

/** A sentence with what it is about; a reason that was cut has its dots already. */
function withReason(what: string, reason: string | null): string {
  if (reason === null) return `${what}.`;
  return `${what}: ${reason}${reason.endsWith("...") ? "" : "."}`;
}

/** Twilio would read a number as an amount. */
function digits(number: string): string {
  return [...number.replace(/\D/g, "")].join(", ");
}

function followUpDetails(page: PageView, reason: string | null): string {
  const why = reason === null ? "" : ` ${withReason("The reason", reason)}`;
  const number =
    page.callerNumber === null
      ? " The caller's number is not known here: look into the console."
      : ` The caller's number: ${digits(page.callerNumber)}.`;
  const details = `${why}${number}`.trim();
  return `You have it. ${details} Once more. ${details} Goodbye.`;
}

/** Said before somebody is put into the room. */
export function connectingWords(consult: boolean): string {
  return consult
    ? "The caller will be on hold while you speak with the assistant. Press star to leave."
    : "Connecting you.";
}

/** Somebody may be asked to call back: it is not for this page to say that nobody is needed. */
const GONE_WORDS = "The caller is not on the line any more.";
const takenWords = (by: string | null): string =>
  `Thank you. ${by ?? "Somebody else"} has taken it. Goodbye.`;

/** Said to somebody whose page is not theirs to take (any more), or who has declined. */
export function goodbyeWords(page: Pick<PageView, "standing" | "ownerName" | "unmet"> | null): string {
  if (page?.standing === "taken") return takenWords(page.ownerName);
  if (page?.standing === "over" && page.unmet) return `Thank you. ${GONE_WORDS} Goodbye.`;
  if (page?.standing === "over" || page === null) return "Thank you. Nobody is needed any more. Goodbye.";
  return "Thank you. Goodbye.";
}

export const MENU_WORDS =
  "The assistant is with the caller again. Press 1 to go back to the caller, 3 to go back without the assistant, or hang up.";
/** After coming back as often as one may. */
export const LAST_LEAVE_WORDS = "The assistant is with the caller again. Goodbye.";
export const CALLER_GONE_WORDS = "The caller has hung up. Goodbye.";
/** To somebody who joins by another call. */
export const ALREADY_YOURS_WORDS = "You have it already. Goodbye.";
export const NOT_BACK_WORDS = "That is not possible any more. Goodbye.";

/** `by` is who has it; `wanted`: the caller has left before anybody came, and is to be called back. */
export interface Told {
  readonly why: CancelReason;
  readonly by: string | null;
  readonly wanted: boolean;
}

/** Said to somebody who is on the phone with a page that ends (`page.tell`). */
export function endingWords({ why, by, wanted }: Told): string {
  switch (why) {
    case "handled":
      return takenWords(by);
    case "window":
      return "Thank you. The time for this call is over, and the next person is being called. Goodbye.";
    case "caller_left":
      return `The caller has hung up.${wanted ? "" : " Nobody is needed any more."} Thank you. Goodbye.`;
    case "call_lost":
      return "The call was cut off. Thank you. Goodbye.";
    case "called_off":
      return "Nobody is needed any more. Thank you. Goodbye.";
  }
}

// ---------------------------------------------------------------- texts and pushes

const WRITTEN_URGENCY: Readonly<Record<Urgency, string>> = {
  low: " (not urgent)",
  normal: "",
  high: " (urgent)",
  emergency: " (EMERGENCY)",
};
/** A shorter piece of a reason says nothing. */
const MIN_REASON_LENGTH = 20;

/** What it is about, without a word of the caller's. */
export function needsWords(page: Pick<PageFacts, "followUp" | "urgency">): string {
  return `${page.followUp ? "a caller needs a call back" : "a caller needs you"}${WRITTEN_URGENCY[page.urgency]}`;
}

/** Sheds the agent's name, then the link, until it fits. */
function pageText(
  page: PageFacts,
  { code, ackUrl }: { readonly code: string; readonly ackUrl: string },
  reason: string | null,
): string {
  const tails = [
    `Reply 1 to take (${code}), 2 to decline, or ${ackUrl}`,
    `Reply 1 (${code}) or 2 for no, or ${ackUrl}`,
    `Reply 1 to take (${code}), 2 to decline.`,
  ];
  const heads = [`TANDEM ${page.agent}: ${needsWords(page)}`, `TANDEM: ${needsWords(page)}`];
  const texts = tails.flatMap((tail) =>
    heads.map((head) => withGsmTwins(textWithReason(head, tail, reason))),
  );
  const fitting = texts.filter(fitsMessage);
  // A text in the telephone's own alphabet goes first: it is one message.
  return fitting.find((text) => gsmLength(text) !== null) ?? fitting[0] ?? (texts.at(-1) as string);
}

/** As much of the reason as there is room for. */
function textWithReason(head: string, tail: string, reason: string | null): string {
  if (reason === null) return `${withReason(head, null)} ${tail}`;
  const shortest = Math.min(reason.length, MIN_REASON_LENGTH);
  for (let length = Math.min(reason.length, MAX_REASON_LENGTH); length > shortest; length -= 5) {
    const text = `${withReason(head, oneLine(reason, length))} ${tail}`;
    if (fitsMessage(withGsmTwins(text))) return text;
  }
  return `${withReason(head, oneLine(reason, shortest))} ${tail}`;
}

function push(page: PageFacts, reason: string | null): { title: string; body: string } {
  const why = reason === null ? "" : `${withReason("Reason", reason)} `;
  return {
    title: `${page.agent}: ${needsWords(page)}`,
    body: `${why}You are asked as ${page.rungName}. Open the link to take it or to decline.`,
  };
}

/** To an owner who declines by text or link. */
const KEEP_WORDS = "It can be given back by phone only: press 2 when yours rings.";
const CANNOT_GIVE_BACK_WORDS = "It cannot be given back by text.";
/** To somebody who answers a page of a call that is over, and that is not followed up for them. */
const ANEW_WORDS = "If you are to call back, you are asked anew.";
export const UNMET_WORDS = `${GONE_WORDS} ${ANEW_WORDS}`;

function replyText(
  page: PageView,
  answer: "acknowledged" | "declined",
  code: string,
  tellsNumber: boolean,
): string {
  if (page.standing === "taken")
    return `Thank you. ${page.ownerName ?? "Somebody else"} has it already (${code}).`;
  if (page.standing === "over") return overText(page, code);
  if (answer === "declined") {
    return page.standing === "yours"
      ? `You have it (${code}). ${page.rings && !page.came ? KEEP_WORDS : CANNOT_GIVE_BACK_WORDS}`
      : `Thank you. Others are asked (${code}).`;
  }
  // The acknowledgement did not take effect: they must not believe that it did.
  if (page.standing === "open") return `That did not work (${code}). Please reply 1 once more.`;
  return `You have it (${code}). ${nextStep(page, tellsNumber)}`;
}

function overText(page: PageView, code: string): string {
  if (!page.unmet) return `Thank you. It is over (${code}): nobody is needed any more.`;
  return page.followUp
    ? `Thank you. The caller is not on the line any more (${code}). ${ANEW_WORDS}`
    : `Thank you. The call is ending (${code}). To call the caller back, reply 1 once more in a minute.`;
}

/** What somebody does who has just taken it by text or by link. */
export function nextStep(
  page: Pick<PageView, "rings" | "came" | "followUp" | "callerNumber">,
  tellsNumber: boolean,
): string {
  if (page.came) return "You came by phone.";
  if (page.followUp) {
    return page.callerNumber !== null && tellsNumber
      ? `The caller has left: call back ${page.callerNumber}.`
      : "The caller has left: the number to call back is in the console.";
  }
  if (page.rings) return "Your phone rings now: press 1 to join.";
  return "You have no phone here to join by: the caller is told that you get back to them. See the console.";
}

/** The one line for a text that was not understood, from somebody who has something open. */
export function helpText(codes: readonly string[]): string {
  const which = codes.length > 1 ? ` Name which: ${codes.map((code) => `1 ${code}`).join(" or ")}.` : "";
  return `Reply 1 to take it or 2 to decline.${which}`;
}

/** The one text to somebody who was paged by text and is not needed (`ladder.tellPaged`). `code`: of the incident. */
export function pagedText({ why, by, wanted, code }: Told & { readonly code: string | null }): string {
  const named = code === null ? "" : ` (${code})`;
  switch (why) {
    case "handled":
      return `TANDEM: handled by ${by ?? "somebody else"}${named}. You need not do anything.`;
    case "window":
      return `TANDEM: the next person is being called${named}. You may still take it: reply 1.`;
    case "caller_left":
      return wanted
        ? `TANDEM: the caller has hung up, and is to be called back. Reply 1${code === null ? "" : ` ${code}`} to take it.`
        : `TANDEM: the caller has hung up${named}. Nobody is needed any more.`;
    case "call_lost":
      return `TANDEM: the call was cut off${named}.`;
    case "called_off":
      return `TANDEM: called off${named}. Nobody is needed any more.`;
  }
}
