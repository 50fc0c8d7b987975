import { timingSafeEqual } from "node:crypto";

/** Whether a secret is the right one, in a time that does not tell where they differ. Their lengths are no secret. */
export function sameText(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
