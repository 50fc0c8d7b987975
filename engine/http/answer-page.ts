import type { EscalationsView, PageView } from "../call/escalations-view.ts";

export type PageAnswer = "acknowledged" | "declined";

/**
 * Answers a page by text or link, and says how it stands then. An answer that can change nothing is not
 * handed to the call, so that a link that is posted to again and again does not fill its log.
 */
export function answerPage(
  escalations: EscalationsView,
  answer: {
    readonly callSid: string;
    readonly label: string;
    readonly answer: PageAnswer;
    readonly key?: string;
  },
): PageView | null {
  const { callSid, label, key } = answer;
  const before = escalations.page(callSid, label);
  if (before?.standing !== "open") return before;
  // The text of a call that is over may stand for the page of what goes on now.
  escalations.deliver(callSid, { type: `page.${answer.answer}`, label: before.label }, key);
  return escalations.page(callSid, label);
}
