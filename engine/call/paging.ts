/** Everything about people who are called into calls, put together. */
import type { ChainedEntry } from "../platform/hash-chain.ts";
import type { Deployment } from "../config/deployment.ts";
import type { Journal } from "../effects/journal.ts";
import type { Carrier, Clock, Log, Store } from "../ports.ts";
import type { Claims } from "../effects/claims.ts";
import type { PushSender } from "../push-port.ts";
import type { Tracing } from "../tracing/tracing.ts";
import { incidentLogicOn } from "./deadline.ts";
import { EscalationMetrics } from "./escalation-metrics.ts";
import { type EscalationHost, Escalations } from "./escalations.ts";
import { FollowUps } from "./follow-ups.ts";
import type { FeedMessage } from "./live-index.ts";
import { PageEffects } from "./page-effects.ts";
import { createPageWording } from "./page-wording.ts";
import type { Urls } from "./urls.ts";

export interface PagingOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Pick<Journal, "of">;
  readonly carrier: Carrier;
  readonly pushes: PushSender;
  readonly claims: Claims;
  readonly urls: Urls;
  readonly deployment: Deployment;
  /** Our number, E.164. */
  readonly number: string;
  /** The link by which a page is acknowledged. */
  readonly ackUrl: (callSid: string, label: string) => string;
  readonly tracing?: Tracing | null;
  readonly feed: (message: FeedMessage) => void;
  readonly onEntry?: (entry: ChainedEntry) => void;
  /** The live call of this sid. */
  readonly call: (callSid: string) => EscalationHost | null;
}

export function createPaging(options: PagingOptions) {
  const { clock, deployment, call, claims } = options;
  const wording = createPageWording(deployment.escalation);
  const escalationMetrics = new EscalationMetrics();
  const escalations: Escalations = new Escalations({
    clock,
    agent: deployment.agent.name,
    claims,
    host: (callSid) => call(callSid) ?? followUps.get(callSid),
  });
  const pages = new PageEffects({ ...options, wording, escalations });
  const logic = incidentLogicOn(clock);
  const followUps = new FollowUps({ ...options, pages, logic, escalations, escalationMetrics });
  return { wording, escalationMetrics, escalations, pages, followUps };
}
