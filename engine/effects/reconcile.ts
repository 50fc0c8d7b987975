/**
 * Does an effect once, although the carrier has no key that would make a second request harmless: when it is not
 * known whether one took effect, the carrier is asked before it is repeated.
 */
import type { EffectFacts } from "../call/effect-answer.ts";
import { CarrierError, EffectLostError } from "../errors.ts";
import { pause } from "../platform/clock.ts";
import type { Clock } from "../ports.ts";
import type { Turn } from "./journal.ts";

/**
 * What is found: that it was done, or that it was and has come to nothing since. `null`: it was surely not done.
 * Rejects when that cannot be told.
 */
export type Sighting = EffectFacts | CarrierError | null;

export interface Way {
  readonly clock: Clock;
  readonly turn: Turn;
  readonly attempt: () => Promise<EffectFacts>;
  /** `null`: doing it once more does no harm, and is sooner done than looked for. */
  readonly look: (() => Promise<Sighting>) | null;
  /** A request without an answer is made once more when it has surely not taken effect. */
  readonly repeats: boolean;
  /** Nobody wants it any more. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * When to look after a request without an answer: what the carrier still works on shows a little later. Each is
 * counted from the one before, in ms.
 */
const LOOKS_MS = [500, 1500] as const;
/** After a restart the carrier has had its time, but for what was asked in the last moment. */
const RESUMED_LOOKS_MS = [0, 1000] as const;
const MAX_REPEATS = 1;

/** @throws EffectLostError when nobody knows whether it was done; else what the last attempt threw. */
export async function exactlyOnce(way: Way): Promise<EffectFacts> {
  const { turn } = way;
  if (turn.resumed && way.look) {
    const facts = await sighted(way, RESUMED_LOOKS_MS);
    if (facts) return facts;
    turn.note("repeated");
  }
  for (let repeats = 0; ; repeats++) {
    try {
      return await way.attempt();
    } catch (error) {
      if (!(error instanceof CarrierError) || !error.ambiguous) throw error;
      const facts = await sighted(way, way.repeats ? LOOKS_MS : [0], error);
      if (facts) return facts;
      if (!way.repeats || way.signal?.aborted || repeats >= MAX_REPEATS) throw error;
      turn.note("repeated");
    }
  }
}

async function sighted(
  { clock, look, turn }: Way,
  afterMs: readonly number[],
  cause?: CarrierError,
): Promise<EffectFacts | null> {
  if (!look) return null;
  let unseen: unknown = null;
  for (const ms of afterMs) {
    if (ms > 0) await pause(clock, ms);
    const seen = await look().catch((error: unknown) => {
      unseen = error;
      return "unknown" as const;
    });
    if (seen === "unknown") continue;
    unseen = null;
    if (seen === null) continue;
    turn.note("found");
    if (seen instanceof CarrierError) throw seen;
    return seen;
  }
  if (unseen !== null) throw new EffectLostError(unseen, cause);
  return null;
}
