/** No label of an AI leg begins like this, so that a token for a fork never opens a stream that speaks. */
const PREFIX = "fork/";

/** What the token of a leg's fork is bound to. */
export function forkKeyOf(label: string): string {
  return `${PREFIX}${label}`;
}

/** Label of the leg that is forked; `null`: the key is that of an AI leg. */
export function forkedLabel(legKey: string): string | null {
  return legKey.startsWith(PREFIX) ? legKey.slice(PREFIX.length) : null;
}
