/**
 * Who the sandbox model can be. Rules and lines are data; the only intelligence is the order of the rules. A
 * persona is picked by the server, or per session by a line `sandbox-persona: NAME` in the instructions.
 */
import {
  greetingIn,
  wordsOfToolOutput,
  wordsWanted,
  type Persona,
  type PersonaTurn,
  type Reply,
  type ToolUse,
} from "./persona.ts";

const LINES = {
  greeting: "Hello, you have reached the after-hours line. How can I help you?",
  help: "How can I help you?",
  idle: "Are you still there?",
  goodbye: "Thank you for calling. Goodbye.",
  reaching: "I am reaching the on-call team now. Please stay on the line.",
  alreadyReaching: "I am still reaching the on-call team. Please stay on the line.",
  question: "I can take a message, or I can reach the on-call team for you. Which would you like?",
  message: "Of course. Please tell me your name and what it is about.",
};

/** Said in turn after speech that was not understood. */
const WITHOUT_WORDS = [
  "Thank you. Could you tell me a little more about that?",
  "I see. May I have your name and a number to call you back on?",
  "Thank you, I have noted that. Is there anything else?",
];

interface Urgency {
  readonly pattern: RegExp;
  readonly urgency: "normal" | "high" | "emergency";
}

/** First match wins. */
const NEEDS_HUMAN: readonly Urgency[] = [
  {
    pattern: /\b(emergency|ambulance|can(?:not|'t| not) breathe|unconscious|bleeding|chest pain)\b/i,
    urgency: "emergency",
  },
  { pattern: /\b(urgent|urgently|help[ -](?:me )?now|right now|immediately)\b/i, urgency: "high" },
  {
    pattern: /\b(nurse|doctor|human|person|operator|representative|someone real|on-call)\b/i,
    urgency: "normal",
  },
];
const NOT_URGENT = /\b(?:not|no|isn't|is not)(?: an?| really| very)? (?:emergency|urgent)\b/gi;
const GOODBYE = /\b(good ?bye|bye|that is all|that's all|that will be all|nothing else)\b/i;
/** Thanks end a call only when little else is said. */
const THANKS = /\b(thank you|thanks)\b/i;
const MAX_THANKS_WORDS = 7;
/** Turns of the caller after an escalation in which it is not asked for again. */
const ESCALATION_TURNS = 3;
const QUESTION = /\?|^\s*(?:what|how|when|where|who|can|could|do|does|is|are)\b/i;
const MESSAGE = /\b(message|call me back|callback|appointment|prescription|refill)\b/i;

/** Said to a coach by the person it whispers to. */
const TAKE_BACK = /\b(?:take|have) (?:\w+ ){1,2}back\b|\bhand(?:ing)? (?:\w+ ){1,2}back\b/i;
const LEAVE = /\byou (?:can|may) (?:go|leave)\b|\bplease leave\b|\bleave us\b/i;

const ADVICE: readonly { readonly pattern: RegExp; readonly line: string }[] = [
  { pattern: /\b(pain|hurts?|ache|sore)\b/i, line: "Ask where it hurts, and since when." },
  { pattern: /\b(medicine|medication|pill|dose|tablet)\b/i, line: "Ask for the exact medicine and dose." },
  { pattern: /\b(breathe|breath|chest|bleed\w*)\b/i, line: "Consider an ambulance now." },
  { pattern: /\b(child|baby|son|daughter)\b/i, line: "Ask the age and the weight." },
  { pattern: /\b(fever|temperature|rash)\b/i, line: "Ask since when, and what has been taken for it." },
  { pattern: /\b(angry|upset|worried|afraid|scared)\b/i, line: "Slow down, and name the feeling first." },
];

function useTool(turn: PersonaTurn, name: string, args: ToolUse["arguments"]): { use?: ToolUse } {
  return turn.tools.has(name) ? { use: { name, arguments: args } } : {};
}

/** What every persona does first: follow the instructions of this one response. */
function directed(turn: PersonaTurn): Reply | null {
  if (turn.asked !== null) {
    const words = wordsWanted(turn.asked);
    if (words) return { say: words };
    if (/\bJSON\b/.test(turn.asked)) return { say: summaryJson(turn) };
  }
  if (turn.news?.kind === "tool-output") {
    return { say: wordsOfToolOutput(turn.news.text) ?? LINES.reaching };
  }
  const words = turn.news?.kind === "system" ? wordsWanted(turn.news.text) : null;
  return words ? { say: words } : null;
}

function summaryJson(turn: PersonaTurn): string {
  const said = turn.history.filter((s) => s.role === "user" && s.text !== "").map((s) => s.text);
  return JSON.stringify({ summary: said.join(" ") || "The caller said nothing that was understood." });
}

function next(turn: PersonaTurn, counter: string): number {
  const count = (turn.memory.get(counter) ?? 0) + 1;
  turn.memory.set(counter, count);
  return count;
}

/** One sentence, once, when something was said that it knows advice for; else it holds its tongue. */
function coach(turn: PersonaTurn): Reply {
  const said = turn.news?.kind === "heard" ? turn.news.text : "";
  if (TAKE_BACK.test(said)) return { say: "", ...useTool(turn, "take_back", { reason: said }) };
  if (LEAVE.test(said)) return { say: "", ...useTool(turn, "end_call", { reason: said }) };
  const advice = ADVICE.find(({ pattern, line }) => pattern.test(said) && !turn.memory.has(line));
  if (!advice) return { say: "" };
  next(turn, advice.line);
  return { say: advice.line };
}

function escalation(turn: PersonaTurn, said: string): Reply | null {
  const meant = said.replaceAll(NOT_URGENT, "");
  const need = NEEDS_HUMAN.find((n) => n.pattern.test(meant));
  if (!need) return null;
  const now = turn.memory.get("turns") ?? 0;
  const last = turn.memory.get("escalated at");
  if (last !== undefined && now - last < ESCALATION_TURNS) return { say: LINES.alreadyReaching };
  turn.memory.set("escalated at", now);
  const tool = useTool(turn, "escalate", { reason: said, urgency: need.urgency });
  // With the tool, its output says what to tell the caller.
  return { say: tool.use ? "" : LINES.reaching, ...tool };
}

function saysGoodbye(said: string): boolean {
  return GOODBYE.test(said) || (THANKS.test(said) && said.split(/\s+/).length <= MAX_THANKS_WORDS);
}

function answer(turn: PersonaTurn, said: string): Reply {
  next(turn, "turns");
  if (said === "") {
    return { say: WITHOUT_WORDS[(next(turn, "not understood") - 1) % WITHOUT_WORDS.length] as string };
  }
  const urgent = escalation(turn, said);
  if (urgent) return urgent;
  if (saysGoodbye(said)) {
    return { say: LINES.goodbye, ...useTool(turn, "end_call", { reason: "The caller said goodbye." }) };
  }
  if (MESSAGE.test(said)) return { say: LINES.message };
  if (QUESTION.test(said)) return { say: LINES.question };
  return { say: `I understand: ${said} Shall I take a message, or reach the on-call team?` };
}

export const afterHours: Persona = {
  name: "after-hours",
  reply(turn) {
    const direct = directed(turn);
    if (direct) return direct;
    if (/\bCOACH\b/.test(turn.standing)) return coach(turn);
    if (turn.trigger === "idle") return { say: LINES.idle };
    if (turn.news?.kind === "heard") return answer(turn, turn.news.text);
    if (next(turn, "greetings") > 1) return { say: LINES.help };
    return { say: greetingIn(turn.standing) ?? LINES.greeting };
  },
};

const LONG_SPEECH = [
  "Let me explain this slowly and in full, because there is a lot to say about it.",
  "First, our regular hours are from eight in the morning until six in the evening, on every working day.",
  "Second, outside of these hours there is always somebody on call, and I can reach that person for you.",
  "Third, if you would rather leave a message, I will write it down and somebody will call you back tomorrow.",
  "And finally, please remember that you can interrupt me at any time, simply by speaking.",
].join(" ");

export const longTalker: Persona = {
  name: "long-talker",
  reply: (turn) => directed(turn) ?? { say: LONG_SPEECH },
};

export const echoText: Persona = {
  name: "echo-text",
  reply(turn) {
    const direct = directed(turn);
    if (direct) return direct;
    if (turn.news?.kind === "heard") return { say: turn.news.text || "I heard something without words." };
    return { say: "Say something, and I will repeat it." };
  },
};

export const silent: Persona = { name: "silent", reply: () => ({ say: "" }) };

export const PERSONAS: ReadonlyMap<string, Persona> = new Map(
  [afterHours, longTalker, echoText, silent].map((persona) => [persona.name, persona]),
);

/** The persona a line `sandbox-persona: NAME` asks for; `null` without such a line or for an unknown name. */
export function personaIn(instructions: string): Persona | null {
  const name = /^[ \t]*sandbox-persona:[ \t]*([\w-]+)[ \t]*$/m.exec(instructions)?.[1];
  return name === undefined ? null : (PERSONAS.get(name) ?? null);
}
