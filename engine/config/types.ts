import type { LogLevel } from "../ports.ts";
import type { Deployment } from "./deployment.ts";
import type { NamedToken } from "./tokens-file.ts";

/** Readonly all the way down; bytes stay as they are. */
export type DeepReadonly<T> = T extends Uint8Array
  ? T
  : T extends readonly (infer Item)[]
    ? readonly DeepReadonly<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
      : T;

/** Regions that process a call's data at Twilio; not the list of the conference mixers. */
export type ProcessingRegion = "us1" | "ie1" | "au1";

export interface TwilioCarrierConfig {
  readonly kind: "twilio";
  readonly accountSid: string;
  readonly authToken: string;
  /** Used for REST instead of the auth token, which stays in use for signatures. */
  readonly apiKey: { readonly sid: string; readonly secret: string } | null;
  readonly twimlAppSid: string;
  /** The number that calls and messages come from, E.164. */
  readonly number: string;
  /** `null`: Twilio's default host. */
  readonly region: ProcessingRegion | null;
  readonly edge: string | null;
  /** Without a trailing slash; `null`: Twilio's own hosts. */
  readonly apiBaseUrl: string | null;
  /** Budget for requests that create calls or participants. */
  readonly callsPerSecond: number;
}

export interface SandboxCarrierConfig {
  readonly kind: "sandbox";
  readonly callsPerSecond: number;
}

export interface OpenAiModelConfig {
  readonly provider: "openai";
  readonly apiKey: string;
  /** Without a trailing slash, such as `https://api.openai.com/v1`. */
  readonly baseUrl: string;
  readonly model: string;
}

export interface SandboxModelConfig {
  readonly provider: "sandbox";
  readonly model: string;
}

export interface TracingConfig {
  /** Of the collector, without a trailing slash. */
  readonly endpoint: string;
  /** Secret. */
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

/** Everything the engine is told from outside, checked. Holds secrets: print {@link describeConfig} instead. */
export interface Config {
  /** 0 = any free port. */
  readonly port: number;
  /** Origin that Twilio reaches, without a trailing slash; `null` only with the sandbox carrier. */
  readonly publicUrl: string | null;
  readonly carrier: TwilioCarrierConfig | SandboxCarrierConfig;
  readonly model: OpenAiModelConfig | SandboxModelConfig;
  readonly databaseUrl: string;
  readonly consoleToken: string | null;
  /** Of those who may look, and see neither numbers nor words; `null`: there are none. */
  readonly viewerToken: string | null;
  /** Tokens of people and programs, hashed. */
  readonly tokens: readonly NamedToken[];
  /** Addresses and networks of proxies whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** 32 bytes. */
  readonly encryptionKey: Uint8Array | null;
  /** Signs what `postCall.webhook` gets. */
  readonly webhookSecret: string | null;
  /** Still opens what it has sealed; 32 bytes. */
  readonly previousEncryptionKey: Uint8Array | null;
  /** Where spans go; `null`: nowhere. */
  readonly tracing: TracingConfig | null;
  readonly logLevel: LogLevel;
  readonly deployment: Deployment;
  /** Absolute path of the deployment file; `null`: the built-in example. */
  readonly deploymentFile: string | null;
}

/** The text of the file at an absolute path; rejects when it cannot be read. */
export type ReadFile = (path: string) => Promise<string>;
