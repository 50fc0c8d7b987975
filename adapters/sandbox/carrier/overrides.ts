/** Webhook connection overrides: the `#rc=3&rp=all` fragment of a URL (Twilio, "webhooks connection overrides"). */

export interface Overrides {
  readonly retryCount: number;
  /** `ct` connection failed, `rt` read timeout, `4xx`, `5xx`. */
  readonly retryOn: ReadonlySet<"ct" | "rt" | "4xx" | "5xx">;
  readonly readTimeoutMs: number;
  readonly totalTimeoutMs: number;
}

const MAX_MS = 15000;

/** What is not given, or out of range, has Twilio's default: one retry, on connection failures only, 15 s. */
export function parseOverrides(url: string): Overrides {
  const fragment = new URLSearchParams(url.split("#", 2)[1] ?? "");
  return {
    retryCount: inRange(fragment.get("rc"), 0, 5, 1),
    retryOn: policy(fragment.get("rp")),
    readTimeoutMs: inRange(fragment.get("rt"), 100, MAX_MS, MAX_MS),
    totalTimeoutMs: inRange(fragment.get("tt"), 100, MAX_MS, MAX_MS),
  };
}

function inRange(text: string | null, min: number, max: number, fallback: number): number {
  const value = text === null || !/^\d+$/.test(text) ? Number.NaN : Number(text);
  return value >= min && value <= max ? value : fallback;
}

function policy(text: string | null): Overrides["retryOn"] {
  const words = (text ?? "ct").split(",");
  if (words.includes("all")) return new Set(["ct", "rt", "4xx", "5xx"]);
  const known = (["ct", "rt", "4xx", "5xx"] as const).filter((word) => words.includes(word));
  return new Set(known.length === 0 ? ["ct"] : known);
}
