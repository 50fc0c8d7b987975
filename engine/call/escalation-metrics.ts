/** What became of all incidents and pages since start, for `/metrics`. */
import {
  type Channel,
  CHANNELS,
  type Incident,
  INCIDENT_OUTCOMES,
  type IncidentOutcome,
  PAGE_RESULTS,
  type PageResult,
} from "../../machines/ladder.types.ts";
import { DurationBuckets } from "../platform/duration-buckets.ts";

/** From an incident's opening to its acknowledgement: seconds to an hour. */
const ACK_BOUNDS_MS = [
  1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 90_000, 120_000, 180_000, 300_000, 600_000, 1_200_000,
  3_600_000,
];

export class EscalationMetrics {
  readonly timeToAck = new DurationBuckets(ACK_BOUNDS_MS);
  /** All there are from the start: of a counter that begins at one, the first event is not seen. */
  readonly #pages = new Map<string, { channel: Channel; result: PageResult; count: number }>(
    CHANNELS.flatMap((channel) =>
      PAGE_RESULTS.map((result) => [`${channel}/${result}`, { channel, result, count: 0 }]),
    ),
  );
  readonly #outcomes = new Map<IncidentOutcome, number>(INCIDENT_OUTCOMES.map((outcome) => [outcome, 0]));
  /** By the rung's name: as many as deployments have names. */
  readonly #acks = new Map<string, number>();
  /** As `#acks`. */
  readonly #rungs = new Map<string, number>();

  pageEnded(channel: Channel, result: PageResult): void {
    const entry = this.#pages.get(`${channel}/${result}`);
    if (entry) entry.count++;
  }

  incidentChanged(old: Incident | null, incident: Incident): void {
    const { owner, outcome, openedAtMs } = incident;
    const before = new Set(old?.pages.map(({ rungName }) => rungName));
    for (const rung of new Set(incident.pages.map(({ rungName }) => rungName))) {
      if (!before.has(rung)) this.#rungs.set(rung, (this.#rungs.get(rung) ?? 0) + 1);
    }
    if (owner !== null && owner.ackAtMs !== (old?.owner?.ackAtMs ?? null)) {
      this.#acks.set(owner.rungName, (this.#acks.get(owner.rungName) ?? 0) + 1);
      this.timeToAck.record(owner.ackAtMs - openedAtMs);
    }
    if (outcome !== null && outcome !== (old?.outcome ?? null)) {
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    }
  }

  get pages(): readonly { readonly channel: Channel; readonly result: PageResult; readonly count: number }[] {
    return [...this.#pages.values()];
  }

  get outcomes(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#outcomes);
  }

  /** How many incidents came so far as to page each rung. */
  get rungs(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#rungs);
  }

  get acks(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#acks);
  }
}
