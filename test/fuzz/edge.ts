/** What a fuzzer of one edge is made of. */
import type { Dice } from "../sim/dice.ts";
import type { Target } from "./target.ts";

/** One input: a request, a socket's whole life, or a session of the model. */
export interface Input {
  /** It, for people: asked for when it broke something. */
  shown(): string;
  /** Sends it. Rejects with {@link Broken} when the answer is not one that may be given. */
  send(target: Target): Promise<void>;
}

export interface Edge {
  readonly name: string;
  /** What grows to its bound, or is compiled and cached, has done so after that many. */
  readonly warmUpInputs: number;
  /** Inputs that are sent at the same time. */
  readonly together: number;
  /** The same dice give the same input, whatever was sent before. */
  draw(dice: Dice, at: number): Input;
  /** Events that the engine logs as errors, and rightly: those of a model that says that it cannot go on. */
  readonly expected: readonly string[];
  /** Ends what its inputs have begun. */
  settle(target: Target): Promise<void>;
  /** How deep the inputs came, by name. */
  readonly depth: Readonly<Record<string, number>>;
}

/** Adds to an edge's depth. */
export function count(depth: Record<string, number>, what: string, by = 1): void {
  depth[what] = (depth[what] ?? 0) + by;
}

/**
 * What inputs of one epoch share, and those of the next do not: `change` is called when the epoch is another, never
 * while it is at work, though inputs are sent together. `null`: there is none any more.
 */
export function createEpochs(
  change: (target: Target, epoch: number | null) => Promise<void>,
): (target: Target, epoch: number | null) => Promise<void> {
  let now: number | null = null;
  let turn: Promise<void> = Promise.resolve();
  const enter = async (target: Target, epoch: number | null): Promise<void> => {
    if (epoch === now) return;
    now = epoch;
    await change(target, epoch);
  };
  return (target, epoch) => (turn = turn.then(() => enter(target, epoch)));
}

/** A promise of the engine that did not hold. */
export class Broken extends Error {
  override readonly name = "Broken";
}
