/** What `/readyz` answers: each part that a new call needs, how it stands, and why it would fail. */
import type { Refusal } from "../call/admission.ts";
import type { Deployment } from "../config/deployment.ts";
import type { Reach } from "../platform/reach.ts";

export interface PartReadiness {
  readonly state: string;
  /** For people, without addresses and names: anybody may ask. `null` exactly when a call could be taken. */
  readonly reason: string | null;
}

export interface Readiness {
  readonly ready: boolean;
  readonly parts: Readonly<Record<"calls" | "store" | "carrier" | "model" | "media", PartReadiness>>;
}

/** All of it is in memory: nothing is asked, and nobody waits. */
export interface ReadinessSources {
  readonly supervisor: { readonly refusals: readonly Refusal[]; readonly size: number };
  readonly lateness: { quantile(q: number): number };
  readonly deployment: Pick<Deployment, "limits" | "overload">;
  readonly reach?: { readonly carrier: Reach; readonly model: Reach };
}

export function readinessOf(from: ReadinessSources): Readiness {
  const { refusals } = from.supervisor;
  const parts = {
    calls: callsOf(from, refusals),
    store: storeOf(refusals),
    carrier: reachOf(from.reach?.carrier),
    model: reachOf(from.reach?.model),
    media: mediaOf(from, refusals),
  };
  return { ready: Object.values(parts).every(({ reason }) => reason === null), parts };
}

/** 503 when a call could not be taken. */
export function readinessAnswer(readiness: Readiness): Response {
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return new Response(`${JSON.stringify(readiness)}\n`, { status: readiness.ready ? 200 : 503, headers });
}

const OK: PartReadiness = { state: "ok", reason: null };

function callsOf(
  { supervisor: { size }, deployment }: ReadinessSources,
  refusals: readonly Refusal[],
): PartReadiness {
  if (refusals.includes("draining")) {
    return { state: "draining", reason: `the engine stops: it takes no calls, and ${size} go on` };
  }
  if (!refusals.includes("full")) return OK;
  const { maxLiveCalls } = deployment.limits;
  return { state: "full", reason: `${size} calls are live, limits.maxLiveCalls is ${maxLiveCalls}` };
}

function storeOf(refusals: readonly Refusal[]): PartReadiness {
  if (!refusals.includes("storage")) return OK;
  return { state: "failing", reason: "nothing can be written: store.write-failed in the log says why" };
}

function mediaOf({ lateness, deployment }: ReadinessSources, refusals: readonly Refusal[]): PartReadiness {
  if (!refusals.includes("overloaded")) return OK;
  const nowMs = lateness.quantile(0.9).toFixed(1);
  const limitMs = deployment.overload.loopLatenessMs ?? 0;
  const reason = `the event loop runs late: ${nowMs} ms in a tenth of the last ten seconds, overload.loopLatenessMs is ${limitMs}`;
  return { state: "late", reason };
}

function reachOf(reach: Reach | undefined): PartReadiness {
  return { state: reach?.state ?? "untried", reason: reach?.problem ?? null };
}
