import { invariant } from "../engine/errors.ts";
import type { Ids } from "../engine/ports.ts";
import { summarise } from "./runner.ts";

/** Samples of one window without and one with something, taken one after the other. */
export interface Pair {
  readonly without: readonly number[];
  readonly having: readonly number[];
}

export interface P99Ratio {
  /** p99 of all samples with, by p99 of all without. */
  readonly ratio: number;
  /** Between these lie 95 of 100 ratios of as many pairs, drawn from these again and again. */
  readonly low: number;
  readonly high: number;
}

const DRAWS = 400;

/**
 * How much slower the slowest hundredth is with than without. What is slow comes in bursts, so that samples are not
 * independent and pairs are: it is pairs that are drawn (a block bootstrap: B. Efron and R. Tibshirani, "An
 * Introduction to the Bootstrap", 1993, chapter 8).
 */
export function p99Ratio(pairs: readonly Pair[], ids: Ids): P99Ratio {
  invariant(pairs.length > 0, "p99Ratio: no pairs");
  const ratios = Array.from({ length: DRAWS }, () => ratioOf(pairs.map(() => drawn(pairs, ids)))).toSorted(
    (a, b) => a - b,
  );
  const at = (share: number): number => ratios[Math.round(share * (DRAWS - 1))] as number;
  return { ratio: ratioOf(pairs), low: at(0.025), high: at(0.975) };
}

function drawn(pairs: readonly Pair[], ids: Ids): Pair {
  return pairs[Math.floor(ids.random() * pairs.length)] as Pair;
}

function ratioOf(pairs: readonly Pair[]): number {
  const p99 = (of: keyof Pair): number => summarise(pairs.flatMap((pair) => pair[of])).p99;
  return p99("having") / p99("without");
}
