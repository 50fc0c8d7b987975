/** An operator's commands, in the order in which they are offered. */
export const COMMANDS = [
  "escalate",
  "coach",
  "remove",
  "restore",
  "hold",
  "resume",
  "mute",
  "unmute",
  "hangup",
] as const;
export type CommandName = (typeof COMMANDS)[number];

/** Those that are about one participant, named by its label. */
export const OF_PARTICIPANT: ReadonlySet<CommandName> = new Set<CommandName>(["mute", "unmute"]);
