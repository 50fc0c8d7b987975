/** What the machine of a call is started with: the deployment as it is at that moment, and fixed times. */
import type { CallInput } from "../../machines/context.ts";
import type { Deployment } from "../config/deployment.ts";
import { ladderPolicyOf } from "../config/ladder-policy.ts";

export interface CallStart {
  readonly callSid: string;
  readonly conferenceName: string;
  readonly from: string;
  readonly to: string;
}

const REJOIN_TIMEOUT_MS = 4000;
const READD_TIMEOUT_MS = 20_000;
const MAX_READDS = 3;
const RELEASE_TIMEOUT_MS = 6000;
const GOODBYE_BASE_MS = 15_000;
const SPOKEN_MS_PER_CHAR = 100;
const DRAIN_TIMEOUT_MS = 30_000;

export function callInput(start: CallStart, deployment: Deployment, startedAtMs: number): CallInput {
  const { limits, escalation, agent } = deployment;
  return {
    callSid: start.callSid,
    conferenceName: start.conferenceName,
    startedAtMs,
    afterHandover: escalation.afterHandover,
    policy: ladderPolicyOf(deployment),
    limits: {
      arriveTimeoutMs: limits.arriveTimeoutMs,
      maxCallMs: limits.maxCallMs,
      modelReadyTimeoutMs: limits.modelReadyTimeoutMs,
      rejoinTimeoutMs: REJOIN_TIMEOUT_MS,
      readdTimeoutMs: READD_TIMEOUT_MS,
      maxReadds: MAX_READDS,
      releaseTimeoutMs: RELEASE_TIMEOUT_MS,
      goodbyeTimeoutMs: GOODBYE_BASE_MS + agent.apology.length * SPOKEN_MS_PER_CHAR,
      drainTimeoutMs: DRAIN_TIMEOUT_MS,
    },
  };
}
