/**
 * Incidents that go on without their call: the caller has left, and nobody could be reached by then. An engine
 * that stops, and that no other follows, says in the log whom it leaves without an answer.
 */
import type { Incident, LadderPolicy } from "../../machines/ladder.types.ts";
import type { CallRow } from "../ports.ts";
import type { CallStart } from "./call-input.ts";
import { FollowUp, type FollowUpServices } from "./follow-up.ts";
import type { CallJournal } from "../effects/journal.ts";
import type { Recorder } from "./recorder.ts";
import type { HeldRow, Unfinished } from "./restore.ts";
import { withIncidents } from "./row.ts";
import type { SavedFollowUp } from "./snapshot.ts";

export interface FollowUpSeed {
  readonly start: CallStart;
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
    const { callSid } = seed.start;
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

  /** Goes on with what another engine left. `held` is the call's row. */
  resume(unfinished: Unfinished<SavedFollowUp>, held: HeldRow): void {
    const { saved, recorder } = unfinished;
    const { callSid } = saved.start;
    const { escalations } = this.#services;
    const seed = {
      start: saved.start,
      policy: (saved.machine.context["input"] as { readonly policy: LadderPolicy }).policy,
      incidents: saved.incidents,
      recorder,
      journal: this.#services.journal.of(callSid),
      row: () => (held.row = withIncidents(held.row, escalations.incidents(callSid), recorder.head)),
    };
    this.counters.followUps++;
    const followUp = new FollowUp(this.#services, seed, () => void this.#open.delete(callSid), unfinished);
    this.#open.set(callSid, followUp);
    followUp.resume(unfinished);
  }

  /** The engine goes, and another will go on. */
  handOver(): void {
    this.#stopped = true;
    for (const followUp of this.#open.values()) followUp.handOver();
  }

  /** The engine goes: nobody is paged any more. */
  stop(): void {
    this.#stopped = true;
    for (const followUp of this.#open.values()) followUp.stop();
  }
}
