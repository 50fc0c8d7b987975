import type { ConfigIssue } from "../errors.ts";
import { hostKind } from "./addresses.ts";
import type { Deployment } from "./deployment.ts";
import type { EnvReading, EnvValues, VariableName } from "./env.ts";
import { type NamedToken, tokenHash } from "./tokens-file.ts";
import type {
  OpenAiModelConfig,
  ProcessingRegion,
  SandboxCarrierConfig,
  SandboxModelConfig,
  TracingConfig,
  TwilioCarrierConfig,
} from "./types.ts";

/** Any of these asks for real traffic. */
const CREDENTIALS = [
  "TWILIO_ACCOUNT_SID",
  "TWILIO_AUTH_TOKEN",
  "TWILIO_TWIML_APP_SID",
  "TWILIO_NUMBER",
  "TWILIO_API_KEY",
  "TWILIO_API_SECRET",
] as const satisfies readonly VariableName[];

/** What real traffic needs, with where to find it. */
const REQUIRED = {
  TWILIO_ACCOUNT_SID: "copy the account sid (AC…) from the Twilio console",
  TWILIO_AUTH_TOKEN:
    "copy the auth token from the Twilio console; webhook signatures need it even with an API key",
  TWILIO_TWIML_APP_SID: "make a TwiML App whose voice URL is PUBLIC_URL/twilio/ai-leg and copy its sid (AP…)",
  TWILIO_NUMBER: "give the Twilio number that callers dial, like +15550100",
  PUBLIC_URL: "give the https origin where Twilio reaches this engine",
} as const satisfies Partial<Record<VariableName, string>>;

/** Settings of the REST API that mean nothing without credentials. */
const NEEDS_CREDENTIALS = ["TWILIO_API_BASE_URL", "TWILIO_REGION", "TWILIO_EDGE"] as const;

const DEFAULT_CALLS_PER_SECOND = 1;
/** Nobody's account is billed or throttled: trying fifty calls at once needs no setting. */
const SANDBOX_CALLS_PER_SECOND = 50;
const DEFAULT_OPENAI_BASE_URL = "https://api.openai.com/v1";
const DEFAULT_OPENAI_MODEL = "gpt-realtime-2.1";

/** The edge whose host serves a region: other pairs name a host that does not exist. */
const HOME_EDGE: Record<ProcessingRegion, string> = { us1: "ashburn", ie1: "dublin", au1: "sydney" };

/** The region that an edge's traffic is processed in. */
function regionOfEdge(edge: string): ProcessingRegion {
  const plain = edge.replace(/-ix$/, "");
  if (plain === HOME_EDGE.ie1) return "ie1";
  return plain === HOME_EDGE.au1 ? "au1" : "us1";
}

interface Ruled<T> {
  /** Meaningful only while there are no issues at all. */
  readonly value: T;
  readonly issues: readonly ConfigIssue[];
}

function regionAndEdge(env: EnvReading): Ruled<{ region: ProcessingRegion | null; edge: string | null }> {
  const { TWILIO_REGION: region, TWILIO_EDGE: edge } = env.values;
  if (edge === undefined) {
    return { value: { region: region ?? null, edge: region ? HOME_EDGE[region] : null }, issues: [] };
  }
  const home = regionOfEdge(edge);
  const issues: ConfigIssue[] = [];
  if (region === undefined && home !== "us1" && !env.set.has("TWILIO_REGION")) {
    issues.push({
      name: "TWILIO_REGION",
      problem: `is missing although TWILIO_EDGE belongs to region ${home}`,
      fix: `set TWILIO_REGION=${home} with that region's credentials, or remove TWILIO_EDGE`,
    });
  } else if (region !== undefined && region !== home) {
    issues.push({
      name: "TWILIO_EDGE",
      problem: `does not belong to region ${region}`,
      fix: `use TWILIO_EDGE=${HOME_EDGE[region]}, or leave it out`,
    });
  }
  return { value: { region: region ?? home, edge }, issues };
}

function pairIssue(env: EnvReading): ConfigIssue[] {
  const [key, secret] = [env.set.has("TWILIO_API_KEY"), env.set.has("TWILIO_API_SECRET")];
  if (key === secret) return [];
  const [name, other] = key
    ? (["TWILIO_API_SECRET", "TWILIO_API_KEY"] as const)
    : (["TWILIO_API_KEY", "TWILIO_API_SECRET"] as const);
  return [{ name, problem: `is missing although ${other} is set`, fix: `set both, or remove ${other}` }];
}

