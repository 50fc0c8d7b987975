import { seededIds } from "../../engine/platform/ids.ts";

/** Draws from a seed. */
export class Dice {
  readonly #random: () => number;
  /** Times are whole multiples of it: with a coarse one, much happens at the same instant. */
  grainMs = 1;

  constructor(seed: number) {
    // Neighbouring seeds begin alike: their first draws are thrown away.
    this.#random = seededIds(Math.imul(seed + 1, 0x9e3779b1)).random;
    this.times(3, () => this.#random());
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  between(min: number, max: number): number {
    return Math.round(min + this.#random() * (max - min));
  }

  /** A time between the two. */
  ms(min: number, max: number): number {
    return Math.round(this.between(min, max) / this.grainMs) * this.grainMs;
  }

  /** By weight. */
  pick<T>(...choices: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.#random() * choices.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, value] of choices) {
      at -= weight;
      if (at < 0) return value;
    }
    return (choices.at(-1) as readonly [number, T])[1];
  }

  /** `count` different ones of `all`, in any order. */
  some<T>(count: number, all: readonly T[]): T[] {
    const left = [...all];
    return this.times(Math.min(count, all.length), () => {
      const [one] = left.splice(this.between(0, left.length - 1), 1);
      return one as T;
    });
  }

  times<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }
}
