/** Texts from people on call, and what became of the texts to them. */
import type { EscalationsView, PageView, TextedPage } from "../call/escalations-view.ts";
import { helpText, type PageWording } from "../call/page-wording.ts";
import { RecentMap } from "../platform/recent-map.ts";
import type { Log } from "../ports.ts";
import { answerPage, type PageAnswer } from "./answer-page.ts";
import { noContent, type StrayRequests, twiml } from "./answers.ts";
import { parseInboundMessage, parseMessageStatusCallback } from "./twilio-forms.ts";
import type { SignedForm } from "./twilio-guard.ts";
import { emptyTwiml, messageTwiml } from "./twiml.ts";

export interface PageTextsOptions {
  readonly escalations: EscalationsView;
  readonly wording: PageWording;
  readonly strays: StrayRequests;
  readonly log: Log;
}

const ANSWERS: Readonly<Record<string, PageAnswer>> = {
  "1": "acknowledged",
  ack: "acknowledged",
  yes: "acknowledged",
  take: "acknowledged",
  "2": "declined",
  no: "declined",
  decline: "declined",
};
/**
 * An answer, and the incident's code after it when they name one: behind a digit without a space, too. People end a
 * text with a full stop.
 */
const ANSWER = /^([a-z]+|\d)(?:(?:[\s,;:.()-]+|(?<=\d))([a-z]\d{1,3})\)?)?[\s.!]*$/;
/**
 * Twilio answers these itself, so a reply of ours would be a second one. `yes` is one of them by default,
 * but here it is an answer, and it acknowledges.
 */
const KEYWORDS = new Set([
  "stop",
  "stopall",
  "unsubscribe",
  "cancel",
  "end",
  "quit",
  "revoke",
  "optout",
  "start",
  "unstop",
  "help",
  "info",
]);
/** Of pages whose person was told how to answer; past it the oldest is forgotten, and may be told again. */
const MAX_HELPED = 1000;
/** Answers whose page is known when Twilio asks about them again. */
const MAX_MEANT = 1000;

export class PageTexts {
  readonly #options: PageTextsOptions;
  /** By page: the message that got the line of help. */
  readonly #helped = new RecentMap<string, string>(MAX_HELPED);
  /** By message: the page that it answered. The next one that is open is not for the same message to answer. */
  readonly #meant = new RecentMap<string, TextedPage>(MAX_MEANT);

  constructor(options: PageTextsOptions) {
    this.#options = options;
  }

  /** `POST /twilio/sms`. Nobody but somebody who was paged gets a reply, and no line of the log holds a text. */
  sms({ form }: SignedForm): Response {
    const { escalations, log, strays } = this.#options;
    const parsed = parseInboundMessage(form);
    if (!parsed.ok) return strays.malformed("sms", parsed.issues);
    const { MessageSid, From, Body } = parsed.value;
    const text = plain(Body);
    const [, word = "", code] = ANSWER.exec(text) ?? [];
    const pages = escalations.pagesTo(From);
    const answer = Object.hasOwn(ANSWERS, word) ? ANSWERS[word] : undefined;
    const page = answer && (this.#meant.get(MessageSid) ?? chosen(pages, code?.toUpperCase()));
    if (answer && page) return this.#answered(page, answer, pages, MessageSid);
    log.info("sms.unmatched", { messageSid: MessageSid, paged: pages.length > 0 });
    if (KEYWORDS.has(text)) return twiml(emptyTwiml());
    // They believe that they have answered.
    return answer && code ? helpOf(pages) : this.#help(pages, MessageSid);
  }

  /** What became of a page by text. One that did not arrive reaches nobody. */
  messageStatus({ form, query }: SignedForm): Response {
    const { escalations, log, strays } = this.#options;
    const parsed = parseMessageStatusCallback(form);
    if (!parsed.ok) return strays.malformed("message-status", parsed.issues);
    const { MessageSid, MessageStatus, ErrorCode } = parsed.value;
    if (MessageStatus !== "failed" && MessageStatus !== "undelivered") return noContent();
    const callSid = query.get("call") ?? "";
    const label = query.get("label") ?? "";
    log.warn("sms.undelivered", { callSid, label, messageSid: MessageSid, code: ErrorCode ?? null });
    const delivered = escalations.deliver(
      callSid,
      { type: "page.undelivered", label },
      `undelivered/${MessageSid}`,
    );
    if (!delivered) strays.unknown("message-status", callSid);
    return noContent();
  }

  #answered(
    chosenPage: TextedPage,
    answer: PageAnswer,
    pages: readonly TextedPage[],
    messageSid: string,
  ): Response {
    const { escalations, log, wording } = this.#options;
    const { callSid, label, code } = chosenPage;
    this.#meant.set(messageSid, chosenPage);
    const page: PageView | null = answerPage(escalations, { callSid, label, answer, key: messageSid });
    log.info("sms.answered", { callSid, label, answer, standing: page?.standing ?? "over" });
    if (!page) return twiml(emptyTwiml());
    const others = openCodes(pages.filter((other) => !isSameIncident(other, chosenPage)));
    return twiml(messageTwiml(wording.reply(page, answer, code, others)));
  }

  /** One line a page at most: whoever answers texts by machine must not talk to us for ever. */
  #help(pages: readonly TextedPage[], messageSid: string): Response {
    const page = pages.find((each) => each.standing === "open");
    if (!page) return twiml(emptyTwiml());
    const key = `${page.callSid}/${page.label}`;
    const helped = this.#helped.get(key) ?? messageSid;
    if (helped !== messageSid) return twiml(emptyTwiml());
    this.#helped.set(key, messageSid);
    return helpOf(pages);
  }
}

/** Digits are written in many ways: full width, or as an emoji in a frame. */
function plain(body: string): string {
  return body
    .normalize("NFKC")
    .replace(/[\uFE0F\u20E3]/g, "")
    .trim()
    .toLowerCase();
}

/** How to answer, to somebody with an open page. */
function helpOf(pages: readonly TextedPage[]): Response {
  const open = openCodes(pages);
  return twiml(open.length === 0 ? emptyTwiml() : messageTwiml(helpText(open)));
}

/** With a code that incident's page; without, the newest that is open, or else the newest. */
function chosen(pages: readonly TextedPage[], code: string | undefined): TextedPage | undefined {
  const named = code === undefined ? pages : pages.filter((page) => page.code === code);
  return named.find((page) => page.standing === "open") ?? named[0];
}

function isSameIncident(a: TextedPage, b: TextedPage): boolean {
  return a.callSid === b.callSid && a.incident === b.incident;
}

/** One of each incident: a text of the call that it follows has another, which is as good. */
function openCodes(pages: readonly TextedPage[]): readonly string[] {
  const open = pages.filter((page) => page.standing === "open");
  const newest = open.filter((page, at) => open.findIndex((other) => isSameIncident(other, page)) === at);
  return newest.map((page) => page.code);
}
