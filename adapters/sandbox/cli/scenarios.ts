/** The scenarios of `bun run call --scenario NAME`. */
import type { Actor, Scenario, Step } from "./script.ts";

/** The call is up and the agent has greeted. */
const GREETED: readonly Step[] = [{ do: "await-state", state: "streaming" }, { do: "await-turn" }];

/** A caller who asks for a person. */
const WANTS_NURSE: readonly Step[] = [{ do: "say", text: "Can I speak to the nurse on call, please?" }];

/** The agent has the person on call rung, or else the operator does. */
const CALLER_ASKS: readonly Step[] = [
  ...WANTS_NURSE,
  { do: "await-ring", who: "on-call", timeoutMs: 5000, optional: true },
  {
    do: "command",
    operator: { command: "escalate", reason: "the caller asks for the nurse on call" },
    unlessRung: true,
  },
];

/** Nothing in the words calls for a person: the operator decides. */
const OPERATOR_DECIDES: readonly Step[] = [
  { do: "say", text: "I am not sure if this can wait until tomorrow." },
  { do: "await-turn" },
  { do: "command", operator: { command: "escalate", reason: "the operator wants a nurse on this call" } },
];

/** Somebody picks up, hears the briefing, and presses a key. */
function answered(who: Actor, key: string): readonly Step[] {
  return [
    { do: "await-ring", who },
    { do: "answer", who },
    { do: "await-speech", who, speechMs: 500 },
    { do: "press", who, digits: key },
  ];
}

/** Somebody answers, joins and speaks with the caller, with the AI as their coach. */
function joined(who: Actor): readonly Step[] {
  return [
    ...answered(who, "1"),
    { do: "await-state", state: "coaching", timeoutMs: 30_000 },
    { do: "say", who, text: "Hello, this is the nurse on call. What is the matter?" },
    { do: "await-turn" },
    { do: "say", text: "My daughter has a fever of one hundred and three and a rash." },
    // Long enough for the AI to whisper into it.
    { do: "await-turn", who, quietMs: 1500 },
  ];
}

/** From the escalation to the human in the room. */
const HANDED_OVER: readonly Step[] = [
  { do: "await-state", state: ["escalating", "coaching"] },
  ...joined("on-call"),
];

