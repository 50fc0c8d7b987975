/** Counts wrong tokens by the address that they come from, so that nobody goes on guessing. */
import { networkOf } from "../config/addresses.ts";
import { tokenHash } from "../config/tokens-file.ts";
import { RecentMap } from "../platform/recent-map.ts";
import type { Clock } from "../ports.ts";

export interface WrongTokensOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** So many different ones within the window, and the address is locked for as long. */
  readonly limit: number;
  readonly windowMs: number;
}

/** Addresses that are counted; of more the one that has erred least lately is forgotten, and begins anew. */
const MAX_ADDRESSES = 1000;

interface Guesses {
  sinceMs: number;
  /** By their hashes. A program that sends the same stale token again and again guesses nothing. */
  readonly tokens: Set<string>;
}

export class WrongTokens {
  readonly #options: WrongTokensOptions;
  readonly #guesses = new RecentMap<string, Guesses>(MAX_ADDRESSES);

  constructor(options: WrongTokensOptions) {
    this.#options = options;
  }

  /** How many addresses were forgotten before their window was over. */
  get forgotten(): number {
    return this.#guesses.forgotten;
  }

  /** Seconds until somebody at this address may try again; `null`: they may now. */
  lockedForS(address: string | null): number | null {
    const guesses = this.#of(keyOf(address));
    if (!guesses || guesses.tokens.size < this.#options.limit) return null;
    const leftMs = guesses.sinceMs + this.#options.windowMs - this.#options.clock.monotonicMs();
    return Math.max(1, Math.ceil(leftMs / 1000));
  }

  /** Takes down a wrong token of an address that is not locked; `true`: with this one it is. */
  note(address: string | null, token: string): boolean {
    const key = keyOf(address);
    const nowMs = this.#options.clock.monotonicMs();
    const guesses = this.#of(key) ?? { sinceMs: nowMs, tokens: new Set() };
    const before = guesses.tokens.size;
    if (before < this.#options.limit) guesses.tokens.add(tokenHash(token));
    const locks = before < guesses.tokens.size && guesses.tokens.size === this.#options.limit;
    if (locks) guesses.sinceMs = nowMs;
    this.#guesses.set(key, guesses);
    return locks;
  }

  #of(key: string): Guesses | null {
    const guesses = this.#guesses.get(key);
    if (!guesses) return null;
    if (this.#options.clock.monotonicMs() - guesses.sinceMs < this.#options.windowMs) return guesses;
    this.#guesses.delete(key);
    return null;
  }
}

const keyOf = (address: string | null): string => networkOf(address ?? "");
