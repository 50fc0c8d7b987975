/**
 * The speech model by itself: `bun adapters/sandbox/model/main.ts --port 4011`. Point any client of the OpenAI
 * Realtime API at the URL it prints. No line of the sandbox is attached, so speech has no known words.
 */
import { parseArgs } from "node:util";
import { ConfigError, errorText } from "../../../engine/errors.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { createLog } from "../../../engine/platform/log.ts";
import { createSpeech } from "../speech/speech.ts";
import type { Hearing } from "../types.ts";
import { startModel, type Model } from "./server.ts";

const USAGE = `usage: bun adapters/sandbox/model/main.ts [options]
  --port N             port on loopback (4011)
  --api-key KEY        the Bearer token clients must bring (any without it)
  --persona NAME       after-hours, long-talker, echo-text or silent (after-hours)
  --session-max-ms N   length of a session (3600000)
  --help               this text
`;

const deaf: Hearing = { note: () => undefined, lookup: () => [] };

function number(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const fix = `give a whole number from ${min} to ${max}`;
  throw new ConfigError([{ name: `--${name}`, problem: `'${text}' is not one`, fix }]);
}

/** `null`: help is wanted. */
async function run(): Promise<Model | null> {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h", default: false },
      port: { type: "string", default: "4011" },
      "api-key": { type: "string" },
      persona: { type: "string", default: "after-hours" },
      "session-max-ms": { type: "string", default: "3600000" },
    },
  });
  if (values.help) return null;
  const clock = systemClock;
  const log = createLog({ level: "info", clock });
  const apiKey = values["api-key"];
  const port = number("port", values.port, 0, 65_535);
  const sessionMaxMs = number("session-max-ms", values["session-max-ms"], 1, 86_400_000);
  const speech = createSpeech({ log });
  try {
    const model = await startModel({
      clock,
      ids: systemIds,
      log,
      speech,
      hearing: deaf,
      port,
      persona: values.persona,
      sessionMaxMs,
      ...(apiKey === undefined ? {} : { apiKey }),
    });
    const stop = async (): Promise<void> => {
      await model.stop();
      speech.close();
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void stop());
    return model;
  } catch (error) {
    speech.close();
    throw error;
  }
}

try {
  const model = await run();
  process.stdout.write(model === null ? USAGE : `${model.url}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof ConfigError ? error.message : errorText(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
