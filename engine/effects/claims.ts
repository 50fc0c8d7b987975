/** Sids of calls and messages that are known to belong to an effect: no other may take them for its own. */
export class Claims {
  readonly #sids = new Set<string>();

  add(sid: string): void {
    this.#sids.delete(sid);
    this.#sids.add(sid);
    if (this.#sids.size > MAX_SIDS) this.#sids.delete(this.#sids.values().next().value as string);
  }

  has(sid: string): boolean {
    return this.#sids.has(sid);
  }
}

/** The oldest go first: only what was made in the last minutes is ever looked for. */
const MAX_SIDS = 20_000;
