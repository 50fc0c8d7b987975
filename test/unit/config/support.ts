import { loadConfig } from "../../../engine/config/load.ts";
import { ConfigError, type ConfigIssue } from "../../../engine/errors.ts";

export type Env = Record<string, string | undefined>;

const HEX = "0123456789abcdef0123456789abcdef";

/** Everything that real traffic needs; the secrets are fake and easy to find in a message. */
export const REAL: Env = {
  TWILIO_ACCOUNT_SID: `AC${HEX}`,
  TWILIO_AUTH_TOKEN: "fake-secret-auth-token",
  TWILIO_TWIML_APP_SID: `AP${HEX}`,
  TWILIO_NUMBER: "+15550199",
  PUBLIC_URL: "https://tandem.example.com",
  OPENAI_API_KEY: "fake-secret-openai-key",
};

/** Loads with `deployment` (an object, or the raw text of a file) as the JSON deployment file. */
export async function load(env: Env, deployment?: unknown) {
  if (deployment === undefined) return await loadConfig({ env });
  const text = typeof deployment === "string" ? deployment : JSON.stringify(deployment);
  return await loadConfig({
    env: { ...env, TANDEM_CONFIG: "deployment.json" },
    readFile: () => Promise.resolve(text),
  });
}

/** The mistakes of a configuration that must not load. */
export async function mistakes(env: Env, deployment?: unknown): Promise<readonly ConfigIssue[]> {
  const error = await load(env, deployment).catch((e: unknown) => e);
  if (!(error instanceof ConfigError)) throw new Error(`expected a ConfigError, got ${String(error)}`);
  return error.issues;
}

export async function namesOf(env: Env, deployment?: unknown): Promise<string[]> {
  return (await mistakes(env, deployment)).map((issue) => issue.name);
}
