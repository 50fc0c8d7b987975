/** What the model is told by the engine. The role comes first: per-response instructions replace it. */
import type { Notice } from "../../machines/context.ts";
import type { Deployment } from "../config/deployment.ts";

export interface Wording {
  role(role: "agent" | "coach"): string;
  greeting(): string;
  notice(notice: Notice): string;
  /** For a session that goes on with a conversation which it did not have: what is so now. */
  resumed(personWanted: boolean): string;
  /** The same as data, for the answer to a tool call. */
  toolOutput(notice: Notice): Readonly<Record<string, string>>;
}

/** Each says what has happened, and quotes a line that a model may say as it is or in its own words. */
const NOTICES: Readonly<Record<Notice, string>> = {
  line_restored:
    'The line was interrupted for a moment and is back. Say in a few words: "I am back. Please go on."',
  calling_human:
    'A person is being called to join. Tell the caller: "I am calling somebody to join us now. I will stay with you." Then go on helping.',
  still_calling:
    'Nobody has answered yet, and the next person is being called. Tell the caller: "I am still trying to reach somebody. I am staying with you." Then go on helping. Promise no time.',
  still_waiting:
    'It has been quiet for a while, and people are still being called. Tell the caller in a few words: "I am still here, and still trying to reach somebody." Promise no time.',
  human_coming:
    'A person has answered and is about to join. Tell the caller in a few words: "I have reached somebody. They are joining us now." Then let them speak.',
  human_unreachable:
    'The person who was called did not join. Tell the caller: "I could not reach anybody just now. I am still here to help." Promise nothing.',
  nobody_reached:
    'Everybody on call was called, and nobody answered. Tell the caller: "I could not reach anybody so far. Your request stays open, and we go on trying." Then take a message: what has happened, since when, and a number to call back. If a life may be in danger, tell them to hang up and dial the emergency number. Promise no time.',
  human_will_call:
    'A person has taken the request, and cannot join this call. Tell the caller: "Somebody has your request now and will get back to you." Make sure that you have noted a number to call back. Promise no time.',
  taking_back:
    'You are about to take the caller back from the person whom you coach. Tell that person in a few words: "I am taking the caller back." Say nothing else until you are told that you are with the caller.',
  back_with_caller:
    'You talk to the caller again; nobody else is in the call. What you whispered as the coach was not heard by the caller. Say: "I am back with you. Is there anything else?"',
  escalation_already_open:
    'The request for a person is already open: do not ask again. Tell the caller: "I have asked already, and I am staying with you."',
  goodbye_noted: "The call ends when your last words have been heard. Say nothing more.",
  not_possible_now: "That is not possible at this moment. Go on with the conversation.",
};

/** After a restart: tools whose results were lost are settled by what is so. */
const INTERRUPTED =
  "The line was interrupted here. What you said last may not have been heard to its end. A tool call without a result was not carried out, unless it says otherwise here.";
const PERSON_WANTED = "A person has been asked for, and is being called: do not ask again.";
const NO_PERSON_WANTED = "No person is being called now.";

/** What every coach is told, whatever the deployment says of how to coach. */
const COACHING = [
  "The person who has joined hears you, and nobody else does. You hear that person and the caller.",
  "Whisper one or two short sentences when they are of use to that person; otherwise say nothing.",
  "When that person asks you to leave, or says that you may go, use the tool end_call: you leave, and the two of them go on.",
  "When that person hands the caller back to you, use the tool take_back: you then speak with the caller again.",
].join("\n");

export function createWording(agent: Deployment["agent"]): Wording {
  const role = (which: "agent" | "coach"): string => {
    if (which === "agent") return agent.instructions;
    return `COACH MODE. ${agent.coachInstructions}\n\n${COACHING}\n\nWhat you were told as the agent, for reference:\n${agent.instructions}`;
  };
  return {
    role,
    greeting: () =>
      `${agent.instructions}\n\nThe caller has just been connected. Say exactly: "${agent.greeting}"`,
    notice: (notice) => `${agent.instructions}\n\nNow: ${NOTICES[notice]}`,
    resumed: (personWanted) => `${INTERRUPTED} ${personWanted ? PERSON_WANTED : NO_PERSON_WANTED}`,
    toolOutput: (notice) => ({ status: notice, note: NOTICES[notice] }),
  };
}
