/** How a call stood after each entry of its log: the machines, the legs, and what was going on. Pure. */
import type { AuditEntry, TranscriptEntry } from "../../ports.ts";
import type { TakenEdge } from "../../audit/observer.ts";

export interface ActorNow {
  /** As the log names it: `call`, `ladder-1`, `ladder-1/human-2`. */
  readonly actor: string;
  readonly machine: "call" | "ladder" | "page" | "incident";
  readonly value: unknown;
  readonly status: string;
  /** What it took last, and the edges that it went by. */
  readonly event: string;
  readonly edges: readonly TakenEdge[];
}

export interface LegNow {
  readonly label: string;
  readonly status: string;
}

export interface Moment {
  /** The entry up to which this is told; 0: before the first. */
  readonly seq: number;
  readonly atMs: number;
  readonly actors: readonly ActorNow[];
  readonly legs: readonly LegNow[];
  /** Asked for and not answered. */
  readonly pending: readonly { readonly id: string; readonly name: string }[];
}

/** Of the machines that the call ran on; `null` in a log that does not say. */
export function machinesOf(entries: readonly AuditEntry[]): string | null {
  const begun = entries.find(({ kind, name }) => kind === "note" && name === "call.begun");
  const machines = begun?.data["machines"];
  return typeof machines === "string" ? machines : null;
}

function machineOf(actor: string): ActorNow["machine"] {
  if (actor === "call" || actor === "incident") return actor;
  const last = actor.slice(actor.lastIndexOf("/") + 1);
  return last.startsWith("ladder-") ? "ladder" : "page";
}

/** Events that tell of a leg, and what they say that it does. */
const LEG_EVENTS: Readonly<Record<string, (data: AuditEntry["data"]) => string>> = {
  "participant.joined": () => "in the room",
  "participant.left": () => "left",
  "leg.status": ({ status }) => String(status),
  "human.answered": ({ answer }) => String(answer),
  "human.returned": () => "coming back",
};

/** What comes late of the call of a leg that is in the room already. */
const BEFORE_THE_ROOM = /^(queued|initiated|ringing|in-progress)$/;

function legNow(before: string | undefined, says: string): string {
  // A leg that has left never comes back under its label; what is heard of its call later changes nothing.
  if (before === "left" || (before === "in the room" && BEFORE_THE_ROOM.test(says))) return before;
  return says;
}

export function momentAt(entries: readonly AuditEntry[], seq: number): Moment {
  const actors = new Map<string, ActorNow>();
  const legs = new Map<string, string>();
  const pending = new Map<string, { id: string; name: string }>();
  let atMs = Date.parse(entries[0]?.at ?? "") || 0;
  let last = 0;
  for (const entry of entries) {
    if (entry.seq > seq) break;
    last = entry.seq;
    atMs = Date.parse(entry.at);
    const { kind, name, data } = entry;
    if (kind === "step") actors.set(name, stepped(entry));
    else if (kind === "event") {
      const says = LEG_EVENTS[name];
      const { label } = data;
      if (says && typeof label === "string") legs.set(label, legNow(legs.get(label), says(data)));
    } else if (kind === "effect") pending.set(String(data["id"]), { id: String(data["id"]), name });
    else if (kind === "result") pending.delete(String(data["id"]));
  }
  return {
    seq: last,
    atMs,
    actors: [...actors.values()].sort((a, b) => order(a) - order(b)),
    legs: [...legs].map(([label, status]) => ({ label, status })),
    pending: [...pending.values()].filter(({ name }) => ANSWERED.test(name)),
  };
}

/** Those that act at once are never answered. */
const ANSWERED = /^(carrier\.|page\.(call|tell|hangUp|sms|push)$|ladder\.|model\.role$)/;

function stepped({ name, data }: AuditEntry): ActorNow {
  const { event, edges, value, status } = data as unknown as Omit<ActorNow, "actor" | "machine">;
  return { actor: name, machine: machineOf(name), value, status, event, edges };
}

/** Parents before their children, and those that run before those that are over. */
function order(actor: ActorNow): number {
  return depthOf(actor) + (actor.status === "active" ? 0 : 10);
}

/** How far below the machine that the log begins with. */
export function depthOf({ actor, machine }: Pick<ActorNow, "actor" | "machine">): number {
  return machine === "call" || machine === "incident" ? 0 : actor.split("/").length;
}

export interface TurnRow {
  readonly seq: number;
  readonly atMs: number;
  readonly turnMs: number;
  readonly decideMs: number | null;
  readonly speakMs: number;
  readonly sendMs: number;
  readonly roundTripMs: number;
}

export function turnsOf(entries: readonly AuditEntry[]): readonly TurnRow[] {
  return entries
    .filter(({ kind, name }) => kind === "media" && name === "turn")
    .map(({ seq, at, data }) => ({ ...(data as unknown as TurnRow), seq, atMs: Date.parse(at) }));
}

/** The place of an entry, or else of the first one after it; -1: behind all. */
export function indexOf(entries: readonly AuditEntry[], seq: number): number {
  return entries.findIndex((entry) => entry.seq >= seq);
}

/** The last entry that was written by then, or else the first; 0 of an empty log. `timesMs`: of each, in order. */
export function entryAt(entries: readonly AuditEntry[], timesMs: readonly number[], atMs: number): number {
  let [from, to] = [0, entries.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((timesMs[middle] as number) <= atMs) from = middle + 1;
    else to = middle;
  }
  return entries[Math.max(0, from - 1)]?.seq ?? 0;
}

/** New entries behind those that are there, each once. `null`: some are missing in between. */
export function withEntries(
  known: readonly AuditEntry[],
  fresh: readonly AuditEntry[],
): readonly AuditEntry[] | null {
  const last = known.at(-1)?.seq ?? 0;
  const later = fresh.filter(({ seq }) => seq > last);
  if (later.length === 0) return known;
  return later[0]?.seq === last + 1 ? [...known, ...later] : null;
}

/** A log, and what was said. */
export interface Told {
  readonly entries: readonly AuditEntry[];
  readonly said: readonly TranscriptEntry[];
}

/** What was asked for, and what was told of while it was on its way. */
export function caughtUp(loaded: Told, known: Told | null): Told {
  if (!known) return loaded;
  return {
    entries: withEntries(loaded.entries, known.entries) ?? loaded.entries,
    said: [...loaded.said, ...known.said.slice(loaded.said.length)],
  };
}

/** The entry that a step to the next or the one before goes to: the next that comes to the call from outside. */
export function nextEvent(entries: readonly AuditEntry[], seq: number, by: 1 | -1): number {
  /** Of each event the last entry of what it led to at once. */
  const stops: number[] = [];
  let open = false;
  for (const { seq: at, kind } of entries) {
    if (kind === "event") {
      stops.push(at);
      open = true;
    } else if (open && (kind === "step" || kind === "effect" || kind === "state")) {
      stops[stops.length - 1] = at;
    } else open = false;
  }
  const found = by > 0 ? stops.find((stop) => stop > seq) : stops.findLast((stop) => stop < seq);
  return found ?? (by > 0 ? (entries.at(-1)?.seq ?? 0) : (entries[0]?.seq ?? 0));
}
