/** Deliberate bugs of engines that come back. */
import type { Unfinished } from "../../engine/call/restore.ts";
import { CallJournal } from "../../engine/effects/journal.ts";
import { type Mutant, replaced } from "./tamper.ts";

/** In place of a getter; the result undoes it. */
function replacedGetter<T extends object>(prototype: T, name: keyof T, get: () => unknown): () => () => void {
  return () => {
    const real = Object.getOwnPropertyDescriptor(prototype, name);
    Object.defineProperty(prototype, name, { ...real, get });
    return () => void Object.defineProperty(prototype, name, real ?? {});
  };
}

/** Times that are still to come when `savedAtMs` is now, moved by so much. */
function later(value: unknown, savedAtMs: number, byMs: number): unknown {
  if (Array.isArray(value)) return value.map((each) => later(each, savedAtMs, byMs));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, each]: [string, unknown]) => {
      const isComing = /^(atMs|dueAtMs)$/.test(name) && typeof each === "number" && each > savedAtMs;
      return [name, isComing ? each + byMs : later(each, savedAtMs, byMs)];
    }),
  );
}

function begunAnew(one: Unfinished): Unfinished {
  const { saved, downMs } = one;
  return { ...one, saved: later(saved, saved.savedAtMs, downMs) as typeof saved };
}

export const CRASH_MUTANTS: readonly Mutant[] = [
  {
    name: "what an engine left half done is done again without a look",
    seed: 8,
    rules: ["done-twice", "rung-twice", "told-twice"],
    patch: replaced(CallJournal.prototype, "begin", (real) => {
      return function (this: CallJournal, effect, resumed) {
        const begun = real.call(this, effect, resumed);
        return typeof begun === "object" && "turn" in begun
          ? { turn: { ...begun.turn, resumed: false } }
          : begun;
      };
    }),
  },
  {
    name: "what an engine left half done is left",
    seed: 8,
    rules: ["effect-lost"],
    patch: replacedGetter(CallJournal.prototype, "unfinished", () => []),
  },
  {
    name: "deadlines begin anew with the engine",
    seed: 8,
    rules: ["window-overrun"],
    tampering: {
      engine: (options) => ({ ...options, unfinished: (options.unfinished ?? []).map(begunAnew) }),
    },
  },
];
