import { randomBytes } from "node:crypto";
import type { Ids } from "../ports.ts";

/** Identifiers and randomness of the operating system. */
export const systemIds: Ids = {
  random: () => Math.random(),
  sid: (prefix) => prefix + randomBytes(16).toString("hex"),
  token: () => randomBytes(24).toString("base64url"),
};

/** Repeatable identifiers for tests and simulation: the same seed gives the same sequence. */
export function seededIds(seed: number): Ids {
  let state = seed >>> 0;
  // mulberry32: small, fast and good enough to spread a simulation's choices.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const hex = (digits: number): string => {
    let text = "";
    while (text.length < digits) text += Math.floor(next() * 16).toString(16);
    return text;
  };
  return { random: next, sid: (prefix) => prefix + hex(32), token: () => hex(32) };
}
