/** The name of a call, and under which the snapshot, the journal and the log of what belongs to it are kept. */
import type { POST_CALL } from "../../machines/postcall.facts.ts";

export function isCallSid(text: string): boolean {
  return /^CA[0-9a-fA-F]{32}$/.test(text);
}

const SUFFIX: typeof POST_CALL = "postcall";

/**
 * What goes on after a call: what follows up an incident goes on under the call's own name, and the call's log is
 * closed when both may still be at work.
 */
export const postCallKey = (callSid: string): string => `${callSid}/${SUFFIX}`;

export const isPostCallKey = (key: string): boolean => key.endsWith(`/${SUFFIX}`);

/** The call of either key. */
export const callOfKey = (key: string): string => key.split("/", 1)[0] ?? key;
