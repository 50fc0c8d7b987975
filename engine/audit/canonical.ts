/**
 * One text for one value, however its members are ordered: JSON without white space, members sorted by the
 * UTF-16 units of their names, numbers and strings as `JSON.stringify` writes them (RFC 8785). For plain data
 * only, as `JSON.parse` gives it.
 */
export function canonicalJson(value: unknown): string {
  const copy = { fits: true };
  const sorted = sortedCopy(value, copy);
  // The native way costs a third of spelling it out.
  return copy.fits ? JSON.stringify(sorted) : spelledOut(value);
}

/** No object keeps names like `10` in the order they were given, nor takes `__proto__` by assignment. */
function isOdd(name: string): boolean {
  const first = name.charCodeAt(0);
  return (first >= 48 && first <= 57) || name === "__proto__";
}

function sortedCopy(value: unknown, copy: { fits: boolean }): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => sortedCopy(item, copy));
  const members = value as Readonly<Record<string, unknown>>;
  const sorted: Record<string, unknown> = {};
  for (const name of Object.keys(members).sort()) {
    if (isOdd(name)) copy.fits = false;
    else sorted[name] = sortedCopy(members[name], copy);
  }
  return sorted;
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
