/**
 * Incidents that go on without their call: the caller has left, and nobody could be reached by then. They live
 * in memory only: an engine that stops says in the log whom it leaves without an answer.
 */
import type { Incident, LadderPolicy } from "../../machines/ladder.types.ts";
import { FollowUp, type FollowUpServices } from "./follow-up.ts";
import type { CallJournal } from "../effects/journal.ts";
import type { Recorder } from "./recorder.ts";
import type { CallRow } from "../ports.ts";

export interface FollowUpSeed {
  readonly callSid: string;
  /** The caller's number, or whatever else the carrier calls them. */
  readonly from: string;
  /** The call's row, with what has become of its incidents. */
  readonly row: () => CallRow;
  /** The call's log goes on. */
  readonly recorder: Recorder;
  /** So does its journal. */
  readonly journal: CallJournal;
  readonly policy: LadderPolicy;
  /** All of the call; the last is open. */
  readonly incidents: readonly Incident[];
}

const MAX_FOLLOW_UPS = 1000;

export class FollowUps {
  readonly #services: FollowUpServices;
  readonly #open = new Map<string, FollowUp>();
  #stopped = false;
  readonly counters = { followUps: 0, followUpsRefused: 0 };

  constructor(services: FollowUpServices) {
    this.#services = services;
  }

  get size(): number {
    return this.#open.size;
  }

  get(callSid: string): FollowUp | null {
    return this.#open.get(callSid) ?? null;
  }

  /** Goes on with the last incident of a call that has ended; false when it cannot. */
  begin(seed: FollowUpSeed): boolean {
    const { callSid } = seed;
    if (this.#stopped || this.#open.size >= MAX_FOLLOW_UPS) {
      this.counters.followUpsRefused++;
      seed.recorder.write("note", "follow_up.refused", { stopped: this.#stopped });
      this.#services.log.error("follow_up.refused", { callSid, stopped: this.#stopped });
      return false;
    }
    this.counters.followUps++;
    const followUp = new FollowUp(this.#services, seed, () => void this.#open.delete(callSid));
    this.#open.set(callSid, followUp);
    followUp.begin();
    return true;
  }

  /** The engine goes: nobody is paged any more. */
  stop(): void {
    this.#stopped = true;
    for (const followUp of this.#open.values()) followUp.stop();
  }
}
