/** Where a run of the machines and the log part, in words. */
import type { ChainedEntry } from "../platform/hash-chain.ts";
import { canonical } from "../platform/canonical.ts";
import type { TakenEdge } from "./observer.ts";
import type { Made } from "./rerun.ts";

export interface Divergence {
  /** Number of the entry that does not fit, or before which something is missing. */
  readonly seq: number;
  readonly what: "state" | "edge" | "effect";
  /** What the machines were given last. */
  readonly cause: { readonly seq: number; readonly name: string; readonly at: string };
  /** In words: what differs. */
  readonly how: string;
  /**
   * In words, if it is not the same: how the step differs that this is part of, since its effects, and the starts
   * of other actors, come before it.
   */
  readonly since: string | null;
  /** `null`: nothing of the kind. */
  readonly logged: Made | null;
  readonly came: Made | null;
}

type Parted = Pick<Divergence, "what" | "how" | "logged" | "came">;

/** An entry of the log that a run makes too; `null` of any other. */
export function madeOf({ kind, name, data }: ChainedEntry): Made | null {
  return kind === "effect" || kind === "step" || kind === "state" ? { kind, name, data } : null;
}

/** How the two differ; `null` when they do not. */
export function parted(logged: Made | null, came: Made | null): Parted | null {
  if (logged === null || came === null) {
    const one = logged ?? came;
    if (one === null) return null;
    const how =
      logged === null ? `${brief(one)} came, which was not so` : `${brief(one)} was, and does not come`;
    return { what: kindOf(one), how, logged, came };
  }
  if (logged.kind !== came.kind || logged.name !== came.name) {
    return { what: kindOf(logged), how: `${brief(logged)} was, ${brief(came)} comes`, logged, came };
  }
  if (canonical(logged.data).text === canonical(came.data).text) return null;
  const differ = { logged, came };
  if (logged.kind === "step") return { ...stepParted(logged, came), ...differ };
  const how = `${brief(logged)}: ${fieldsParted(logged.data, came.data)}`;
  return { what: kindOf(logged), how, ...differ };
}

/**
 * How the first step differs that does, of those that one cause led to, each actor's for itself. That an actor
 * starts or stops is what another one's step led to, and counts when there is nothing else.
 */
export function stepsParted(logged: readonly Made[], came: readonly Made[]): string | null {
  const isFirst = ({ kind, data }: Made): boolean =>
    kind === "step" && data["event"] !== "xstate.init" && data["event"] !== "xstate.stop";
  return (
    pairsParted(logged.filter(isFirst), came.filter(isFirst)) ??
    pairsParted(
      logged.filter(({ kind }) => kind === "step"),
      came.filter(({ kind }) => kind === "step"),
    )
  );
}

function pairsParted(logged: readonly Made[], came: readonly Made[]): string | null {
  const left = [...came];
  for (const was of logged) {
    const at = left.findIndex(({ name }) => name === was.name);
    const differ = parted(was, at < 0 ? null : (left.splice(at, 1)[0] ?? null));
    if (differ) return differ.how;
  }
  return parted(null, left[0] ?? null)?.how ?? null;
}

const KINDS = { effect: "effect", step: "edge", state: "state" } as const;

function kindOf({ kind }: Made): Divergence["what"] {
  return KINDS[kind];
}

/** A step as its data has it. */
interface Step {
  readonly event: string;
  readonly edges: readonly TakenEdge[];
  readonly value: unknown;
  readonly status: string;
}

function stepParted(logged: Made, came: Made): Pick<Divergence, "what" | "how"> {
  const [was, now] = [logged.data as unknown as Step, came.data as unknown as Step];
  const actor = logged.name;
  if (was.event !== now.event) {
    return { what: "edge", how: `${actor} took ${was.event}, and now takes ${now.event}` };
  }
  const place = `${actor}, at ${was.event}`;
  const edges = [was, now].map((step) => step.edges.map(edgeText));
  const [before = [], after = []] = edges;
  const at = before.findIndex((edge, index) => edge !== after[index]);
  if (at >= 0 || before.length !== after.length) {
    const index = at >= 0 ? at : before.length;
    const [old = "no further edge", other = "no further edge"] = [before[index], after[index]];
    return { what: "edge", how: `${place}: took ${old}, and now takes ${other}` };
  }
  return { what: "state", how: `${place}: ${fieldsParted(logged.data, came.data)}` };
}

/** `source on event (index) [guard] → targets`: all that tells edges apart. */
export function edgeText({ source, event, index, guard, targets }: TakenEdge): string {
  const on = event === "" ? "" : ` on ${event}`;
  const among = index > 0 ? ` (${index})` : "";
  const condition = guard === null ? "" : ` [${guard}]`;
  return `${source}${on}${among}${condition} → ${targets.length === 0 ? "itself" : targets.join(", ")}`;
}

function fieldsParted(was: Made["data"], now: Made["data"]): string {
  const names = [...new Set([...Object.keys(was), ...Object.keys(now)])].sort();
  const text = (value: unknown): string => (value === undefined ? "absent" : canonical(value).text);
  const differing = names.filter((name) => text(was[name]) !== text(now[name]));
  return differing.map((name) => `${name} was ${text(was[name])}, and now is ${text(now[name])}`).join("; ");
}

/** `effect carrier.mute`, `step of ladder-1 at page.update`, `state escalating`. */
function brief({ kind, name, data }: Made): string {
  return kind === "step" ? `a step of ${name} at ${String(data["event"])}` : `${kind} ${name}`;
}
