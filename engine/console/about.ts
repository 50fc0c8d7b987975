import { MACHINE_HASH } from "../call/machine-hash.ts";
import type { Deployment } from "../config/deployment.ts";
import { VERSION } from "../platform/version.ts";

/** What the console's page is told of the deployment: names and times, no number. */
export function aboutOf({ agent, escalation }: Deployment, sandbox: boolean) {
  return {
    agent: agent.name,
    sandbox,
    version: VERSION,
    machines: MACHINE_HASH,
    rungs: escalation.rungs.map(({ name }) => name),
    ackTimeoutMs: escalation.ackTimeoutMs,
  };
}

export type About = ReturnType<typeof aboutOf>;
