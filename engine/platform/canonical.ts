/**
 * One text for one value, however its members are ordered: JSON without white space, members sorted by the
 * UTF-16 units of their names, numbers and strings as `JSON.stringify` writes them (RFC 8785).
 */

export interface Canonical<T> {
  /** What `JSON.parse` makes of the text: a copy that shares nothing with the value. */
  readonly value: T;
  readonly text: string;
}

/** Throws what `JSON.stringify` throws, or a `RangeError`, of what is no plain data. */
export function canonical<T>(value: T): Canonical<T> {
  const copy = { fits: true };
  const sorted = sortedCopy(value, copy) as T;
  // Three times as fast as what is always right.
  if (copy.fits) return { value: sorted, text: JSON.stringify(sorted) };
  const plain = JSON.parse(JSON.stringify(value)) as T;
  return { value: plain, text: spelledOut(plain) };
}

/** A copy that `JSON.stringify` writes in order, unless it has to say that it does not fit. */
function sortedCopy(value: unknown, copy: { fits: boolean }): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  // There is one zero in JSON, and nothing infinite.
  if (typeof value === "number") return Number.isFinite(value) ? value + 0 : null;
  if (Array.isArray(value)) {
    return value.map((item: unknown) => (item === undefined ? null : sortedCopy(item, copy)));
  }
  if (typeof value !== "object" || "toJSON" in value) {
    copy.fits = false;
    return null;
  }
  const members = value as Readonly<Record<string, unknown>>;
  const sorted: Record<string, unknown> = {};
  for (const name of Object.keys(members).sort()) {
    if (isOdd(name)) copy.fits = false;
    else if (members[name] !== undefined) sorted[name] = sortedCopy(members[name], copy);
  }
  return sorted;
}

/** No object keeps names like `10` in the order they were given, nor takes `__proto__` by assignment. */
function isOdd(name: string): boolean {
  const first = name.charCodeAt(0);
  return (first >= 48 && first <= 57) || name === "__proto__";
}

function spelledOut(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => spelledOut(item)).join(",")}]`;
  const members = value as Readonly<Record<string, unknown>>;
  const texts = Object.keys(members)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${spelledOut(members[name])}`);
  return `{${texts.join(",")}}`;
}
