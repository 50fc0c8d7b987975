/** Names of actors and states, as the log has them. */

/** `call`, `ladder-1`, `ladder-1/human-2`; after a call `ladder` and so on, of the incident's machine. */
export function machineOf(actor: string): string {
  const last = actor.split("/").at(-1) ?? "";
  return /^(human|sms|push)-/.test(last) ? "page" : last.replace(/-\d+$/, "");
}

/** Ids of the states that a value stands for, with those around them. */
export function statesIn(machine: string, value: unknown): readonly string[] {
  if (typeof value === "string") return [`${machine}.${value}`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    `${machine}.${name}`,
    ...statesIn(`${machine}.${name}`, inner),
  ]);
}
