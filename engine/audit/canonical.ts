/**
 * One text for one value, however its members are ordered: JSON without white space, members sorted by the
 * UTF-16 units of their names, numbers and strings as `JSON.stringify` writes them (RFC 8785). For plain data
 * only, as `JSON.parse` gives it.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(",")}]`;
  const members = value as Readonly<Record<string, unknown>>;
  const texts = Object.keys(members)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(members[name])}`);
  return `{${texts.join(",")}}`;
}
