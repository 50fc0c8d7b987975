/** Under which the snapshot, the journal and the log of what belongs to a call are kept. */
import type { POST_CALL } from "../../machines/postcall.facts.ts";

const SUFFIX: typeof POST_CALL = "postcall";

/**
 * What goes on after a call: what follows up an incident goes on under the call's own name, and the call's log is
 * closed when both may still be at work.
 */
export const postCallKey = (callSid: string): string => `${callSid}/${SUFFIX}`;

export const isPostCallKey = (key: string): boolean => key.endsWith(`/${SUFFIX}`);

/** The call of either key. */
export const callOfKey = (key: string): string => key.split("/", 1)[0] ?? key;