const SCENARIOS: readonly Scenario[] = [
  {
    name: "after-hours",
    summary: "the caller asks a question, thanks, and the agent ends the call",
    steps: [
      ...GREETED,
      { do: "say", text: "Hello, when do you open tomorrow?" },
      { do: "await-turn" },
      { do: "say", text: "Thank you, that is all. Goodbye." },
      { do: "await-end", timeoutMs: 30_000 },
    ],
  },
  {
    name: "barge-in",
    summary: "the caller interrupts a long answer, which stops at once",
    steps: [
      ...GREETED,
      { do: "say", text: "Please explain in detail how the after hours service works." },
      { do: "interrupt", afterMs: 1200, text: "Sorry, stop there. When do you open?" },
      { do: "await-turn" },
      { do: "hang-up" },
    ],
  },
  {
    name: "coach",
    summary: "the person on call is rung, joins with the agent as coach, and leaves again",
    steps: [
      { do: "register", who: ["on-call"] },
      ...GREETED,
      ...CALLER_ASKS,
      ...HANDED_OVER,
      { do: "check-whisper", who: "on-call" },
      { do: "say", who: "on-call", text: "Give her fluids and call again in two hours. Goodbye." },
      { do: "await-turn" },
      { do: "hang-up", who: "on-call" },
      { do: "await-state", state: "streaming", timeoutMs: 30_000 },
      { do: "say", text: "Thank you, goodbye." },
      { do: "hang-up" },
    ],
  },
  {
    name: "escalation",
    summary: "nobody answers on the first rung; the second takes the call, is coached and hands it back",
    steps: [
      { do: "register", who: ["primary", "secondary"] },
      ...GREETED,
      ...WANTS_NURSE,
      { do: "await-ring", who: "primary" },
      { do: "ignore", who: "primary" },
      ...joined("secondary"),
      { do: "check-whisper", who: "secondary" },
      { do: "say", who: "secondary", text: "Give her fluids, and call again in two hours. Goodbye." },
      { do: "hang-up", who: "secondary" },
      { do: "await-state", state: "streaming", timeoutMs: 30_000 },
      { do: "await-turn" },
      { do: "say", text: "No, thank you. Goodbye." },
      { do: "hang-up" },
    ],
  },
  {
    name: "decline",
    summary: "the first rung declines with 2, and the second is rung at once",
    steps: [
      { do: "register", who: ["primary", "secondary"] },
      ...GREETED,
      ...WANTS_NURSE,
      ...answered("primary", "2"),
      ...joined("secondary"),
      { do: "hang-up" },
    ],
  },
  {
    name: "sms-ack",
    summary: "somebody who cannot pick up answers the text with 1, is rung, and joins",
    steps: [
      { do: "register", who: ["primary"] },
      ...GREETED,
      ...WANTS_NURSE,
      { do: "await-ring", who: "primary" },
      { do: "await-sms", who: "primary" },
      { do: "decline", who: "primary" },
      { do: "send-sms", who: "primary", body: "1" },
      ...joined("primary"),
      { do: "hang-up" },
    ],
  },
  {
    name: "ack-link",
    summary: "the same with the link in the text",
    steps: [
      { do: "register", who: ["primary"] },
      ...GREETED,
      ...WANTS_NURSE,
      { do: "await-ring", who: "primary" },
      { do: "await-sms", who: "primary", text: "/ack/" },
      { do: "decline", who: "primary" },
      { do: "open-ack-link", who: "primary" },
      ...joined("primary"),
      { do: "hang-up" },
    ],
  },
  {
    name: "consult",
    summary: "somebody speaks with the AI first, with the caller on hold, and then with the caller",
    steps: [
      { do: "register", who: ["primary"] },
      ...GREETED,
      ...WANTS_NURSE,
      ...answered("primary", "3"),
      { do: "await-state", state: "coaching", timeoutMs: 30_000 },
      { do: "say", who: "primary", text: "Is it about the child with the fever?" },
      { do: "await-turn", who: "primary" },
      { do: "press", who: "primary", digits: "*" },
      { do: "await-state", state: "streaming", timeoutMs: 30_000 },
      // A key counts from the first word of the menu on.
      { do: "await-speech", who: "primary", speechMs: 500 },
      { do: "press", who: "primary", digits: "1" },
      { do: "await-state", state: "coaching", timeoutMs: 30_000 },
      { do: "say", who: "primary", text: "Hello, this is the nurse on call." },
      { do: "await-turn" },
      { do: "hang-up" },
    ],
  },
  {
    name: "remove",
    summary: "the operator rings the person on call, takes the agent out of the call and brings it back",
    steps: [
      { do: "register", who: ["on-call"] },
      ...GREETED,
      ...OPERATOR_DECIDES,
      ...HANDED_OVER,
      { do: "command", operator: { command: "remove" } },
      { do: "await-state", state: "removed", timeoutMs: 30_000 },
      { do: "say", who: "on-call", text: "We are alone on the line now. Has she been drinking?" },
      { do: "await-turn" },
      { do: "say", text: "Yes, a little water." },
      { do: "command", operator: { command: "restore" } },
      { do: "await-state", state: ["streaming", "coaching"], timeoutMs: 30_000 },
      { do: "hang-up", who: "on-call" },
      { do: "await-state", state: "streaming", timeoutMs: 30_000 },
      { do: "hang-up" },
    ],
  },
  {
    name: "hang-up-early",
    summary: "the caller hangs up right after the call is answered",
    steps: [{ do: "pause", ms: 300 }, { do: "hang-up" }],
  },
];

export const DEFAULT_SCENARIO = "after-hours";

export function listScenarios(): readonly Scenario[] {
  return SCENARIOS;
}

export function findScenario(name: string): Scenario | null {
  return SCENARIOS.find((scenario) => scenario.name === name) ?? null;
}

/** What is said in turn, each after the other side has been quiet for a moment; then the caller hangs up. */
export function conversationSteps(utterances: readonly Step[]): readonly Step[] {
  const steps: Step[] = [{ do: "await-state", state: "streaming", optional: true }];
  for (const utterance of utterances) steps.push({ do: "await-turn", optional: true }, utterance);
  steps.push({ do: "await-turn", optional: true }, { do: "hang-up" });
  return steps;
}
