/** Who asks, as far as their token tells. */

/**
 * Each may do what those before it may:
 *
 * - `viewer`: sees no number and no words, and may not command.
 * - `operator`: sees everything of calls, and commands them.
 * - `admin`: takes all rows away at once, and erases.
 */
export const ROLES = ["viewer", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/**
 * Whose tokens are no entries of a file: `console` and `viewer` are those of `TANDEM_CONSOLE_TOKEN` and
 * `TANDEM_VIEWER_TOKEN`; `local` is somebody on this machine in sandbox mode, where no token is needed.
 */
export const OWN_NAMES = ["console", "viewer", "local"] as const;

export interface Who {
  /** Of the token. */
  readonly name: string;
  readonly role: Role;
  /** `console`: a browser that is signed in; `api`: a program with the token itself. */
  readonly via: "console" | "api";
}

export function may({ role }: Pick<Who, "role">, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Numbers, words and recordings. */
export function maySeeWords(who: Pick<Who, "role">): boolean {
  return may(who, "operator");
}
