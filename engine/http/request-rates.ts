/** How often each may ask, by token and address: a program that has gone wild must not hold up the calls. */
import { networkOf } from "../config/addresses.ts";
import { RecentMap } from "../platform/recent-map.ts";
import { TokenBucket } from "../platform/token-bucket.ts";
import type { Clock } from "../ports.ts";

/** Enough for a script that goes through a hundred calls, and for a page that is clicked through. */
export const BURST_REQUESTS = 300;
export const REQUESTS_PER_SECOND = 50;
/** Askers who are counted; of more the one who has been quiet longest is forgotten, and begins with a whole burst. */
const MAX_ASKERS = 1000;

export class RequestRates {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #buckets = new RecentMap<string, TokenBucket>(MAX_ASKERS);

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** How many askers were forgotten. */
  get forgotten(): number {
    return this.#buckets.forgotten;
  }

  /** `false`: they have asked too often, and may again after a second. */
  take(name: string, address: string | null): boolean {
    const key = `${name} ${networkOf(address ?? "")}`;
    const bucket =
      this.#buckets.get(key) ?? new TokenBucket(this.#clock, BURST_REQUESTS, REQUESTS_PER_SECOND);
    this.#buckets.set(key, bucket);
    return bucket.take();
  }
}
