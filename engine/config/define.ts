import type { DeploymentInput } from "./deployment.ts";

/** Gives a deployment file in TypeScript its types: `export default defineDeployment({ … })`. */
export function defineDeployment(deployment: DeploymentInput): DeploymentInput {
  return deployment;
}
