/** Responses remembered; the oldest is forgotten first. */
const MAX_RESPONSES = 256;

/**
 * Which of the model's responses may be heard. A response is admitted by its start, while the gate is open,
 * and loses that for ever when speech is cut or the gate closes. Forgetting only ever closes: what is not
 * known to be admitted is not heard.
 */
export class ResponseGate {
  readonly counters = { responsesDropped: 0, responsesUnannounced: 0 };
  readonly #admitted = new Map<string, boolean>();
  /** The response that was admitted last, while it still is: most pieces of speech are of it. */
  #heard: string | null = null;
  #open = true;
  /** Set by the first closing: from then on a response must be announced while the gate is open. */
  #strict = false;

  get isOpen(): boolean {
    return this.#open;
  }

  started(responseId: string): void {
    // A second announcement cannot revive what was dropped.
    if (!this.#admitted.has(responseId)) this.#set(responseId, this.#open);
  }

  admits(responseId: string): boolean {
    if (responseId === this.#heard) return true;
    const known = this.#admitted.get(responseId);
    if (known !== undefined) {
      if (known && this.#open) this.#heard = responseId;
      return known && this.#open;
    }
    this.counters.responsesUnannounced++;
    const admitted = this.#open && !this.#strict;
    this.#set(responseId, admitted);
    return admitted;
  }

  /** Drops every response known so far. */
  dropAll(): void {
    for (const [responseId, admitted] of this.#admitted) {
      if (!admitted) continue;
      this.#admitted.set(responseId, false);
      this.counters.responsesDropped++;
    }
    this.#heard = null;
  }

  /** Drops these responses, as far as they are known: what has lost its beginning is not heard from the middle. */
  drop(responseIds: Iterable<string>): void {
    for (const responseId of responseIds) {
      if (this.#admitted.get(responseId) !== true) continue;
      this.#admitted.set(responseId, false);
      this.counters.responsesDropped++;
      if (this.#heard === responseId) this.#heard = null;
    }
  }

  close(): void {
    this.#open = false;
    this.#strict = true;
    this.dropAll();
  }

  open(): void {
    this.#open = true;
  }

  #set(responseId: string, admitted: boolean): void {
    this.#admitted.set(responseId, admitted);
    if (this.#admitted.size <= MAX_RESPONSES) return;
    for (const oldest of this.#admitted.keys()) {
      this.#admitted.delete(oldest);
      if (oldest === this.#heard) this.#heard = null;
      break;
    }
  }
}
