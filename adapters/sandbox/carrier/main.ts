/** The carrier by itself: `bun adapters/sandbox/carrier/main.ts --help`. */
import { parseArgs } from "node:util";
import { ConfigError, errorText, type ConfigIssue } from "../../../engine/errors.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import { systemIds } from "../../../engine/platform/ids.ts";
import { createLog } from "../../../engine/platform/log.ts";
import { createHearing } from "../hearing.ts";
import { createSpeech } from "../speech/speech.ts";
import { startCarrier } from "./carrier.ts";
import { E164 } from "./types.ts";

const HELP = `A local stand-in for Twilio's voice and SMS API.

  bun adapters/sandbox/carrier/main.ts [options]

  --port N             default 4010
  --account-sid AC…    default: made up, and printed
  --auth-token TEXT    default: made up, and printed
  --app-sid AP…        the TwiML App; default: made up, and printed
  --number +E164       the account's phone number; default +15550123
  --voice-url URL      voice webhook of the number
  --sms-url URL        SMS webhook of the number
  --app-url URL        voice webhook of the TwiML App
  --calls-per-second N default 1
  --help               this text

POST {url}/sandbox/routing sets the webhooks later; GET {url}/sandbox/state shows what is going on.
POST {url}/sandbox/sms sends an SMS as a phone; {url}/sandbox/push/NAME is a push hook, and lists what came.
{url}/phones are telephones for the browser.`;

const OPTIONS = {
  help: { type: "boolean", short: "h", default: false },
  port: { type: "string", default: "4010" },
  "account-sid": { type: "string" },
  "auth-token": { type: "string" },
  "app-sid": { type: "string" },
  number: { type: "string", default: "+15550123" },
  "voice-url": { type: "string" },
  "sms-url": { type: "string" },
  "app-url": { type: "string" },
  "calls-per-second": { type: "string", default: "1" },
} as const;

function read() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    throw new ConfigError([{ name: "options", problem: errorText(error), fix: "see --help" }]);
  }
}

type Values = ReturnType<typeof read>;

function issues(values: Values): readonly ConfigIssue[] {
  const found: ConfigIssue[] = [];
  const want = (name: string, ok: boolean, fix: string): void => {
    if (!ok) found.push({ name: `--${name}`, problem: "is not usable", fix });
  };
  const sid = (name: "account-sid" | "app-sid", prefix: string): void => {
    const value = values[name];
    const ok = value === undefined || new RegExp(`^${prefix}[0-9a-fA-F]{32}$`).test(value);
    want(name, ok, `give ${prefix} and 32 hexadecimal digits`);
  };
  want("port", /^\d{1,5}$/.test(values.port) && Number(values.port) < 65_536, "give a port from 0 to 65535");
  want("number", E164.test(values.number), "give an E.164 number, such as +15550123");
  want("calls-per-second", Number(values["calls-per-second"]) > 0, "give a number above 0");
  sid("account-sid", "AC");
  sid("app-sid", "AP");
  for (const name of ["voice-url", "sms-url", "app-url"] as const) {
    const value = values[name];
    want(name, value === undefined || /^https?:\/\//.test(value), "give an http(s) URL");
  }
  want(
    "sms-url",
    values["sms-url"] === undefined || values["voice-url"] !== undefined,
    "give --voice-url as well",
  );
  return found;
}

async function main(): Promise<void> {
  const values = read();
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return;
  }
  const wrong = issues(values);
  if (wrong.length > 0) throw new ConfigError(wrong);
  const accountSid = values["account-sid"] ?? systemIds.sid("AC");
  const authToken = values["auth-token"] ?? systemIds.token();
  const twimlAppSid = values["app-sid"] ?? systemIds.sid("AP");
  const log = createLog({ level: "info", clock: systemClock });
  const speech = createSpeech({ log });
  const voiceUrl = values["voice-url"];
  const smsUrl = values["sms-url"];
  const appVoiceUrl = values["app-url"];
  const carrier = await startCarrier({
    clock: systemClock,
    ids: systemIds,
    log,
    speech,
    hearing: createHearing(),
    port: Number(values.port),
    accountSid,
    authToken,
    twimlAppSid,
    callsPerSecond: Number(values["calls-per-second"]),
    numbers:
      voiceUrl === undefined
        ? []
        : [{ number: values.number, voiceUrl, ...(smsUrl === undefined ? {} : { smsUrl }) }],
    ...(appVoiceUrl === undefined ? {} : { appVoiceUrl }),
  });
  process.stdout.write(
    `${carrier.url}\naccount sid  ${accountSid}\nauth token   ${authToken}\nTwiML App    ${twimlAppSid}\n`,
  );
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void carrier.stop().then(() => speech.close());
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : errorText(error)}\n`);
  process.exitCode = 1;
});
