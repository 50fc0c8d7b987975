import type { Core } from "../types.ts";
import { Conference } from "./conference.ts";

/** Completed conferences that can still be fetched; the oldest goes first. */
const MAX_COMPLETED = 500;

/** All conferences of the account. A name belongs to at most one that is not completed. */
export class Conferences {
  readonly #core: Core;
  readonly #active = new Map<string, Conference>();
  readonly #completed = new Map<string, Conference>();

  constructor(core: Core) {
    this.#core = core;
  }

  get size(): number {
    return this.#active.size;
  }

  byName(friendlyName: string): Conference | null {
    return this.#active.get(friendlyName) ?? null;
  }

  open(friendlyName: string): Conference {
    const active = this.#active.get(friendlyName);
    if (active) return active;
    const conference = new Conference(this.#core, friendlyName, (done) => this.#retire(done));
    this.#active.set(friendlyName, conference);
    this.#core.tally.add("conference.created");
    return conference;
  }

  bySid(sid: string): Conference | null {
    const completed = this.#completed.get(sid);
    if (completed) return completed;
    return [...this.#active.values()].find((conference) => conference.sid === sid) ?? null;
  }

  active(): readonly Conference[] {
    return [...this.#active.values()];
  }

  /** Newest first, as in Twilio's lists. */
  all(): readonly Conference[] {
    return [...this.#completed.values(), ...this.#active.values()].toSorted(
      (a, b) => b.createdMs - a.createdMs,
    );
  }

  #retire(conference: Conference): void {
    this.#active.delete(conference.friendlyName);
    this.#completed.set(conference.sid, conference);
    const oldest = this.#completed.keys().next();
    if (this.#completed.size > MAX_COMPLETED && !oldest.done) this.#completed.delete(oldest.value);
  }
}
