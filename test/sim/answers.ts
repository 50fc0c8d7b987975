/** Who has said yes or no to which page, by what they did themselves. */
import { isSameIncident, type PageSeen } from "./pages.ts";

/** A text that somebody has sent, as an answer. */
export interface Reply {
  readonly number: string;
  readonly answer: "acknowledged" | "declined" | null;
  readonly code: string | null;
}

const ANSWER = /^\W*([a-z]+|\d)(?:\W+([a-z]\d+))?\W*$/;
const YES = new Set(["1", "ack", "yes", "take"]);
const NO = new Set(["2", "no", "decline"]);

export function replyOf(number: string, body: string): Reply {
  const [, word = "", code] = ANSWER.exec(body.trim().toLowerCase()) ?? [];
  const answer = YES.has(word) ? "acknowledged" : NO.has(word) ? "declined" : null;
  return { number, answer, code: code?.toUpperCase() ?? null };
}

/** A text that pages, as it was sent. */
interface Text {
  readonly page: PageSeen;
  readonly code: string | null;
  readonly askedMs: number;
}

export class Answers {
  readonly #replies: Reply[] = [];
  readonly #texts: Text[] = [];

  replied(number: string, body: string): void {
    this.#replies.push(replyOf(number, body));
  }

  asked(page: PageSeen, code: string | null, askedMs: number): void {
    this.#texts.push({ page, code, askedMs });
  }

  /** Oldest first. */
  textsTo(number: string | null): readonly Text[] {
    return this.#texts.filter(({ page }) => page.to === number);
  }

  saidYes(page: PageSeen): boolean {
    const { leg, channel, accepts } = page;
    if (channel === "voice") return leg !== null && !leg.machine && /[13]/.test(leg.keys);
    return accepts > 0 || this.#hasReplied(page, "acknowledged");
  }

  saidNo(page: PageSeen): boolean {
    if (page.channel === "voice") return page.leg?.keys.includes("2") === true;
    return page.declines > 0 || this.#hasReplied(page, "declined");
  }

  /** Whoever was texted has named this incident. */
  isNamed(page: PageSeen): boolean {
    return this.#replies.some(
      (reply) => reply.number === page.to && reply.code !== null && this.#mayMean(reply, page),
    );
  }

  #hasReplied(page: PageSeen, answer: Reply["answer"]): boolean {
    return this.#replies.some(
      (reply) => reply.answer === answer && reply.number === page.to && this.#mayMean(reply, page),
    );
  }

  /** A code names the incident, and what follows it when the caller is gone. */
  #mayMean(reply: Reply, page: PageSeen): boolean {
    if (page.channel !== "sms" || reply.code === null) return page.channel === "sms";
    const before = { ...page, incident: page.incident - 1 };
    return this.#texts.some(
      (text) =>
        text.code === reply.code && (isSameIncident(text.page, page) || isSameIncident(text.page, before)),
    );
  }
}
