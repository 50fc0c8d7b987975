/** An operator's commands, in the order in which they are offered. */
export const COMMANDS = ["escalate", "coach", "remove", "restore", "hold", "resume", "hangup"] as const;
export type CommandName = (typeof COMMANDS)[number];