/** Sandbox without a single Twilio credential, the real carrier with all of them, nothing in between. */
export function carrierRules(env: EnvReading): Ruled<TwilioCarrierConfig | SandboxCarrierConfig> {
  const { values } = env;
  const callsPerSecond = values.TWILIO_CALLS_PER_SECOND ?? DEFAULT_CALLS_PER_SECOND;
  if (!CREDENTIALS.some((name) => env.set.has(name))) {
    const issues = NEEDS_CREDENTIALS.filter((name) => env.set.has(name)).map((name) => ({
      name,
      problem: "is set, but there are no Twilio credentials to use it with",
      fix: `set ${Object.keys(REQUIRED).join(", ")} too, or remove it to run the sandbox`,
    }));
    const asked = values.TWILIO_CALLS_PER_SECOND ?? SANDBOX_CALLS_PER_SECOND;
    return { value: { kind: "sandbox", callsPerSecond: asked }, issues };
  }
  const missing = Object.entries(REQUIRED)
    .filter(([name]) => !env.set.has(name))
    .map(([name, fix]) => ({
      name,
      problem: "is missing although other Twilio credentials are set",
      fix: `${fix}; or remove every TWILIO_ credential to run the sandbox`,
    }));
  const { value, issues } = regionAndEdge(env);
  const { TWILIO_API_KEY: keySid, TWILIO_API_SECRET: keySecret } = values;
  return {
    value: {
      kind: "twilio",
      accountSid: values.TWILIO_ACCOUNT_SID ?? "",
      authToken: values.TWILIO_AUTH_TOKEN ?? "",
      apiKey: keySid && keySecret ? { sid: keySid, secret: keySecret } : null,
      twimlAppSid: values.TWILIO_TWIML_APP_SID ?? "",
      number: values.TWILIO_NUMBER ?? "",
      apiBaseUrl: values.TWILIO_API_BASE_URL ?? null,
      callsPerSecond,
      ...value,
    },
    issues: [...missing, ...pairIssue(env), ...issues],
  };
}

/** A caller who is turned away must not come back to the engine that has turned them away. */
export function fallbackIssues(env: EnvReading, deployment: Deployment | null): ConfigIssue[] {
  const number = deployment?.overload.fallbackNumber;
  if (number === undefined || number !== env.values.TWILIO_NUMBER) return [];
  const problem = "is the number that callers dial: whoever is turned away would only come back";
  return [{ name: "overload.fallbackNumber", problem, fix: "give another number, or leave it out" }];
}

/** A row names a caller: whoever gets it must be able to tell that it is ours. */
export function webhookIssues(env: EnvReading, deployment: Deployment | null): ConfigIssue[] {
  if (!deployment?.postCall.webhook || env.set.has("TANDEM_WEBHOOK_SECRET")) return [];
  const problem = "is missing although postCall.webhook is set";
  const fix = "set it to a secret that the receiver has too: openssl rand -base64 32";
  return [{ name: "TANDEM_WEBHOOK_SECRET", problem, fix }];
}

const DEFAULT_LOOP_LATENESS_MS = 3;

/**
 * The limit where the deployment sets none. The sandbox's carrier, model and phones share this machine, so
 * there the loop's lateness is theirs as well, and trying fifty calls at once needs no setting.
 */
export function withLatenessLimit(deployment: Deployment, carrier: "twilio" | "sandbox"): Deployment {
  const loopLatenessMs = carrier === "sandbox" ? 0 : DEFAULT_LOOP_LATENESS_MS;
  return { ...deployment, overload: { loopLatenessMs, ...deployment.overload } };
}

/** Twilio opens media sockets to wss only; an emulator on the same machine may do with plain http. */
export function publicUrlIssues(env: EnvReading): ConfigIssue[] {
  const url = env.values.PUBLIC_URL ? new URL(env.values.PUBLIC_URL) : null;
  if (!url || url.protocol === "https:" || hostKind(url.hostname) === "loopback") return [];
  if (env.set.has("TWILIO_API_BASE_URL")) return [];
  return [
    {
      name: "PUBLIC_URL",
      problem: "is plain http, but Twilio opens media streams to wss only",
      fix: "use https (plain http is for loopback, or with TWILIO_API_BASE_URL)",
    },
  ];
}

/** A key of before is for nothing but to go over to another. */
export function keyIssues(env: EnvReading): ConfigIssue[] {
  const name = "TANDEM_ENCRYPTION_KEY_PREVIOUS";
  if (!env.set.has(name) || env.set.has("TANDEM_ENCRYPTION_KEY")) return [];
  const fix = "set TANDEM_ENCRYPTION_KEY to the new key, or to this one and remove the previous";
  return [{ name, problem: "is set, but there is no TANDEM_ENCRYPTION_KEY that takes its place", fix }];
}

