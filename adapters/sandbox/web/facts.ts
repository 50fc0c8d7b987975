/** What the browser phones are told of the deployment: `GET /phones/facts`. */

/** Somebody of the ladder whom a handset can be. */
export interface OnCallPerson {
  /** Name of the rung: `primary`, `fallback 1`. */
  readonly rung: string;
  readonly name: string;
  readonly number: string;
  /** Name of their push hook at this carrier (`/sandbox/push/{name}`); `null`: they get no pushes here. */
  readonly pushName: string | null;
}

export interface PhonesFacts {
  /** The number that callers dial; `null`: the account has none yet. */
  readonly number: string | null;
  /** The ladder, in its order. */
  readonly people: readonly OnCallPerson[];
  /** The model knows words from their sound; the sandbox's own knows only those that the sandbox has synthesised. */
  readonly understandsSpeech: boolean;
  readonly consoleUrl: string | null;
}
