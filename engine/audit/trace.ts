/** A log as a story for people: what came to the call, which way its machines went and why, and what was done. */
import type { IncidentFacts } from "../call/live-index.ts";
import type { ChainedEntry } from "../platform/hash-chain.ts";
import { edgeText } from "./divergence.ts";
import type { ActorStep } from "./observer.ts";

/** Tell apart what one call has one of, or what the label says as well. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "id",
  "callSid",
  "conferenceSid",
  "streamSid",
  "streamCallSid",
  "toolCallId",
  "input",
  "machines",
]);
const INDENT = " ".repeat(12);

/** Line by line. An event and a note have their time, in seconds since the log began; what came of it is indented. */
export function traceOf(entries: readonly ChainedEntry[]): string[] {
  const beganMs = Date.parse(entries[0]?.at ?? "");
  const values = new Map<string, string>();
  let state = "";
  return entries.flatMap((entry) => {
    const { kind, name, data, at } = entry;
    const offset = ((Date.parse(at) - beganMs) / 1000).toFixed(3).padStart(10);
    switch (kind) {
      case "event":
        return [`${offset}  ${name}${fields(data)}`];
      case "media":
      case "note":
        return [`${offset}  ${kind} ${name}${fields(data)}`];
      case "effect":
        return [`${INDENT}asks for ${name}${fields(data)}`];
      case "step":
        return stepLines(name, data as unknown as ActorStep, values);
      case "state":
        if (name === "incident") return [`${INDENT}${incidentText(data)}`];
        if (name === state) return [];
        state = name;
        return [`${INDENT}the call is ${name}`];
      // It comes to the call as an event, if the call still waits for it.
      case "result":
        return [];
    }
  });
}

function stepLines(
  actor: string,
  { event, edges, value, status }: ActorStep,
  values: Map<string, string>,
): string[] {
  const now = valueText(value);
  const before = values.get(actor);
  values.set(actor, now);
  // An edge that is open to everything and leads nowhere only takes down what the event says.
  const told = edges.filter(({ guard, targets }) => guard !== null || targets.length > 0);
  const end = status === "active" ? "" : `, ${status}`;
  if (told.length === 0 && before === now && end === "") return [];
  const lines = told.map((edge) => `${INDENT}${actor}: ${edgeText(edge)}`);
  if (before !== now || end !== "") lines.push(`${INDENT}${actor} is in ${now}${end} (${event})`);
  return lines;
}

/** `escalating(ladder.paging, link.live)`. */
function valueText(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const parts = Object.entries(value).map(([state, inner]) => {
    const within = valueText(inner);
    if (within === "()") return state;
    return within.startsWith("(") ? `${state}${within}` : `${state}.${within}`;
  });
  return parts.length === 1 ? (parts[0] ?? "") : `(${parts.join(", ")})`;
}

function incidentText(data: ChainedEntry["data"]): string {
  const { number, phase, walk, rung, pages, owner, outcome } = data as unknown as IncidentFacts;
  const changed = pages.map(
    ({ label, contact, result }) => `${label} to ${contact}: ${result ?? "under way"}`,
  );
  const words = [
    `${phase}, walk ${walk}, rung ${rung + 1}`,
    ...(owner === null ? [] : [`owned by ${owner.contact}`]),
    ...(outcome === null ? [] : [`outcome ${outcome}`]),
    ...changed,
  ];
  return `incident ${number} is ${words.join("; ")}`;
}

function fields(data: Readonly<Record<string, unknown>>): string {
  return Object.entries(data)
    .filter(([field, value]) => !LEFT_OUT.has(field) && value !== null)
    .map(([field, value]) => ` ${field}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("");
}
