/** The part of the engine's HTTP interface that a test caller uses. */
import { z } from "zod";
import { CarrierError, ConfigError, errorText } from "../../../engine/errors.ts";
import { pause } from "../../../engine/platform/clock.ts";
import type { Clock } from "../../../engine/ports.ts";

import type { OnCallPerson } from "./people.ts";

const REQUEST_TIMEOUT_MS = 5000;
const ROW_ATTEMPTS = 20;
const ROW_RETRY_MS = 250;

const sandboxInfo = z.object({
  carrierUrl: z.string().regex(/^https?:\/\//),
  number: z.string(),
  people: z.array(z.object({ rung: z.string(), name: z.string(), number: z.string() })),
  ackTimeoutMs: z.number(),
});

export interface SandboxInfo {
  /** Where the sandbox's carrier is. */
  readonly carrierUrl: string;
  /** The number the agent answers. */
  readonly number: string;
  /** The ladder: everybody on call who has a phone. */
  readonly people: readonly OnCallPerson[];
  /** How long each rung of it has. */
  readonly ackTimeoutMs: number;
}

const callRow = z.looseObject({
  callSid: z.string(),
  state: z.string(),
  endedAt: z.string().nullable(),
  extraction: z.looseObject({ status: z.string() }).nullish(),
});

/** The row of a call, as `GET /api/calls/{callSid}` gives it. */
export type CallRowJson = z.infer<typeof callRow>;

export type OperatorCommand =
  | { readonly command: "escalate"; readonly to: string; readonly reason: string }
  | { readonly command: "coach" | "remove" | "restore" | "hangup" };

export interface EngineApi {
  readonly engineUrl: string;
  /** For `Authorization`, here and on the live feed. */
  readonly headers: Readonly<Record<string, string>>;
  /** Throws {@link ConfigError} when the engine is not there, not in sandbox mode, or wants a token. */
  sandbox(): Promise<SandboxInfo>;
  /** Throws {@link CarrierError} when the engine refuses. */
  command(callSid: string, command: OperatorCommand): Promise<void>;
  /** The row once the call is over and what was said has been read; after 5 s the row as it is, or `null` when there is none. */
  finalRow(callSid: string): Promise<CallRowJson | null>;
}

export function createEngineApi(options: {
  readonly engineUrl: string;
  readonly token?: string;
  readonly clock: Clock;
}): EngineApi {
  const engineUrl = options.engineUrl.replace(/\/+$/, "");
  const headers: Record<string, string> = options.token ? { Authorization: `Bearer ${options.token}` } : {};
  const request = (path: string, init: RequestInit = {}) =>
    fetchWithin(options.clock, `${engineUrl}${path}`, {
      ...init,
      headers: { ...headers, "Content-Type": "application/json" },
    });
  return {
    engineUrl,
    headers,
    sandbox: () => lookUpSandbox(engineUrl, request),
    command: (callSid, command) => sendCommand(request, callSid, command),
    finalRow: (callSid) => fetchFinalRow(options.clock, request, callSid),
  };
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

type Request = (path: string, init?: RequestInit) => Promise<Answer>;

async function lookUpSandbox(engineUrl: string, request: Request): Promise<SandboxInfo> {
  let answer: Answer;
  try {
    answer = await request("/api/sandbox");
  } catch (error) {
    throw notReady(
      `no engine answers at ${engineUrl} (${errorText(error)})`,
      "start it with `bun run engine`, or name another address with --engine",
    );
  }
  if (answer.status === 401 || answer.status === 403) {
    throw notReady(
      `the engine at ${engineUrl} wants a token (${answer.status})`,
      "set TANDEM_CONSOLE_TOKEN to the token that the engine was started with",
    );
  }
  if (answer.status === 404) {
    throw notReady(
      `the engine at ${engineUrl} is not in sandbox mode`,
      "start it with `bun run engine` without Twilio credentials, or call its real number",
    );
  }
  const info = answer.status === 200 ? sandboxInfo.safeParse(json(answer.body)) : null;
  if (info?.success) return info.data;
  throw notReady(
    `${engineUrl}/api/sandbox answered ${answer.status} with something else than its sandbox`,
    "check that the address is Tandem's: --engine http://127.0.0.1:8080",
  );
}

async function sendCommand(request: Request, callSid: string, command: OperatorCommand): Promise<void> {
  const operation = `command.${command.command}`;
  let answer: Answer;
  try {
    answer = await request(`/api/calls/${encodeURIComponent(callSid)}/commands`, {
      method: "POST",
      body: JSON.stringify(command),
    });
  } catch (error) {
    throw refused(0, `the command ${command.command} got no answer: ${errorText(error)}`, operation);
  }
  if (answer.status >= 200 && answer.status < 300) return;
  const problem = `the engine refused the command ${command.command} with ${answer.status}`;
  throw refused(answer.status, `${problem}: ${answer.body.slice(0, 200)}`, operation);
}

async function fetchFinalRow(clock: Clock, request: Request, callSid: string): Promise<CallRowJson | null> {
  let row: CallRowJson | null = null;
  for (let attempt = 0; attempt < ROW_ATTEMPTS; attempt++) {
    if (attempt > 0) await pause(clock, ROW_RETRY_MS);
    const answer = await request(`/api/calls/${encodeURIComponent(callSid)}`).catch(() => null);
    const parsed = answer?.status === 200 ? callRow.safeParse(json(answer.body)) : null;
    if (parsed?.success) row = parsed.data;
    if (row?.state === "ended" && row.extraction?.status !== "pending") break;
  }
  return row;
}

/** One request that gets 5 s; redirects are not followed. Rejects when there is no answer. */
export async function fetchWithin(clock: Clock, url: string, init: RequestInit): Promise<Answer> {
  const abort = new AbortController();
  const timer = clock.setTimeout(() => abort.abort(), REQUEST_TIMEOUT_MS);
  try {
    const response = await fetch(url, { ...init, signal: abort.signal, redirect: "manual" });
    return { status: response.status, body: await response.text() };
  } finally {
    clock.clearTimeout(timer);
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function notReady(problem: string, fix: string): ConfigError {
  return new ConfigError([{ name: "engine", problem, fix }]);
}

function refused(status: number, message: string, operation: string): CarrierError {
  return new CarrierError(message, { status, code: 0, retryable: false, ambiguous: false, operation });
}
