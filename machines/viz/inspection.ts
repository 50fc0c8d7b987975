/**
 * A recorded call as the events of the inspection protocol (`@statelyai/inspect` 0.7): what an inspector would
 * have been told of each actor, event and snapshot while the call ran. Only of a log's steps, which have names of
 * states and types of events and nothing of what was said, or of whom; calls and people have no names in it.
 */
import type { State } from "./graph.ts";
import { importableOf } from "./source.ts";

/** One line of the file. Fields that the protocol has and a log does not give are `null`. */
export type InspectionLine = Readonly<Record<string, unknown>>;

const PROTOCOL = "0.7.2";

interface Step {
  readonly actor: string;
  readonly atMs: number;
  readonly event: string;
  readonly value: unknown;
  readonly status: string;
}

const ROOT = "x:0";

/** @throws Error naming the line of the log that is none, or the actor whose machine is not there. */
export function inspectionOf(log: string, machines: Readonly<Record<string, State>>): InspectionLine[] {
  const steps = stepsOf(log);
  const firsts = new Map<string, Step>();
  for (const step of steps) if (!firsts.has(step.actor)) firsts.set(step.actor, step);
  const sessions = new Map<string, string>();
  /** A child may take its first step before its parent does. */
  const register = (actor: string, atMs: number): InspectionLine[] => {
    const first = firsts.get(actor);
    if (!first || sessions.has(actor)) return [];
    const parent = actor.slice(0, Math.max(0, actor.lastIndexOf("/")));
    const above = register(parent, atMs);
    const parentId = sessions.size === 0 ? null : (sessions.get(parent) ?? ROOT);
    const sessionId = `x:${sessions.size}`;
    sessions.set(actor, sessionId);
    const definition = JSON.stringify(importableOf(machineOf(first, machines)));
    const own = { type: "@xstate.actor", name: actor, sessionId, parentId, definition };
    return [...above, { ...own, snapshot: snapshotOf(first), ...common(atMs) }];
  };
  return steps.flatMap((step): InspectionLine[] => {
    const { actor, atMs, event } = step;
    const registered = register(actor, atMs);
    const told = { event: { type: event }, sessionId: sessions.get(actor), ...common(atMs) };
    return [
      ...registered,
      { type: "@xstate.event", ...told, sourceId: null },
      { type: "@xstate.snapshot", ...told, snapshot: snapshotOf(step) },
    ];
  });
}

const common = (atMs: number) => ({ rootId: ROOT, createdAt: String(atMs), id: null, _version: PROTOCOL });

/** What a machine remembers is not in a log's steps. */
const snapshotOf = ({ status, value }: Step) => ({ status, value, context: {} });

function stepsOf(log: string): Step[] {
  return log.split("\n").flatMap((line, index): Step[] => {
    if (line.trim() === "") return [];
    const entry = objectOf(line);
    if (entry === null || typeof entry["kind"] !== "string")
      throw new Error(`line ${index + 1} is no entry of a log`);
    if (entry["kind"] !== "step") return [];
    const { event, value, status } = (entry["data"] ?? {}) as Readonly<Record<string, unknown>>;
    const atMs = Date.parse(String(entry["at"]));
    if (
      typeof event !== "string" ||
      typeof status !== "string" ||
      value === undefined ||
      Number.isNaN(atMs)
    ) {
      throw new Error(`line ${index + 1} is no step of an actor`);
    }
    return [{ actor: String(entry["name"]), atMs, event, value, status }];
  });
}

function objectOf(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** The root by its name, others by the states that they are in. */
function machineOf({ actor, value }: Step, machines: Readonly<Record<string, State>>): State {
  const named = Object.hasOwn(machines, actor) ? machines[actor] : undefined;
  const found = named ?? Object.values(machines).find((root) => fits(root, value));
  if (found && fits(found, value)) return found;
  throw new Error(
    `no machine has the states of ${actor}: give the charts of the log's own version with --charts`,
  );
}

function fits(state: State, value: unknown): boolean {
  const inner =
    typeof value === "string" ? { [value]: {} } : ((value ?? {}) as Readonly<Record<string, unknown>>);
  return Object.entries(inner).every(([key, below]) => {
    const child = state.children.find((each) => each.key === key);
    return child !== undefined && fits(child, below);
  });
}
