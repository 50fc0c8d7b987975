/** The note that comes before an operator's command: the command itself is an event, and says not whose it is. */
export const OPERATOR_COMMAND = "operator.command";

export interface CommandNote {
  readonly command: string;
  /** The role that the token gives; `local`: on this machine in sandbox mode, without a token. */
  readonly by: "operator" | "local";
  /** `console`: a browser that is signed in; `api`: a program with the token itself. */
  readonly via: "console" | "api";
}
