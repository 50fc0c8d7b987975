import { MACHINE_HASH } from "../call/machine-hash.ts";
import type { Deployment } from "../config/deployment.ts";
import { VERSION } from "../platform/version.ts";

/** What the console's page is told of the deployment: names and times, no number. */
export function aboutOf(
  { agent, escalation }: Deployment,
  sandbox: Readonly<Record<string, unknown>> | null,
) {
  return {
    agent: agent.name,
    /** Where phones of the sandbox are, from which calls can be placed in a browser. */
    phonesUrl: typeof sandbox?.["phonesUrl"] === "string" ? sandbox["phonesUrl"] : null,
    version: VERSION,
    machines: MACHINE_HASH,
    rungs: escalation.rungs.map(({ name }) => name),
    ackTimeoutMs: escalation.ackTimeoutMs,
  };
}

export type About = ReturnType<typeof aboutOf>;
