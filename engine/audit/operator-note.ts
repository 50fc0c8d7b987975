import type { Role, Who } from "../console/who.ts";

/** The note that comes before an operator's command: the command itself is an event, and says not whose it is. */
export const OPERATOR_COMMAND = "operator.command";

export interface CommandNote {
  readonly command: string;
  /** The name of the token. */
  readonly by: string;
  readonly role: Role;
  readonly via: Who["via"];
}
