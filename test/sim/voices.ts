/**
 * Who speaks can be told by the bytes: every utterance is one loud code word, with both signs in turn, and each
 * kind of speaker has code words of its own, louder than any tone of the network.
 */
import type { Persona, PersonaTurn, Reply } from "../../adapters/sandbox/model/persona.ts";
import { wordsWanted } from "../../adapters/sandbox/model/persona.ts";
import type { Hearing, Speech } from "../../adapters/sandbox/types.ts";

/** Bits of a taint mask: whose words they are that the model says. */
export const Taint = { coach: 1, agent: 2 } as const;

/** First code word of each kind; four belong to it. */
const CODES = { agent: 0x08, caller: 0x10, human: 0x18, coach: 0x1c } as const;
/** What the network itself says: prompts and apologies. */
const NETWORK_CODE = 0x28;
const MS_PER_CHAR = 40;
const MAX_MS = 2_400;

/** What a caller can say. */
export const CALLER_LINES = ["hello", "person", "bye", "more"] as const;
export type CallerLine = (typeof CALLER_LINES)[number];

/** What a person on call can say in the room. */
export const HUMAN_LINES = ["chat", "take back"] as const;
export type HumanLine = (typeof HUMAN_LINES)[number];

export function taintOf(ulawByte: number): number {
  return MASKS[ulawByte & 0x7f] as number;
}

const MASKS = Uint8Array.from({ length: 128 }, (_, code) => {
  const of = (kind: "coach" | "agent"): boolean => code >= CODES[kind] && code < CODES[kind] + 4;
  return of("coach") ? Taint.coach : of("agent") ? Taint.agent : 0;
});

export function callerSpeech(line: CallerLine, ms: number): Uint8Array {
  return tone(CODES.caller + CALLER_LINES.indexOf(line), ms);
}

export function humanSpeech(line: HumanLine, ms: number): Uint8Array {
  return tone(CODES.human + HUMAN_LINES.indexOf(line), ms);
}

const said = new Map<string, Uint8Array>();

/** The model's speech by the role that its text names, and the network's own. */
export const simSpeech: Speech = {
  say: (text) => {
    let ulaw = said.get(text);
    if (!ulaw) {
      ulaw = tone(codeOf(text), Math.min(MAX_MS, text.length * MS_PER_CHAR));
      if (said.size < 1000) said.set(text, ulaw);
    }
    return Promise.resolve(ulaw);
  },
  close: () => undefined,
};

/** Understands people, by code word. */
export const simHearing: Hearing = {
  note: () => undefined,
  lookup: (frame) => {
    const code = (frame[0] as number) & 0x7f;
    return (code === ((frame[frame.length - 1] as number) & 0x7f) && UNDERSTOOD.get(code)) || [];
  },
};
const UNDERSTOOD = new Map<number, readonly string[]>([
  ...CALLER_LINES.map((line, i) => [CODES.caller + i, [line]] as const),
  ...HUMAN_LINES.map((line, i) => [CODES.human + i, [line]] as const),
]);

function codeOf(text: string): number {
  const which = Bun.hash.crc32(text) & 1;
  if (text.startsWith("coach:")) return CODES.coach + which;
  if (text.startsWith("agent:")) return CODES.agent + which;
  return NETWORK_CODE;
}

function tone(code: number, ms: number): Uint8Array {
  return Uint8Array.from({ length: ms * 8 }, (_, i) => (i & 1 ? code | 0x80 : code));
}

/** Says in short what it is told to say, and in which role it says it. */
export const simPersona: Persona = {
  name: "sim",
  reply: (turn: PersonaTurn): Reply => {
    const role = (turn.asked ?? turn.standing).startsWith("COACH MODE") ? "coach" : "agent";
    if (turn.asked !== null) return { say: `${role}: ${shortened(wordsWanted(turn.asked) ?? "yes")}` };
    const { news } = turn;
    if (news?.kind === "tool-output") return { say: `${role}: I am calling somebody` };
    const heard = news?.kind === "heard" ? news.text : "";
    if (role === "agent" && heard === "person" && turn.tools.has("escalate")) {
      return { say: "", use: { name: "escalate", arguments: { reason: "The caller asked for a person." } } };
    }
    if (role === "agent" && heard === "bye" && turn.tools.has("end_call")) {
      return { say: "agent: goodbye", use: { name: "end_call", arguments: {} } };
    }
    if (role === "coach" && heard === "take back" && turn.tools.has("take_back")) {
      return { say: "", use: { name: "take_back", arguments: {} } };
    }
    return { say: role === "coach" ? "coach: ask since when it hurts" : "agent: I see, please go on" };
  },
};

function shortened(words: string): string {
  return words.slice(0, 24);
}
