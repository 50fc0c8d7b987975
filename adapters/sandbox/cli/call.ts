/** `bun run call`: places a call into the running sandbox from the terminal. See {@link CALL_USAGE}. */
import { ConfigError, errorText } from "../../../engine/errors.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { createLog } from "../../../engine/platform/log.ts";
import { readWavAsUlaw, writeStereoWav } from "../phone/wav.ts";
import { createSpeech } from "../speech/speech.ts";
import { CALL_USAGE, type CallArgs, parseCallArgs, type Utterance } from "./args.ts";
import { placeCall } from "./place-call.ts";
import { eventLine, resultJson, resultLines } from "./report.ts";
import { conversationSteps, findScenario, listScenarios } from "./scenarios.ts";
import type { Step } from "./script.ts";

export interface CallIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hangs up when aborted. */
  readonly signal: AbortSignal;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/** Runs the command and returns its exit code: 0 in order, 1 otherwise. Never rejects. */
export async function runCall(argv: readonly string[], io: CallIo): Promise<number> {
  try {
    const args = parseCallArgs(argv, io.env);
    if (args.mode === "help") io.out(CALL_USAGE.trimEnd());
    if (args.mode === "list")
      for (const { name, summary } of listScenarios()) io.out(`${name.padEnd(15)} ${summary}`);
    return args.mode === "call" ? await call(args, io) : 0;
  } catch (error) {
    for (const line of explain(error)) io.err(line);
    return 1;
  }
}

async function call(args: CallArgs, io: CallIo): Promise<number> {
  const steps = await stepsOf(args);
  const log = createLog({ level: "warn", clock: systemClock, write: (line) => io.err(line.trimEnd()) });
  const speech = createSpeech({ log });
  try {
    const result = await placeCall({
      engineUrl: args.engineUrl,
      ...(args.token === undefined ? {} : { token: args.token }),
      from: args.from,
      steps,
      speech,
      clock: systemClock,
      log,
      record: args.recordPath !== null,
      timeoutMs: args.timeoutMs,
      signal: io.signal,
      onEvent: (event) => {
        const line = args.json ? JSON.stringify(event) : eventLine(event);
        if (line !== null) io.out(line);
      },
    });
    const problems = result.problem === null ? [] : [result.problem];
    let recordedTo: string | null = null;
    if (args.recordPath !== null && result.recording) {
      const problem = await record(args.recordPath, result.recording.heard, result.recording.said);
      if (problem === null) recordedTo = args.recordPath;
      else problems.push(problem);
    }
    if (args.json) io.out(resultJson(result, recordedTo));
    else for (const line of resultLines(result, recordedTo)) io.out(line);
    for (const problem of problems) io.err(`call: ${problem}`);
    return problems.length === 0 ? 0 : 1;
  } finally {
    speech.close();
  }
}

async function stepsOf(args: CallArgs): Promise<readonly Step[]> {
  if (args.utterances.length === 0) return findScenario(args.scenario)?.steps ?? [];
  return conversationSteps(await Promise.all(args.utterances.map(stepOf)));
}

async function stepOf(utterance: Utterance): Promise<Step> {
  if (utterance.kind === "say") return { do: "say", text: utterance.text };
  const ulaw = await readWavAsUlaw(utterance.path);
  return { do: "play", ulaw, ...(utterance.text === undefined ? {} : { text: utterance.text }) };
}

function explain(error: unknown): readonly string[] {
  if (!(error instanceof ConfigError)) return [`call: ${errorText(error)}`];
  return error.issues.flatMap(({ name, problem, fix }) => [`call: ${name}: ${problem}`, `  fix: ${fix}`]);
}

/** What went wrong, or `null`: the call itself is over and its result is still to be told. */
async function record(path: string, heard: Uint8Array, said: Uint8Array): Promise<string | null> {
  try {
    await writeStereoWav(path, heard, said);
    return null;
  } catch (error) {
    return explain(error).join("; ");
  }
}

if (import.meta.main) {
  const abort = new AbortController();
  const interrupt = (): void => {
    // A second Ctrl-C does not wait for the carrier.
    if (abort.signal.aborted) process.exit(1);
    abort.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  process.exitCode = await runCall(process.argv.slice(2), {
    env: process.env,
    signal: abort.signal,
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
  });
  process.off("SIGINT", interrupt);
  process.off("SIGTERM", interrupt);
}
