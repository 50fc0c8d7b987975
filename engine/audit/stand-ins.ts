/**
 * What stands in a call's log for numbers and addresses. Machines compare them, so the same one has the same name
 * throughout a call, and no two share a name: a machine that is given the names does what it did with the real ones.
 */
export class StandIns {
  readonly #names = new Map<string, string>();

  /** `known` are the values that were named before, in their order: of a log that goes on after a restart. */
  constructor(known: readonly string[] = []) {
    for (const value of known) this.of(value);
  }

  /** All that was named, in order; no more than the log has room for. */
  get known(): readonly string[] {
    return [...this.#names.keys()];
  }

  of(value: string): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    const name = `[${value.includes("://") ? "address" : "number"} ${this.#names.size + 1}]`;
    this.#names.set(value, name);
    return name;
  }
}
