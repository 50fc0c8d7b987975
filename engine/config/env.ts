import { isIP } from "node:net";
import { z } from "zod";
import type { ConfigIssue } from "../errors.ts";
import { parseHttpUrl } from "./addresses.ts";
import { E164 } from "./deployment.ts";
import { nearest } from "./suggest.ts";

/** How one variable is read. `problem` and `fix` never quote the value: it may be a secret. */
interface Variable<T> {
  readonly read: z.ZodType<T, string>;
  readonly fix: string;
}

function variable<T>(read: z.ZodType<T, string>, fix: string): Variable<T> {
  return { read, fix };
}

function matching(pattern: RegExp, problem: string): z.ZodType<string, string> {
  return z.string().refine((value) => pattern.test(value), { error: problem });
}

const sid = (prefix: string, what: string) =>
  variable(
    matching(
      new RegExp(`^${prefix}[0-9a-fA-F]{32}$`),
      `is not ${what} (${prefix} and 32 hexadecimal digits)`,
    ),
    `copy the sid that begins with ${prefix} from the Twilio console`,
  );

/** Goes into an HTTP header, so nothing but visible ASCII. */
const secret = (fix: string) =>
  variable(matching(/^[\x21-\x7e]+$/, "holds a space or a character outside ASCII"), fix);

const number = (min: number, max: number, whole: boolean, what: string) =>
  variable(
    z
      .string()
      .regex(whole ? /^\d+$/ : /^\d+(\.\d+)?$/, { error: `is not ${what}` })
      .transform(Number)
      .refine((value) => value >= min && value <= max, { error: `is out of range` }),
    `use ${what} from ${min} to ${max}`,
  );

const baseUrl = (example: string) =>
  variable(
    z
      .string()
      .refine(isBaseUrl, { error: "is not an http(s) URL without query, fragment and user name" })
      .transform((value) => new URL(value).href.replace(/\/+$/, "")),
    `use an address such as ${example}`,
  );

