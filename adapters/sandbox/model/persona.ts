/** What a persona is told about the moment it must answer in, and what it answers. */
import type { Entry } from "./conversation.ts";

export interface PersonaTurn {
  /** A client's `response.create`, the end of the caller's turn, or the idle timeout. */
  readonly trigger: "client" | "turn" | "idle";
  /** The instructions of this response only; `null` when the session's apply. */
  readonly asked: string | null;
  /** The session's instructions. */
  readonly standing: string;
  /** Newest of what came after the model's last answer; `null`: nothing did. */
  readonly news: News | null;
  /** Names of the tools it may call. */
  readonly tools: ReadonlySet<string>;
  /** The conversation so far, oldest first; what was truncated away is empty text. */
  readonly history: readonly Spoken[];
  /** Kept for the session, for the persona alone. */
  readonly memory: Map<string, number>;
}

export interface News {
  /** `heard`: the caller; empty text is speech that was not understood. */
  readonly kind: "heard" | "tool-output" | "system";
  readonly text: string;
}

export interface Spoken {
  readonly role: "user" | "assistant" | "system";
  readonly text: string;
}

export interface ToolUse {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface Reply {
  /** Empty: it says nothing. */
  readonly say: string;
  readonly use?: ToolUse;
}

export interface Persona {
  readonly name: string;
  reply(turn: PersonaTurn): Reply;
}

/** Newest item since the model's last words or tool call that calls for a reaction. */
export function newsOf(entries: readonly Entry[]): News | null {
  for (let i = entries.length - 1; i >= 0; i--) {
    const { item, text } = entries[i] as Entry;
    if (item.type === "function_call_output") return { kind: "tool-output", text };
    if (item.type !== "message" || item.role === "assistant") return null;
    if (item.role === "user") return { kind: "heard", text };
    // A system message that wants nothing said is context only.
    if (wordsWanted(text) !== null) return { kind: "system", text };
  }
  return null;
}

export function historyOf(entries: readonly Entry[]): Spoken[] {
  const spoken: Spoken[] = [];
  for (const { item, text } of entries) {
    if (item.type === "message") spoken.push({ role: item.role, text });
  }
  return spoken;
}

const TOLD_TO_SAY = /\b(?:say|greet|tell|read|speak|begin|open)[^"“”]{0,80}["“]([^"“”]*\p{L}[^"“”]*)["”]/giu;

/** The words an instruction wants said: its last quotation that follows such a verb; or `null`. */
export function wordsWanted(instruction: string): string | null {
  return [...instruction.matchAll(TOLD_TO_SAY)].at(-1)?.[1]?.trim() ?? null;
}

/** The greeting in quotes of standing instructions such as `Greet the caller with: "…"`. */
export function greetingIn(standing: string): string | null {
  return /\bgreet\w*[^"“”.]{0,80}["“]([^"“”]+)["”]/iu.exec(standing)?.[1]?.trim() ?? null;
}

/** Fields of a tool's output that are words for the caller as they stand. */
const SAID_KEYS = ["say", "tell_caller", "tellCaller", "message", "text"];

/** What a tool's output tells the model to say; `null` when it holds no words that could be said. */
export function wordsOfToolOutput(output: string): string | null {
  let value: unknown = output;
  try {
    value = JSON.parse(output);
  } catch {
    // Plain text is a legal output too.
  }
  if (typeof value === "string") return wordsWanted(value) ?? (value.trim() || null);
  if (typeof value !== "object" || value === null) return null;
  const texts = Object.entries(value).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const said = texts.find(([key, text]) => SAID_KEYS.includes(key) && text.trim() !== "")?.[1];
  if (said !== undefined) return wordsWanted(said) ?? said.trim();
  return texts.map(([, text]) => wordsWanted(text)).find((words) => words !== null) ?? null;
}
