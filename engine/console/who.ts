/** Who asks, as far as their token tells. */
export interface Who {
  /**
   * - `operator`: may see everything, and command.
   * - `viewer`: sees no number and no words, and may not command.
   * - `local`: somebody on this machine in sandbox mode, where no token is needed; as an operator.
   */
  readonly role: "operator" | "viewer" | "local";
  /** `console`: a browser that is signed in; `api`: a program with the token itself. */
  readonly via: "console" | "api";
}

export function mayCommand(who: Who): who is Who & { readonly role: "operator" | "local" } {
  return who.role !== "viewer";
}
