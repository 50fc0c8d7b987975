import { RecentMap } from "../platform/recent-map.ts";
import type { Clock } from "../ports.ts";

/** A turn as the model heard it: from its word that somebody speaks to its word that they have stopped. */
export interface UserTurn {
  /** When it began; epoch milliseconds. */
  readonly atMs: number;
  /** On the monotonic clock; the end is `null` while it lasts. */
  readonly startMs: number;
  readonly endMs: number | null;
}

/** A transcript follows its turn by seconds: more than these turns never wait for theirs. */
const MAX_TURNS = 16;

/** The last turns, by the item that each becomes. The oldest makes room: the latest stands in for it. */
export class UserTurns {
  readonly #clock: Clock;
  readonly #turns = new RecentMap<string, UserTurn & { endMs: number | null }>(MAX_TURNS);
  #latest = "";

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param itemId left out by a provider that does not say. */
  began(itemId = ""): void {
    this.#latest = itemId;
    this.#turns.set(itemId, { atMs: this.#clock.now(), startMs: this.#clock.monotonicMs(), endMs: null });
  }

  ended(itemId = this.#latest): void {
    const turn = this.#turns.get(itemId);
    if (turn) turn.endMs = this.#clock.monotonicMs();
  }

  /** The turn that this item came of. Of a text without any, it is now. */
  of(itemId: string): UserTurn {
    const turn = this.#turns.get(itemId) ?? this.#turns.get(this.#latest);
    if (turn) return turn;
    const startMs = this.#clock.monotonicMs();
    return { atMs: this.#clock.now(), startMs, endMs: startMs };
  }
}
