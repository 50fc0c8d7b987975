import { ROLES } from "../console/who.ts";
import { EXAMPLE_RUNGS } from "./example.ts";
import { recordingsFolder } from "./recordings-folder.ts";
import type { Config } from "./types.ts";

/** A database address without its password and user name. */
export function publicDatabaseUrl(databaseUrl: string): string {
  if (databaseUrl.startsWith("sqlite://")) return databaseUrl;
  const url = new URL(databaseUrl);
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function carrierLine({ carrier }: Config): string {
  if (carrier.kind === "sandbox") return "sandbox (no Twilio credentials): calls never leave this machine";
  const host = carrier.apiBaseUrl ? new URL(carrier.apiBaseUrl).host : "api.twilio.com";
  const region = carrier.region ? `, region ${carrier.region}/${carrier.edge}` : "";
  return `twilio ${carrier.accountSid.slice(0, 6)}… at ${host}${region}, ${carrier.callsPerSecond} calls/s`;
}

function modelLine({ model, deployment }: Config): string {
  const { audioFormat } = deployment.agent;
  const audio = audioFormat === "pcmu" ? "" : `, audio ${audioFormat}`;
  if (model.provider === "sandbox") return `sandbox (no OPENAI_API_KEY): a local speech model${audio}`;
  return `openai ${model.model} at ${new URL(model.baseUrl).host}${audio}`;
}

function privacyLine(config: Config): string {
  return config.encryptionKey === null
    ? "callers' numbers and words are kept redacted (no TANDEM_ENCRYPTION_KEY)"
    : "callers' numbers and words are kept encrypted";
}

function recordingLine({ deployment, databaseUrl, encryptionKey }: Config): string {
  if (deployment.recording === "none") return "none";
  const kept =
    encryptionKey === null
      ? "not kept (no TANDEM_ENCRYPTION_KEY)"
      : `kept encrypted in ${recordingsFolder(databaseUrl)}`;
  const legs = deployment.speakers === "forked" ? " and what each leg says" : "";
  return `${deployment.recording}, by the carrier; the coach's whispers${legs} are ${kept}`;
}

function speakersLine({ deployment }: Config): string {
  return deployment.speakers === "forked"
    ? "told apart: the carrier forks the audio of each phone, and bills it"
    : "not told apart: what people on call say stands as the caller's";
}

function consoleLine({ consoleToken, viewerToken, tokens }: Config): string {
  if (consoleToken === null) return "no token: loopback and sandbox only";
  const viewers = viewerToken === null ? "" : "; viewers have one of their own";
  if (tokens.length === 0) return `token required${viewers}`;
  const counts = ROLES.flatMap((role) => {
    const count = tokens.filter((token) => token.role === role).length;
    return count === 0 ? [] : [`${count} ${role}${count === 1 ? "" : "s"}`];
  });
  return `token required${viewers}; with names: ${counts.join(", ")}`;
}

/** True when real calls would page the numbers of the example, which reach nobody. */
export function pagesOnlyExample(config: Config): boolean {
  const example = JSON.stringify(EXAMPLE_RUNGS);
  return config.carrier.kind === "twilio" && JSON.stringify(config.deployment.escalation.rungs) === example;
}

function afterCallsLine({ deployment }: Config): string {
  const { extract, model, webhook } = deployment.postCall;
  const read = extract ? `read by ${model}` : "not read";
  const told = webhook ? `rows go to ${new URL(webhook.url).host}` : "rows go to nobody";
  return `what was said is ${read}; ${told}`;
}

function escalationLine({ deployment }: Config): string {
  const { rungs, ackTimeoutMs, repeat, againAfterMs, afterHandover } = deployment.escalation;
  const walks =
    repeat === 0
      ? "walked until somebody owns it"
      : `walked ${repeat === 1 ? "once" : `${repeat} times`}, and again after ${againAfterMs / 1000} s until somebody owns it`;
  const count = rungs.length === 1 ? "1 rung" : `${rungs.length} rungs`;
  return `${count} of ${ackTimeoutMs / 1000} s, ${walks}; then the AI ${afterHandover === "coach" ? "coaches" : "leaves"}`;
}

/** Paths of those who can be paged and cannot be rung: whoever gets texts has a number for it. */
function contactsWithoutPhone({ deployment }: Config): readonly string[] {
  return deployment.escalation.rungs.flatMap(({ contacts }, rung) =>
    contacts.flatMap((contact, index) =>
      contact.voice === undefined && contact.sms === undefined
        ? [`escalation.rungs[${rung}].contacts[${index}]`]
        : [],
    ),
  );
}

/** What the engine is about to do, line by line, for the start banner. Holds no secret and no phone number. */
export function describeConfig(config: Config): readonly string[] {
  const { deployment } = config;
  const lines = [
    `carrier     ${carrierLine(config)}`,
    `model       ${modelLine(config)}`,
    `public URL  ${config.publicUrl ?? "none"}`,
    `deployment  ${config.deploymentFile ?? "built-in after-hours example"}: agent ${deployment.agent.name}`,
    `escalation  ${escalationLine(config)}`,
    `database    ${publicDatabaseUrl(config.databaseUrl)}; ${privacyLine(config)}`,
    `recording   ${recordingLine(config)}`,
    `speakers    ${speakersLine(config)}`,
    `afterwards  ${afterCallsLine(config)}`,
    `console     ${consoleLine(config)}`,
    ...(config.tracing ? [`traces      to ${new URL(config.tracing.endpoint).host}`] : []),
  ];
  const silent = contactsWithoutPhone(config);
  if (silent.length > 0) {
    const first = `${silent[0]}${silent.length === 1 ? "" : ` and ${silent.length - 1} more`}`;
    lines.push(`WARNING     no phone number, so they can take a call but not join it: ${first}`);
  }
  if (pagesOnlyExample(config)) {
    lines.push("WARNING     the rungs are the example's: their numbers reach nobody; set TANDEM_CONFIG");
  }
  return lines;
}