function isBaseUrl(value: string): boolean {
  const url = parseHttpUrl(value);
  return url !== null && url.search + url.hash + url.username + url.password === "" && !/[?#]$/.test(value);
}

function isOrigin(value: string): boolean {
  return isBaseUrl(value) && new URL(value).pathname === "/" && !value.endsWith("//");
}

function isDatabaseUrl(value: string): boolean {
  if (/^sqlite:\/\/(?!\/*$)[^\0]+$/.test(value)) return true;
  const url = URL.canParse(value) ? new URL(value) : null;
  const postgres = url?.protocol === "postgres:" || url?.protocol === "postgresql:";
  return postgres && url.hostname !== "" && url.pathname.length > 1;
}

/** An address, or a network of some (`10.0.0.0/8`). */
function isNetwork(value: string): boolean {
  const [, address = "", prefix = "0"] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(value) ?? [];
  const version = isIP(address);
  return version !== 0 && Number(prefix) <= (version === 4 ? 32 : 128);
}

/** 32 bytes as 64 hexadecimal digits, base64 or base64url; `null` for anything else. */
function decodeKey(value: string): Uint8Array | null {
  if (/^[0-9a-fA-F]{64}$/.test(value)) return Uint8Array.fromHex(value);
  // 32 bytes are 43 characters of base64, and tools print them with or without the padding.
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(value)) return null;
  return Uint8Array.fromBase64(value.replaceAll("-", "+").replaceAll("_", "/").slice(0, 43), {
    lastChunkHandling: "loose",
  });
}

const encryptionKey = z.string().transform((value, ctx) => {
  const key = decodeKey(value);
  if (key) return key;
  ctx.addIssue({ code: "custom", message: "is not a key of 32 bytes" });
  return z.NEVER;
});

/** As in W3C Baggage, which is how OpenTelemetry writes them. */
const headers = z.string().transform((value, ctx) => {
  const pairs = value.split(",").map((pair) => /^\s*([\w-]+)\s*=\s*([\x21-\x7e]+)\s*$/.exec(pair));
  const read: Record<string, string> = {};
  try {
    for (const pair of pairs) {
      const text = decodeURIComponent(pair?.[2] ?? "%");
      if (/[^\x20-\x7e]/.test(text)) throw new URIError();
      read[(pair?.[1] ?? "").toLowerCase()] = text;
    }
    return read;
  } catch {
    ctx.addIssue({ code: "custom", message: "is not a list of headers" });
    return z.NEVER;
  }
});

const EDGES = ["ashburn", "umatilla", "dublin", "frankfurt", "singapore", "sydney", "tokyo", "sao-paulo"];
export const EDGE_NAMES: readonly string[] = ["roaming", ...EDGES.flatMap((edge) => [edge, `${edge}-ix`])];

/** Every variable of the engine, by name. */
const VARIABLES = {
  PORT: number(0, 65_535, true, "a whole number"),
  PUBLIC_URL: variable(
    z
      .string()
      .refine(isOrigin, { error: "is not an origin: http(s), no path, query or user name" })
      .transform((value) => new URL(value).origin),
    "use the origin that Twilio reaches, such as https://tandem.example.com",
  ),
  TWILIO_ACCOUNT_SID: sid("AC", "an account sid"),
  TWILIO_AUTH_TOKEN: secret("copy the auth token from the Twilio console, without quotes"),
  TWILIO_API_KEY: sid("SK", "the sid of an API key"),
  TWILIO_API_SECRET: secret("copy the secret shown when the API key was made"),
  TWILIO_TWIML_APP_SID: sid("AP", "the sid of a TwiML App"),
  TWILIO_NUMBER: variable(
    matching(E164, "is not a phone number in E.164 form"),
    "write + and the country code, digits only, like +15550100",
  ),
  TWILIO_REGION: variable(z.enum(["us1", "ie1", "au1"]), "use one of: us1, ie1, au1"),
  TWILIO_EDGE: variable(z.enum(EDGE_NAMES as [string, ...string[]]), `use one of: ${EDGE_NAMES.join(", ")}`),
  TWILIO_CALLS_PER_SECOND: number(0.01, 1000, false, "a number"),
  TWILIO_API_BASE_URL: baseUrl("http://127.0.0.1:9001"),
  OPENAI_API_KEY: secret("copy the key from the OpenAI dashboard, without quotes"),
  OPENAI_BASE_URL: baseUrl("https://api.openai.com/v1"),
  OPENAI_REALTIME_MODEL: variable(
    matching(/^[\w.:/-]{1,100}$/, "is not the name of a model"),
    "use a name such as gpt-realtime-2.1",
  ),
  ELEVENLABS_API_KEY: secret("copy the key from the ElevenLabs dashboard, without quotes"),
  ELEVENLABS_AGENT_ID: variable(
    matching(/^[\w-]{1,100}$/, "is not the id of an agent"),
    "copy the agent's id from the ElevenLabs dashboard",
  ),
  ELEVENLABS_BASE_URL: baseUrl("https://api.elevenlabs.io"),
  DATABASE_URL: variable(
    z.string().refine(isDatabaseUrl, { error: "is not the address of a database" }),
    "use sqlite://relative/path.db, sqlite:///absolute/path.db or postgres://user:password@host:5432/name",
  ),
  TANDEM_CONFIG: variable(z.string(), "give the path of a .json, .ts or .js file"),
  TANDEM_CONSOLE_TOKEN: variable(
    matching(/^[\x21-\x7e]{16,}$/, "is shorter than 16 characters or holds a space"),
    "use 16 visible ASCII characters or more, such as the output of: openssl rand -base64 24",
  ),
  TANDEM_VIEWER_TOKEN: variable(
    matching(/^[\x21-\x7e]{16,}$/, "is shorter than 16 characters or holds a space"),
    "use 16 visible ASCII characters or more, other than the console token's: openssl rand -base64 24",
  ),
  TANDEM_TRUSTED_PROXIES: variable(
    z
      .string()
      .transform((value) => value.split(",").map((each) => each.trim()))
      .refine((all) => all.every(isNetwork), { error: "is not a list of addresses and networks" }),
    "use addresses and networks with commas between, such as 127.0.0.1,10.0.0.0/8",
  ),
  TANDEM_TOKENS: variable(z.string(), "give the path of a JSON file"),
  TANDEM_ENCRYPTION_KEY: variable(
    encryptionKey,
    "use 32 random bytes in base64 or 64 hexadecimal digits: openssl rand -base64 32",
  ),
  TANDEM_WEBHOOK_SECRET: variable(
    matching(/^[\x21-\x7e]{24,}$/, "is shorter than 24 characters or holds a space"),
    "use 24 visible ASCII characters or more, such as the output of: openssl rand -base64 32",
  ),
  TANDEM_ENCRYPTION_KEY_PREVIOUS: variable(
    encryptionKey,
    "give the TANDEM_ENCRYPTION_KEY of before, or leave it out once `bun run rewrap` has run",
  ),
  OTEL_EXPORTER_OTLP_ENDPOINT: baseUrl("http://127.0.0.1:4318"),
  OTEL_EXPORTER_OTLP_HEADERS: variable(
    headers,
    "use name=value pairs with commas between them, values percent-encoded, such as authorization=Bearer%20…",
  ),
  OTEL_SERVICE_NAME: variable(
    matching(/^[\w.:/-]{1,100}$/, "is not a name of letters, digits and . _ : / -"),
    "use a name such as tandem",
  ),
  LOG_LEVEL: variable(
    z
      .string()
      .toLowerCase()
      .pipe(z.enum(["debug", "info", "warn", "error"])),
    "use one of: debug, info, warn, error",
  ),
} as const;

export type VariableName = keyof typeof VARIABLES;

/** The checked values of the variables that are set. */
export type EnvValues = {
  readonly [Name in VariableName]?: z.output<(typeof VARIABLES)[Name]["read"]>;
};

export interface EnvReading {
  readonly values: EnvValues;
  /** Names that hold something, be it right or wrong. */
  readonly set: ReadonlySet<string>;
  readonly issues: readonly ConfigIssue[];
}

/** The problem as zod words it, unless it could quote the value or is about the list of the fix. */
function problemOf(error: z.ZodError): string {
  const first = error.issues[0];
  return first && !first.message.startsWith("Invalid ") ? first.message : "is not a known value";
}

/** `TANDEM_` names are ours alone, so one that nobody reads is a slip. */
function unknownNames(set: ReadonlySet<string>): ConfigIssue[] {
  const known = Object.keys(VARIABLES);
  const ours = known.filter((name) => name.startsWith("TANDEM_"));
  const issues: ConfigIssue[] = [];
  for (const name of set) {
    if (!name.startsWith("TANDEM_") || known.includes(name)) continue;
    const meant = nearest(name, ours) ?? nearest(name.slice("TANDEM_".length), known);
    const fix = meant === null ? `remove it; known names: ${ours.join(", ")}` : `did you mean ${meant}?`;
    issues.push({ name, problem: "is not a variable of Tandem", fix });
  }
  return issues;
}

/** Reads every variable on its own. White space around a value is dropped; an empty value counts as unset. */
export function readEnv(env: Readonly<Record<string, string | undefined>>): EnvReading {
  const set = new Set(Object.keys(env).filter((name) => (env[name] ?? "").trim() !== ""));
  const values: Record<string, unknown> = {};
  const issues: ConfigIssue[] = [];
  for (const [name, { read, fix }] of Object.entries(VARIABLES)) {
    if (!set.has(name)) continue;
    const result = read.safeParse((env[name] ?? "").trim());
    if (result.success) values[name] = result.data;
    else issues.push({ name, problem: problemOf(result.error), fix });
  }
  return { values: values as EnvValues, set, issues: [...issues, ...unknownNames(set)] };
}
