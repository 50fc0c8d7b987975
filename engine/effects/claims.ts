import { RecentMap } from "../platform/recent-map.ts";

/** The oldest go first: only what was made in the last minutes is ever looked for. */
const MAX_SIDS = 20_000;
/** The same, of the last seconds. */
const MAX_RINGS = 1000;

/** Sids of calls and messages that are known to belong to an effect: no other may take them for its own. */
export class Claims {
  /** With the page whose leg it is known to be, where that is known: `{callSid}/{label}`. */
  readonly #sids = new RecentMap<string, string | null>(MAX_SIDS);
  /** In the order in which they came to be known. */
  readonly #rings: (Ring & { readonly sid: string })[] = [];

  add(sid: string, page: string | null = null): void {
    this.#sids.set(sid, page ?? this.#sids.get(sid) ?? null);
  }

  addRing(sid: string, ring: Ring): void {
    this.add(sid);
    this.#rings.push({ sid, ...ring });
    if (this.#rings.length > MAX_RINGS) this.#rings.shift();
  }

  has(sid: string): boolean {
    return this.#sids.has(sid);
  }

  isLegOf(page: string, sid: string): boolean {
    return this.#sids.get(sid) === page;
  }

  /** The sids of what has rung a number, and was known at that time or later. */
  rungSince(to: string, sinceMs: number): readonly string[] {
    return this.#rings.filter((ring) => ring.to === to && ring.atMs >= sinceMs).map(({ sid }) => sid);
  }
}

export interface Ring {
  /** E.164. */
  readonly to: string;
  /** When it was known by its sid. */
  readonly atMs: number;
}
