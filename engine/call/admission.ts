/** Whether a new call may begin. Pure: it is told the time, the lateness and the number of live calls. */

/** `storage`: nothing can be written down. The calls that are live go on; more of them would be kept nowhere. */
export type Refusal = "draining" | "full" | "storage" | "overloaded";

export interface AdmissionLimits {
  readonly maxLiveCalls: number;
  /** The loop may be that late in most of the last seconds, in ms; 0: lateness refuses nobody. */
  readonly loopLatenessMs: number;
  /** With fewer live calls the load is somebody else's, and turning callers away would not lessen it. */
  readonly minLiveCalls: number;
}

/** So long must the loop have been well below its limit before calls are taken again. */
const CALM_MS = 5_000;
/** Calls are taken again below this share of the limit: else each call let in would close the door again. */
const CALM_SHARE = 0.5;

export class Admission {
  readonly #limits: AdmissionLimits;
  #draining = false;
  #late = false;
  /** Since when the loop has been calm, while it counts as late. */
  #calmSinceMs: number | null = null;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /** No new calls from now on. */
  drain(): void {
    this.#draining = true;
  }

  /** Takes note of how late the loop was in most of the last seconds. */
  observe(nowMs: number, lateMs: number, liveCalls: number): void {
    const { loopLatenessMs, minLiveCalls } = this.#limits;
    if (loopLatenessMs === 0) return;
    if (!this.#late) {
      this.#late = lateMs > loopLatenessMs && liveCalls >= minLiveCalls;
      this.#calmSinceMs = null;
    } else if (lateMs >= loopLatenessMs * CALM_SHARE) {
      this.#calmSinceMs = null;
    } else {
      this.#calmSinceMs ??= nowMs;
      this.#late = nowMs - this.#calmSinceMs < CALM_MS;
    }
  }

  /** Why a call would be refused now, or `null`. `storing`: what is written is kept. */
  refusal(liveCalls: number, storing: boolean): Refusal | null {
    return this.refusals(liveCalls, storing)[0] ?? null;
  }

  /** Every reason for which a call would be refused now; the first is {@link Admission.refusal}. */
  refusals(liveCalls: number, storing: boolean): readonly Refusal[] {
    const { maxLiveCalls, minLiveCalls } = this.#limits;
    const reasons: Refusal[] = [];
    if (this.#draining) reasons.push("draining");
    if (liveCalls >= maxLiveCalls) reasons.push("full");
    if (!storing) reasons.push("storage");
    if (this.#late && liveCalls >= minLiveCalls) reasons.push("overloaded");
    return reasons;
  }
}
