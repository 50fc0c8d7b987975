/** Whose words a turn was, from who spoke meanwhile on their own legs. Pure. */
import type { TranscriptEntry } from "../ports.ts";

export const CALLER = "caller";

/** Of one leg that is forked: how much it spoke in the turn. */
export interface LegSpeech {
  readonly label: string;
  readonly spokenMs: number;
}

export type Attribution = Pick<TranscriptEntry, "speaker" | "label">;

/** Less is a breath, a cough or a key. */
const MIN_SPOKEN_MS = 100;
/** Whoever spoke less than this share of what the other did only hummed along. */
const MIN_SHARE = 0.2;

/**
 * @param forked every leg whose speech is known.
 * @param deaf labels of legs in the room whose speech is not known: with one of them a turn in which nobody else
 * spoke is theirs, and one in which somebody did may have been theirs as well.
 */
export function whoSpoke(forked: readonly LegSpeech[], deaf: readonly string[]): Attribution {
  const mostMs = Math.max(0, ...forked.map(({ spokenMs }) => spokenMs));
  const spoke = forked
    .filter(({ spokenMs }) => spokenMs >= MIN_SPOKEN_MS && spokenMs >= mostMs * MIN_SHARE)
    .toSorted((a, b) => b.spokenMs - a.spokenMs)
    .map(({ label }) => label);
  const [only] = deaf;
  if (only !== undefined) return spoke.length === 0 && deaf.length === 1 ? one(only) : { speaker: "unknown" };
  const person = spoke.find((label) => label !== CALLER);
  if (person === undefined) return spoke.length === 0 ? { speaker: "unknown" } : one(CALLER);
  return spoke.includes(CALLER) ? { speaker: "both", label: person } : one(person);
}

function one(label: string): Attribution {
  return label === CALLER ? { speaker: "caller" } : { speaker: "human", label };
}
