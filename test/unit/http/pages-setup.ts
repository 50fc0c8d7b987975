/** Pages without calls behind them: what the HTTP edge hands on is kept, and a test says what comes of it. */
import type { EscalationsView, PageView, TextedPage } from "../../../engine/call/escalations-view.ts";
import { createPageWording } from "../../../engine/call/page-wording.ts";
import { createUrls } from "../../../engine/call/urls.ts";
import type { DeploymentInput } from "../../../engine/config/deployment.ts";
import { AckPages } from "../../../engine/http/ack-pages.ts";
import { AckTokens } from "../../../engine/http/ack-tokens.ts";
import { StrayRequests } from "../../../engine/http/answers.ts";
import { Forks } from "../../../engine/http/forks.ts";
import { PageCalls } from "../../../engine/http/page-calls.ts";
import { PageTexts } from "../../../engine/http/page-texts.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { UnstampedCallEvent } from "../../../machines/events.ts";
import { CALL_SID, deploymentOf, keptLog, START_MS } from "../call/support.ts";

export const ORIGIN = "https://voice.example";
export const NUMBER = "+15550100";

export const pageOf = (patch: Partial<PageView> = {}): PageView => ({
  callSid: CALL_SID,
  incident: 1,
  label: "human-1",
  channel: "voice",
  contactName: "on-call nurse",
  rungName: "primary",
  agent: "after-hours",
  reason: "chest pain since noon",
  urgency: "high",
  standing: "open",
  ownerName: null,
  followUp: false,
  rings: true,
  came: false,
  unmet: false,
  callerNumber: null,
  ...patch,
});

export class FakeEscalations implements EscalationsView {
  readonly pages = new Map<string, PageView>();
  /** Texted pages by number, newest first. */
  readonly texted = new Map<string, (Pick<TextedPage, "code"> & { readonly of: string })[]>();
  readonly events: UnstampedCallEvent[] = [];
  readonly wanted = new Set<string>();
  callerHere = true;
  live = true;
  /** What the call does with an event. */
  reacts: (event: UnstampedCallEvent) => void = () => undefined;
  readonly #keys = new Set<string>();

  put(patch: Partial<PageView> = {}): PageView {
    const page = pageOf(patch);
    this.pages.set(`${page.callSid}/${page.label}`, page);
    return page;
  }

  /** The contact of this page gets it, and may enter the room. */
  owns(patch: Partial<PageView> = {}): void {
    const page = this.put({ ...patch, standing: "yours" });
    this.wanted.add(page.label);
  }

  page(callSid: string, label: string): PageView | null {
    return this.pages.get(`${callSid}/${label}`) ?? null;
  }

  deliver(_callSid: string, event: UnstampedCallEvent, key?: string): boolean {
    if (!this.live) return false;
    if (key !== undefined && this.#keys.has(key)) return true;
    if (key !== undefined) this.#keys.add(key);
    this.events.push(event);
    this.reacts(event);
    return true;
  }

  pagesTo(number: string): readonly TextedPage[] {
    return (this.texted.get(number) ?? []).flatMap(({ of, code }) => {
      const page = this.pages.get(of);
      return page ? [{ ...page, code, atMs: START_MS }] : [];
    });
  }

  legWanted(_callSid: string, label: string): boolean {
    return this.wanted.has(label);
  }

  callerIsHere(): boolean {
    return this.callerHere;
  }

  /** Events of one type, without it. */
  of(type: UnstampedCallEvent["type"]): object[] {
    return this.events.filter((event) => event.type === type).map(({ type: _type, ...rest }) => rest);
  }
}

export function makePages(deployment: DeploymentInput = {}) {
  const clock = new VirtualClock(START_MS);
  const { log, lines } = keptLog(clock);
  const escalations = new FakeEscalations();
  const strays = new StrayRequests({ isOver: () => false, log });
  const urls = createUrls(ORIGIN);
  const wording = createPageWording(deploymentOf(deployment).escalation);
  const tokens = new AckTokens({ secret: "not-a-secret", clock });
  const gateway = { issueForkToken: (callSid: string, label: string) => `token of ${callSid} ${label}` };
  const forks = new Forks({ deployment: deploymentOf(deployment), gateway, urls });
  return {
    clock,
    lines,
    escalations,
    strays,
    urls,
    wording,
    tokens,
    calls: new PageCalls({ escalations, wording, urls, forks, strays }),
    texts: new PageTexts({ escalations, wording, strays, log }),
    ack: new AckPages({ escalations, tokens, wording, clock, log }),
  };
}
