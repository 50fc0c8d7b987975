/**
 * Follows the incidents of one call from step to step. What ladders and pages tell each other does not pass the
 * call's queue, so each change of an incident is noted here: in the log, the feed and the metrics.
 */
import type { Incident, PageRecord } from "../../machines/ladder.types.ts";
import type { EscalationMetrics } from "./escalation-metrics.ts";
import type { IncidentFacts } from "./live-index.ts";
import type { Recorder } from "./recorder.ts";

export interface IncidentWatchOptions {
  readonly recorder: Pick<Recorder, "write">;
  readonly metrics: EscalationMetrics;
  readonly tell: (incident: IncidentFacts) => void;
  /** A page has ended: nothing of it may be sent any more. */
  readonly onPageEnded: (label: string) => void;
}

export class IncidentWatch {
  readonly #options: IncidentWatchOptions;
  #seen: readonly Incident[];

  /** `known` have been noted before: of a call that somebody else followed until now. */
  constructor(options: IncidentWatchOptions, known: readonly Incident[] = []) {
    this.#options = options;
    this.#seen = known;
  }

  /**
   * What an engine before was sending goes on: not so texts and pushes of pages that had ended by then. A ring has
   * to be found first, to be ended.
   */
  resumed(): void {
    for (const { pages } of this.#seen) {
      for (const { label, channel, result } of pages) {
        if (result !== null && channel !== "voice") this.#options.onPageEnded(label);
      }
    }
  }

  /** A `note` is of what no actor has said: a replay does not come to it. */
  see(incidents: readonly Incident[], kind: "state" | "note" = "state"): void {
    const before = this.#seen;
    this.#seen = incidents;
    for (const incident of incidents) {
      const old = before.find((each) => each.number === incident.number) ?? null;
      if (old !== incident) this.#changed(old, incident, kind);
    }
  }

  #changed(old: Incident | null, incident: Incident, kind: "state" | "note"): void {
    const { recorder, metrics, tell, onPageEnded } = this.#options;
    metrics.incidentChanged(old, incident);
    const known = new Map(old?.pages.map((page) => [page.label, page.result]));
    const changed = incident.pages.filter((page) => known.get(page.label) !== page.result);
    for (const page of changed) {
      if (page.result === null) continue;
      metrics.pageEnded(page.channel, page.result);
      onPageEnded(page.label);
    }
    const facts = factsOf(incident, changed);
    const same = old && changed.length === 0 && JSON.stringify(factsOf(old, [])) === JSON.stringify(facts);
    if (same) return;
    recorder.write(kind, "incident", { ...facts });
    tell(facts);
  }
}

/** Without a number or a URL: names, and where the ladder stands. `pages` are those that have changed. */
function factsOf(incident: Incident, pages: readonly PageRecord[]): IncidentFacts {
  const { number, phase, walk, rung, owner, outcome } = incident;
  return {
    number,
    phase,
    walk,
    rung,
    outcome,
    owner: owner && { contact: owner.contactName, rung: owner.rungName, channel: owner.channel },
    pages: pages.map(({ label, channel, contactName, rungName, purpose, result }) => ({
      label,
      channel,
      contact: contactName,
      rung: rungName,
      purpose,
      result,
    })),
  };
}
