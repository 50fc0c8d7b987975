/** Where logs are read from: an NDJSON file, or a running engine. Piece by piece, whatever their size. */
import { z } from "zod";
import { ConfigError, errorText } from "../errors.ts";
import { pause } from "../platform/clock.ts";
import type { Clock } from "../ports.ts";
import type { Expected } from "./check.ts";

/** Longer than any entry: what has longer lines is no log. */
const MAX_LINE_CHARS = 1024 * 1024;
const MAX_ROW_CHARS = 16 * MAX_LINE_CHARS;
/** Until an answer begins, and from one piece of it to the next. */
const ANSWER_TIMEOUT_MS = 30_000;
/** An engine that is asked too often says to come back in a second. */
const ASK_AGAIN_MS = 1000;
const MAX_ASKED = 10;

export interface EngineAddress {
  /** Without a slash at the end. */
  readonly engineUrl: string;
  readonly token: string | undefined;
}

const Row = z.looseObject({
  state: z.string(),
  // Missing in what an older engine answers.
  auditEntries: z.number().default(0),
  auditHash: z.string().nullable().default(null),
});

/** Throws {@link ConfigError}. */
export async function* linesOfFile(path: string): AsyncGenerator<string, void, void> {
  try {
    yield* linesOf(Bun.file(path).stream());
  } catch (error) {
    throw problem(path, errorText(error), "name a call's sid, or a file that `bun run audit export` wrote");
  }
}

/** Throws {@link ConfigError}. */
export async function* linesOfCall(
  callSid: string,
  engine: EngineAddress,
  clock: Clock,
): AsyncGenerator<string, void, void> {
  yield* linesOf(ask(`/api/calls/${callSid}/events`, engine, clock));
}

/** What the row says now, which is to be asked before the log is. Throws {@link ConfigError}. */
export async function rowOfCall(
  callSid: string,
  engine: EngineAddress,
  clock: Clock,
): Promise<NonNullable<Expected["row"]>> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of ask(`/api/calls/${callSid}`, engine, clock)) {
    if (text.length < MAX_ROW_CHARS) text += decoder.decode(piece, { stream: true });
  }
  const row = Row.safeParse(jsonOf(text));
  if (!row.success) {
    throw problem(engine.engineUrl, "its answer is no row", "check that this is Tandem's address");
  }
  const { state, auditEntries, auditHash } = row.data;
  return { ended: state === "ended", auditEntries, auditHash };
}

async function* linesOf(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of pieces) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > MAX_LINE_CHARS) throw new Error(`a line is longer than ${MAX_LINE_CHARS} characters`);
    yield* lines;
  }
  if (rest !== "") yield rest;
}

async function* ask(
  path: string,
  { engineUrl, token }: EngineAddress,
  clock: Clock,
): AsyncGenerator<Uint8Array, void, void> {
  const abort = new AbortController();
  let timer: unknown;
  const expectMore = (): void => {
    timer = clock.setTimeout(() => abort.abort(), ANSWER_TIMEOUT_MS);
  };
  try {
    expectMore();
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const init = { headers, signal: abort.signal, redirect: "manual" } as const;
    let answer = await fetch(`${engineUrl}${path}`, init);
    for (let asked = 1; answer.status === 429 && asked < MAX_ASKED; asked++) {
      await pause(clock, ASK_AGAIN_MS);
      answer = await fetch(`${engineUrl}${path}`, init);
    }
    if (answer.status !== 200) throw refused(engineUrl, answer.status);
    for await (const piece of answer.body ?? []) {
      // Whoever takes the pieces may do so slowly.
      clock.clearTimeout(timer);
      yield piece;
      expectMore();
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const fix = "start it with `bun run engine`, or name another address with --engine";
    throw problem(engineUrl, `no engine answers, or not to the end (${errorText(error)})`, fix);
  } finally {
    clock.clearTimeout(timer);
  }
}

function refused(engineUrl: string, status: number): ConfigError {
  if (status === 401 || status === 403) {
    return problem(engineUrl, `it wants a token (${status})`, "set TANDEM_CONSOLE_TOKEN, or give --token");
  }
  if (status === 429) return problem(engineUrl, "it is asked too often (429)", "try again in a minute");
  return status === 404
    ? problem(engineUrl, "it knows no such call", "check the sid, or name the engine that had the call")
    : problem(engineUrl, `it answered ${status}`, "see its log");
}

function problem(name: string, what: string, fix: string): ConfigError {
  return new ConfigError([{ name, problem: what, fix }]);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
