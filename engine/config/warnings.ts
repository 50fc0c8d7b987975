/** What is allowed and is seldom meant: looked at by `bun run preflight`, which says so and goes on. */
import type { ConfigIssue } from "../errors.ts";
import { hostKind } from "./addresses.ts";
import type { Deployment } from "./deployment.ts";
import type { MixerRegion } from "../ports.ts";
import type { Config, ProcessingRegion, TwilioCarrierConfig } from "./types.ts";

/** Where calls are best processed that are mixed there; the others have no region near them. */
const NEAREST: Partial<Record<MixerRegion, ProcessingRegion>> = {
  us1: "us1",
  us2: "us1",
  ie1: "ie1",
  de1: "ie1",
  au1: "au1",
};
const LONG_WAIT_S = 5;

type Rungs = Deployment["escalation"]["rungs"];

/** By the name of the variable or the path of the key, without any value. */
export function warningsOf(config: Config): readonly ConfigIssue[] {
  const { carrier, deployment } = config;
  const { rungs } = deployment.escalation;
  return [
    ...(carrier.kind === "twilio" ? realWarnings(config, carrier) : []),
    ...keyWarnings(config),
    ...ladderWarnings(rungs, carrier.kind === "twilio" ? carrier.number : null),
    ...budgetWarnings(rungs, carrier.callsPerSecond),
  ];
}

function realWarnings(config: Config, carrier: TwilioCarrierConfig): readonly ConfigIssue[] {
  const { publicUrl, consoleToken, logLevel, deployment } = config;
  const found: ConfigIssue[] = [];
  const warn = (name: string, problem: string, fix: string) => found.push({ name, problem, fix });
  const url = publicUrl === null ? null : new URL(publicUrl);
  if (url?.protocol === "http:") {
    const fix = "use https: Twilio itself opens media streams to wss only";
    warn("PUBLIC_URL", "is plain http: signatures, audio and links in texts travel in the clear", fix);
  }
  if (url && carrier.apiBaseUrl === null && hostKind(url.hostname) !== "public") {
    warn(
      "PUBLIC_URL",
      "is an address that Twilio does not reach",
      "use the origin that the internet reaches",
    );
  }
  if (carrier.apiBaseUrl !== null) {
    const fix = "leave it out for Twilio itself";
    warn("TWILIO_API_BASE_URL", "is set: requests go to that host and not to Twilio", fix);
  }
  if (consoleToken === null) {
    const fix = "set it: openssl rand -base64 24";
    warn("TANDEM_CONSOLE_TOKEN", "is not set: nobody can open the console or read a row", fix);
  }
  if (logLevel === "debug") {
    warn("LOG_LEVEL", "is debug: lines are many, and may hold more than is meant to be kept", "use info");
  }
  const region = carrier.region ?? "us1";
  const nearest = NEAREST[deployment.region] ?? region;
  if (nearest !== region) {
    const problem = `is ${deployment.region}, but calls are processed in ${region}: audio crosses between them`;
    warn("region", problem, `use ${region}, or TWILIO_REGION=${nearest} with that region's credentials`);
  }
  return found;
}

function keyWarnings(config: Config): readonly ConfigIssue[] {
  const { encryptionKey, previousEncryptionKey, databaseUrl } = config;
  if (previousEncryptionKey !== null) {
    const problem = "is set: what it has sealed can be read by whoever has it";
    const fix = "run `bun run rewrap`, then remove it and destroy the key";
    return [{ name: "TANDEM_ENCRYPTION_KEY_PREVIOUS", problem, fix }];
  }
  if (encryptionKey !== null) return [];
  const lost = databaseUrl.startsWith("sqlite:")
    ? "numbers and words are kept redacted"
    : "numbers and words are kept redacted, and no call survives a restart";
  const fix = "set it: openssl rand -base64 32";
  return [{ name: "TANDEM_ENCRYPTION_KEY", problem: `is not set: ${lost}`, fix }];
}

function ladderWarnings(rungs: Rungs, own: string | null): readonly ConfigIssue[] {
  const found: ConfigIssue[] = [];
  const path = "escalation.rungs";
  if (rungs.length === 1) {
    const fix = "add a second rung with somebody else";
    found.push({ name: path, problem: "has one rung: if they do not answer, nobody else is asked", fix });
  }
  rungs.forEach(({ contacts }, at) => {
    const name = `${path}[${at}]`;
    if (!contacts.some(({ voice }) => voice !== undefined)) {
      const fix = "give one contact or more `voice`";
      found.push({ name, problem: "rings nobody: a text or a push may not be noticed at night", fix });
    }
    const before = at === 0 ? [] : numbersOf(rungs[at - 1]);
    if (numbersOf(rungs[at]).some((number) => before.includes(number))) {
      const fix = "give the rung somebody else";
      found.push({ name, problem: "asks somebody who did not answer on the rung before", fix });
    }
    if (own !== null && numbersOf(rungs[at]).includes(own)) {
      const fix = "give the number of a person";
      found.push({ name, problem: "pages TWILIO_NUMBER itself: a call to it is a new caller", fix });
    }
  });
  return found;
}

function numbersOf(rung: Rungs[number] | undefined): readonly string[] {
  return (rung?.contacts ?? [])
    .flatMap(({ voice, sms }) => [voice, sms])
    .filter((each) => each !== undefined);
}

/** All of a rung are rung at once, as far as the budget lets them. */
function budgetWarnings(rungs: Rungs, callsPerSecond: number): readonly ConfigIssue[] {
  const most = Math.max(...rungs.map(({ contacts }) => contacts.filter(({ voice }) => voice).length));
  const waitS = (most - 1) / callsPerSecond;
  if (waitS < LONG_WAIT_S) return [];
  const problem = `lets the last of ${most} phones of a rung ring ${Math.round(waitS)} s after the first`;
  const fix = "ask Twilio for more calls per second, and set it to that";
  return [{ name: "TWILIO_CALLS_PER_SECOND", problem, fix }];
}