const NO_ELEVENLABS: ConfigIssue = {
  name: "agent.provider",
  problem: "is elevenlabs, and this version of Tandem has no ElevenLabs adapter yet",
  fix: "use openai",
};

function elevenLabsIssues(env: EnvReading): ConfigIssue[] {
  const needed = ["ELEVENLABS_API_KEY", "ELEVENLABS_AGENT_ID"] as const;
  const missing = needed
    .filter((name) => !env.set.has(name))
    .map((name) => ({
      name,
      problem: "is missing although agent.provider is elevenlabs",
      fix: "set it, or use agent.provider openai",
    }));
  return [...missing, NO_ELEVENLABS];
}

/** A real key gives the real model; the sandbox model is for sandbox calls and never meets a real caller. */
export function modelRules(
  env: EnvReading,
  carrier: "twilio" | "sandbox",
  agent: { readonly provider: string; readonly model?: string },
): Ruled<OpenAiModelConfig | SandboxModelConfig> {
  const { values } = env;
  const model = values.OPENAI_REALTIME_MODEL ?? agent.model ?? DEFAULT_OPENAI_MODEL;
  const sandbox: SandboxModelConfig = { provider: "sandbox", model };
  if (agent.provider === "elevenlabs") return { value: sandbox, issues: elevenLabsIssues(env) };
  if (env.set.has("OPENAI_API_KEY")) {
    const baseUrl = values.OPENAI_BASE_URL ?? DEFAULT_OPENAI_BASE_URL;
    return { value: { provider: "openai", apiKey: values.OPENAI_API_KEY ?? "", baseUrl, model }, issues: [] };
  }
  const issues: ConfigIssue[] = [];
  if (carrier === "twilio") {
    const problem = "is missing, and real callers are never given the sandbox model";
    issues.push({ name: "OPENAI_API_KEY", problem, fix: "set the key of your OpenAI project" });
  } else if (env.set.has("OPENAI_BASE_URL")) {
    const fix = "set OPENAI_API_KEY too (any text for a server that checks none), or remove OPENAI_BASE_URL";
    issues.push({ name: "OPENAI_API_KEY", problem: "is missing although OPENAI_BASE_URL is set", fix });
  }
  return { value: sandbox, issues };
}

/** A viewer's token stands beside the console's, and must not be it. */
export function viewerIssues({ values, set }: EnvReading): readonly ConfigIssue[] {
  const name = "TANDEM_VIEWER_TOKEN";
  if (!set.has(name)) return [];
  if (!set.has("TANDEM_CONSOLE_TOKEN"))
    return [{ name, problem: "is of no use without TANDEM_CONSOLE_TOKEN", fix: "set both, or neither" }];
  const same = values.TANDEM_VIEWER_TOKEN !== undefined && values[name] === values.TANDEM_CONSOLE_TOKEN;
  return same
    ? [{ name, problem: "is the console token itself", fix: "use another: it gives less away" }]
    : [];
}

/** Spans are sent once there is somewhere to send them. */
export function tracingOf(values: EnvValues): TracingConfig | null {
  const endpoint = values.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined) return null;
  const serviceName = values.OTEL_SERVICE_NAME ?? "tandem";
  return { endpoint, headers: values.OTEL_EXPORTER_OTLP_HEADERS ?? {}, serviceName };
}

export function tracingIssues({ set }: EnvReading): readonly ConfigIssue[] {
  const name = "OTEL_EXPORTER_OTLP_HEADERS";
  if (!set.has(name) || set.has("OTEL_EXPORTER_OTLP_ENDPOINT")) return [];
  const problem = "is set, and there is no collector to send it to";
  return [{ name, problem, fix: "set OTEL_EXPORTER_OTLP_ENDPOINT, or leave this out" }];
}

/** Cookies are signed under the console token; and a token of two names would be nobody's. */
export function tokenIssues({ values, set }: EnvReading, tokens: readonly NamedToken[]): ConfigIssue[] {
  const name = "TANDEM_TOKENS";
  if (!set.has(name)) return [];
  if (!set.has("TANDEM_CONSOLE_TOKEN"))
    return [{ name, problem: "is of no use without TANDEM_CONSOLE_TOKEN", fix: "set both, or neither" }];
  return (["TANDEM_CONSOLE_TOKEN", "TANDEM_VIEWER_TOKEN"] as const).flatMap((variable) => {
    const value = values[variable];
    const index = value === undefined ? -1 : tokens.findIndex(({ sha256 }) => sha256 === tokenHash(value));
    if (index < 0) return [];
    const fix = "make another: bun run token --name NAME --role ROLE";
    return [{ name: `${name}[${index}].sha256`, problem: `is that of ${variable}`, fix }];
  });
}
