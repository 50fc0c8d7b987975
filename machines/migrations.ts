/**
 * Whether a snapshot of another version of the machines can be gone on with. XState takes any snapshot, and
 * fails at the first event that meets a state, an actor or a fact that is not there: this looks first. Pure.
 */
import type { AnyStateMachine } from "xstate";

/** A snapshot as `getPersistedSnapshot` gives it. */
export interface SavedMachine {
  readonly status: string;
  readonly value: unknown;
  readonly context: Readonly<Record<string, unknown>>;
  readonly children: Readonly<Record<string, SavedChild>>;
}

interface SavedChild {
  readonly src: unknown;
  readonly snapshot: Partial<SavedMachine>;
}

/** Brings a snapshot of the version with this hash up to this one. */
export type Migration = (snapshot: SavedMachine) => SavedMachine;

/** By machine hash: of versions whose snapshots do not fit as they are. */
export type Migrations = Readonly<Record<string, Migration>>;

export const MIGRATIONS: Migrations = {};

/** By machine: facts that earlier versions did not have, as they are of a call that began before. */
const ADDED_FACTS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  ladder: { telling: null },
};

/** How the machines of this version begin: the facts that every snapshot must hold. */
export interface Shapes {
  /** By the key under which a child is spawned or invoked; `root` is the machine itself. */
  readonly [src: string]: { readonly machine: AnyStateMachine; readonly facts: readonly string[] };
}

export type Adopted =
  | { readonly ok: true; readonly snapshot: SavedMachine; readonly how: "same" | "migrated" | "fits" }
  | { readonly ok: false; readonly why: string };

/** `why` names a state or a fact, and nothing of the call. */
export function adopt(
  saved: { readonly hash: string; readonly snapshot: unknown },
  now: { readonly hash: string; readonly shapes: Shapes; readonly migrations?: Migrations },
): Adopted {
  const { migrations = MIGRATIONS, shapes } = now;
  const migration = migrations[saved.hash];
  if (!isMachine(saved.snapshot)) return { ok: false, why: "it is no snapshot of a machine" };
  const known = migration ? migration(saved.snapshot) : saved.snapshot;
  const snapshot = saved.hash === now.hash ? known : withAddedFacts(known, "root");
  const why = misfit(snapshot, "root", shapes);
  if (why !== null) return { ok: false, why };
  if (migration) return { ok: true, snapshot, how: "migrated" };
  return { ok: true, snapshot, how: saved.hash === now.hash ? "same" : "fits" };
}

function withAddedFacts(saved: SavedMachine, src: string): SavedMachine {
  const children = Object.entries(saved.children).map(([id, child]): [string, SavedChild] => {
    const { snapshot } = child;
    return [
      id,
      isMachine(snapshot) ? { ...child, snapshot: withAddedFacts(snapshot, String(child.src)) } : child,
    ];
  });
  const context = { ...ADDED_FACTS[src], ...saved.context };
  return { ...saved, context, children: Object.fromEntries(children) };
}

function isMachine(value: unknown): value is SavedMachine {
  if (typeof value !== "object" || value === null) return false;
  const { value: state, context, children } = value as Partial<SavedMachine>;
  if (state === undefined || !isObject(context) || !children || !isObject(children)) return false;
  return Object.values(children).every((child) => isObject(child) && isObject(child.snapshot));
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;

/** What of it this version does not have; `null`: nothing. */
function misfit(saved: SavedMachine, src: string, shapes: Shapes): string | null {
  const shape = shapes[src];
  if (!shape) return `there is no machine "${src}"`;
  if (saved.status !== "active") return `${src}: its status is "${saved.status}"`;
  const missing = shape.facts.find((fact) => !Object.hasOwn(saved.context, fact));
  if (missing !== undefined) return `${src}: the fact "${missing}" is missing`;
  const state = missingState(shape.machine.root, saved.value);
  if (state !== null) return `${src}: there is no state "${state}"`;
  for (const child of Object.values(saved.children)) {
    if (child.src === "deadline") continue;
    const over = child.snapshot.status !== "active" && isMachine(child.snapshot);
    const why = over ? null : misfitOf(child, shapes);
    if (why !== null) return why;
  }
  return null;
}

function misfitOf({ src, snapshot }: SavedChild, shapes: Shapes): string | null {
  const name = typeof src === "string" ? src : "inline";
  return isMachine(snapshot) ? misfit(snapshot, name, shapes) : `${name}: it is no snapshot of a machine`;
}

type StateNode = AnyStateMachine["root"];

/** Every region and every nested state must be there, and chosen as far down as this version goes. */
function missingState(node: StateNode, value: unknown): string | null {
  const names = Object.keys(node.states);
  if (names.length === 0) return null;
  const inner = typeof value === "string" ? { [value]: {} } : ((value ?? {}) as Record<string, unknown>);
  const chosen = Object.keys(inner);
  const unknown = chosen.find((name) => !node.states[name]);
  if (unknown !== undefined) return `${node.id}.${unknown}`;
  const wanted = node.type === "parallel" ? names.length : 1;
  if (chosen.length !== wanted) return `${node.id}.?`;
  for (const name of chosen) {
    const missing = missingState(node.states[name] as StateNode, inner[name]);
    if (missing !== null) return missing;
  }
  return null;
}
