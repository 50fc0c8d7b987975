/**
 * Tool calls between the model's request and the engine's result: which outputs a response still waits for, and
 * whether they are to be spoken.
 */
import { RecentMap } from "../../engine/platform/recent-map.ts";
import type { Entry } from "./conversation.ts";

/** Calls that may be unanswered at once; a result for an older one is refused. */
export const MAX_OPEN_CALLS = 64;
const MAX_OUTPUT_CHARS = 32_000;

interface Group {
  /** Calls of this response without a result. */
  readonly open: Set<string>;
  responseDone: boolean;
  respond: boolean;
  /** The caller's next turn got a response of its own. */
  superseded: boolean;
}

export interface OpenCall {
  readonly name: string;
  readonly argumentsJson: string;
  /** How the call is told to a session that did not make it. */
  readonly entry: Entry;
  readonly group: Group;
  /** The socket on which it was made is the current one. */
  live: boolean;
}

export interface AnsweredCall {
  readonly call: OpenCall;
  /** To be spoken now: every output of its response is in and the response is over, or its socket is gone. */
  readonly speak: boolean;
}

export class ToolCalls {
  readonly #calls = new RecentMap<string, OpenCall>(MAX_OPEN_CALLS);
  readonly #groups = new RecentMap<string, Group>(MAX_OPEN_CALLS);

  /** False when this call is known already. */
  started(
    responseId: string,
    callId: string,
    call: Pick<OpenCall, "name" | "argumentsJson">,
    entry: () => Entry,
  ): boolean {
    if (this.#calls.has(callId)) return false;
    let group = this.#groups.get(responseId);
    if (!group) {
      group = { open: new Set(), responseDone: false, respond: false, superseded: false };
      this.#groups.set(responseId, group);
    }
    group.open.add(callId);
    this.#calls.set(callId, { ...call, entry: entry(), group, live: true });
    return true;
  }

  hasCalls(responseId: string): boolean {
    return this.#groups.has(responseId);
  }

  /** True when all results of the response are in already and are to be spoken. */
  responseDone(responseId: string): boolean {
    const group = this.#groups.get(responseId);
    if (!group) return false;
    group.responseDone = true;
    return this.#takeSpeech(group);
  }

  /** The server answered the caller's turn by itself with this response. */
  turnAnswered(responseId: string): void {
    const own = this.#groups.get(responseId);
    for (const group of this.#groups.values()) if (group !== own) group.superseded = true;
  }

  /** Takes a result in; null when no such call is open. */
  answered(callId: string, respond: boolean): AnsweredCall | null {
    const call = this.#calls.get(callId);
    if (!call) return null;
    this.#calls.delete(callId);
    const { group } = call;
    group.open.delete(callId);
    group.respond ||= respond;
    return { call, speak: call.live ? this.#takeSpeech(group) : group.respond };
  }

  /** The socket was replaced: results of open calls now come as text. */
  socketLost(): void {
    for (const call of this.#calls.values()) call.live = false;
    this.#groups.clear();
  }

  #takeSpeech(group: Group): boolean {
    if (!group.responseDone || group.open.size > 0 || !group.respond || group.superseded) return false;
    group.respond = false;
    return true;
  }
}

/** A call as the history of a session that did not make it tells it. */
export function callText(call: Pick<OpenCall, "name" | "argumentsJson">, output: string | null): string {
  const result = output === null ? ": no result yet." : ` returned: ${output}`;
  return `Tool call ${call.name}(${call.argumentsJson})${result}`;
}

/** What a tool returned, as the text that the model gets. Never throws. */
export function outputText(output: unknown): string {
  let text: string | undefined;
  try {
    text = typeof output === "string" ? output : JSON.stringify(output);
  } catch {
    text = JSON.stringify({ error: "the tool's result could not be written as JSON" });
  }
  return (text ?? "null").slice(0, MAX_OUTPUT_CHARS);
}
