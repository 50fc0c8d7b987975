/** What would run, for people: who is reached in which order, and who may see what. Holds no secret. */
import { describeConfig } from "../config/describe.ts";
import { maySeeWords } from "../console/who.ts";
import type { Config } from "../config/types.ts";

export function planOf(config: Config): readonly string[] {
  return [...describeConfig(config), ...ladderLines(config), ...accessLines(config)];
}

function ladderLines({ deployment }: Config): readonly string[] {
  return deployment.escalation.rungs.map(({ name, contacts }, at) => {
    const people = contacts.map((contact) => {
      const numbers = (["voice", "sms"] as const).flatMap((channel) => {
        const number = contact[channel];
        return number === undefined ? [] : [`${channel} ${masked(number)}`];
      });
      const channels = contact.push === undefined ? numbers : [...numbers, "push"];
      return `${contact.name} (${channels.join(", ")})`;
    });
    return `rung ${String(at + 1).padEnd(6)} ${name}: ${people.join(", ")}`;
  });
}

/** The last two digits tell which of the staff's numbers it is. */
function masked(number: string): string {
  return `…${number.slice(-2)}`;
}

function accessLines({ consoleToken, viewerToken, tokens, carrier, deployment }: Config): readonly string[] {
  const here = carrier.kind === "sandbox" ? "whoever is on this machine" : "nobody";
  const having = (first: string | null, words: boolean): string => {
    const named = tokens
      .filter((token) => maySeeWords(token) === words)
      .map(({ name, role }) => `${name} (${role})`);
    return [...(first === null ? [] : [first]), ...named].join(", ");
  };
  const admin = consoleToken === null ? here : "whoever has TANDEM_CONSOLE_TOKEN";
  const operators = having(admin, true);
  const viewer = viewerToken === null ? null : "whoever has TANDEM_VIEWER_TOKEN";
  const viewers = having(viewer, false) || "nobody else";
  const { voice, sms, push } = deployment.escalation.details;
  const { rowsDays, recordingsDays, auditDays } = deployment.privacy.retention;
  const days = (count: number | null): string => (count === null ? "for ever" : `${count} days`);
  return [
    `sees all    ${operators}: numbers, words, recordings, and commands calls`,
    `looks on    ${viewers}: the calls, without numbers and words`,
    `paged       are told by phone: ${voice}; by text: ${sms}; by push: ${push}`,
    `kept        rows ${days(rowsDays)}, recordings ${days(recordingsDays)}, logs ${days(auditDays)}`,
  ];
}
