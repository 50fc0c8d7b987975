/** What the model is told by the engine. The role comes first: per-response instructions replace it. */
import type { Notice } from "../../machines/context.ts";
import type { Deployment } from "../config/deployment.ts";

export interface Wording {
  role(role: "agent" | "coach"): string;
  greeting(): string;
  notice(notice: Notice): string;
  /** The same as data, for the answer to a tool call. */
  toolOutput(notice: Notice): Readonly<Record<string, string>>;
}

const NOTICES: Readonly<Record<Notice, string>> = {
  line_restored:
    "The line was interrupted for a moment and is back. Say so in a few words and go on where you were.",
  calling_human:
    "A person is being called to join. Tell the caller so in one short sentence, and stay with them.",
  human_unreachable:
    "The person who was called did not join. Tell the caller so in one short sentence, and go on helping.",
  human_left: "The person has left the call. You talk to the caller again.",
  back_with_caller:
    "You talk to the caller again; nobody else is in the call. Say that you are back in one short sentence, and go on helping.",
  escalation_open:
    "The request for a person is open with the staff. Nobody has joined yet: say that you have asked for a person, promise no time, and go on helping.",
  escalation_already_open:
    "The request for a person is already open. Do not ask again; stay with the caller.",
  goodbye_noted: "The call ends when your last words have been heard. Say nothing more.",
  not_possible_now: "That is not possible at this moment. Go on with the conversation.",
};

export function createWording(agent: Deployment["agent"]): Wording {
  const role = (which: "agent" | "coach"): string => {
    if (which === "agent") return agent.instructions;
    return `COACH MODE. ${agent.coachInstructions}\n\nWhat you were told as the agent, for reference:\n${agent.instructions}`;
  };
  return {
    role,
    greeting: () =>
      `${agent.instructions}\n\nThe caller has just been connected. Say exactly: "${agent.greeting}"`,
    notice: (notice) => `${agent.instructions}\n\nNow: ${NOTICES[notice]}`,
    toolOutput: (notice) => ({ status: notice, note: NOTICES[notice] }),
  };
}
