import type { Core } from "../types.ts";
import { Call, type CallInit } from "./call.ts";

/** Ended calls that can still be fetched; the oldest goes first. */
const MAX_ENDED = 1000;

/** All calls: live ones, and the last that ended. */
export class Calls {
  readonly #core: Core;
  readonly #live = new Map<string, Call>();
  readonly #ended = new Map<string, Call>();
  /** Second halves under the sid of their first, when the App webhook shares the participant's sid. */
  readonly #hidden = new Set<Call>();

  constructor(core: Core) {
    this.#core = core;
  }

  get size(): number {
    return this.#live.size + this.#hidden.size;
  }

  create(init: CallInit): Call {
    const call = new Call(this.#core, init);
    if (this.#live.has(call.sid)) {
      this.#hidden.add(call);
      call.onEnd(() => this.#hidden.delete(call));
      return call;
    }
    this.#live.set(call.sid, call);
    this.#core.tally.add(`call.created.${init.direction}`);
    call.onEnd(() => this.#retire(call));
    return call;
  }

  get(sid: string): Call | undefined {
    return this.#live.get(sid) ?? this.#ended.get(sid);
  }

  live(): readonly Call[] {
    return [...this.#live.values(), ...this.#hidden];
  }

  /** Newest first, as in Twilio's lists. */
  all(): readonly Call[] {
    return [...this.#ended.values(), ...this.#live.values()].toSorted((a, b) => b.createdMs - a.createdMs);
  }

  #retire(call: Call): void {
    this.#live.delete(call.sid);
    this.#ended.set(call.sid, call);
    this.#core.tally.add(`call.ended.${call.status}`);
    const oldest = this.#ended.keys().next();
    if (this.#ended.size > MAX_ENDED && !oldest.done) this.#ended.delete(oldest.value);
  }
}
