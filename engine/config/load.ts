import { readFile as readFileOf } from "node:fs/promises";
import { ConfigError } from "../errors.ts";
import { readDeployment } from "./deployment-file.ts";
import { readEnv } from "./env.ts";
import {
  carrierRules,
  fallbackIssues,
  keyIssues,
  modelRules,
  publicUrlIssues,
  tracingIssues,
  tracingOf,
  tokenIssues,
  viewerIssues,
  webhookIssues,
  withLatenessLimit,
} from "./rules.ts";
import { readTokens } from "./tokens-file.ts";
import type { Config, ReadFile } from "./types.ts";

export interface LoadConfigOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Directory that relative paths start from; the working directory by default. */
  readonly cwd?: string;
  /** Reads a JSON file, be it the deployment's or that of tokens; the file system by default. */
  readonly readFile?: ReadFile;
}

function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  for (const inner of Object.values(value)) freeze(inner);
  return Object.freeze(value);
}

/**
 * Reads the environment and the files that it names, and checks them together.
 *
 * @throws ConfigError with every mistake found, by name, with its fix and without any value.
 */
export async function loadConfig(options: LoadConfigOptions): Promise<Config> {
  const env = readEnv(options.env);
  const { values } = env;
  const readFile = options.readFile ?? ((path: string) => readFileOf(path, "utf8"));
  const cwd = options.cwd ?? process.cwd();
  const reading = await readDeployment(values.TANDEM_CONFIG, cwd, readFile);
  const named = await readTokens(values.TANDEM_TOKENS, cwd, readFile);
  const carrier = carrierRules(env);
  const agent = reading.deployment?.agent ?? {
    provider: (reading.deployment === null ? reading.provider : null) ?? "openai",
  };
  const model = modelRules(env, carrier.value.kind, agent);
  const issues = [
    ...env.issues,
    ...carrier.issues,
    ...publicUrlIssues(env),
    ...keyIssues(env),
    ...model.issues,
    ...reading.issues,
    ...fallbackIssues(env, reading.deployment),
    ...webhookIssues(env, reading.deployment),
    ...viewerIssues(env),
    ...tracingIssues(env),
    ...named.issues,
    ...tokenIssues(env, named.tokens),
  ];
  if (issues.length > 0 || reading.deployment === null) throw new ConfigError(issues);
  return freeze({
    port: values.PORT ?? 8080,
    publicUrl: values.PUBLIC_URL ?? null,
    carrier: carrier.value,
    model: model.value,
    databaseUrl: values.DATABASE_URL ?? "sqlite://data/tandem.db",
    consoleToken: values.TANDEM_CONSOLE_TOKEN ?? null,
    viewerToken: values.TANDEM_VIEWER_TOKEN ?? null,
    tokens: named.tokens,
    trustedProxies: values.TANDEM_TRUSTED_PROXIES ?? [],
    encryptionKey: values.TANDEM_ENCRYPTION_KEY ?? null,
    webhookSecret: values.TANDEM_WEBHOOK_SECRET ?? null,
    previousEncryptionKey: values.TANDEM_ENCRYPTION_KEY_PREVIOUS ?? null,
    tracing: tracingOf(values),
    logLevel: values.LOG_LEVEL ?? "info",
    deployment: withLatenessLimit(reading.deployment, carrier.value.kind),
    deploymentFile: reading.file,
  });
}
