/** What all media streams counted since start: those that are over, and those that run. */
import type { MediaLeg } from "./leg.ts";

type Counts = Readonly<Record<string, number>>;

/** Figures of the moment, which cannot be added up. */
const NOT_COUNTED: ReadonlySet<string> = new Set(["roundTripMs", "queuedBytes"]);

export class LegTotals {
  readonly #over: Record<string, number> = {};

  /** The stream has ended. */
  end(leg: Pick<MediaLeg, "counters">): void {
    addTo(this.#over, leg.counters());
  }

  /** With those that are still running. */
  with(running: Iterable<Pick<MediaLeg, "counters">>): Counts {
    const total = { ...this.#over };
    for (const leg of running) addTo(total, leg.counters());
    return total;
  }
}

function addTo(total: Record<string, number>, counts: Counts): void {
  for (const [name, value] of Object.entries(counts)) {
    if (!NOT_COUNTED.has(name)) total[name] = (total[name] ?? 0) + value;
  }
}
