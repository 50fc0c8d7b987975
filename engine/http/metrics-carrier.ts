/** What `GET /metrics` tells of the requests to the carrier. */
import type { Carrier } from "../ports.ts";
import { counter, gauge, type Metric, numbersBy } from "./prometheus.ts";

type Counts = Readonly<Record<string, number>>;

/** Of the carrier's counters those that have a family of their own. */
const OWN: ReadonlySet<string> = new Set(["throttled", "budget_waited_ms", "budget_queue_depth"]);
/** All there are from the start: of a counter that begins at one, the first event is not seen. */
const OPERATIONS = {
  createParticipant: 0,
  updateParticipant: 0,
  removeParticipant: 0,
  fetchParticipant: 0,
  listParticipants: 0,
  findConference: 0,
  endConference: 0,
  createCall: 0,
  updateCall: 0,
  fetchCall: 0,
  sendMessage: 0,
  findCalls: 0,
  findMessages: 0,
} satisfies Record<Exclude<keyof Carrier, "counters" | "close">, number>;
const BY_OPERATION = /^(requests|retries|failures)_(\w+)$/;

export function carrierMetrics(counts: Counts): readonly Metric[] {
  const by = (kind: string): Counts => ({
    ...OPERATIONS,
    ...Object.fromEntries(
      Object.entries(counts).flatMap(([name, value]) => {
        const parts = BY_OPERATION.exec(name);
        return parts?.[1] === kind ? [[parts[2], value]] : [];
      }),
    ),
  });
  const rest = Object.entries(counts).filter(([name]) => !OWN.has(name) && !BY_OPERATION.test(name));
  const operations = (name: string, help: string, kind: string): Metric =>
    numbersBy("counter", name, help, "operation", by(kind));
  return [
    operations("tandem_carrier_requests_total", "Requests to the carrier, repetitions included.", "requests"),
    operations(
      "tandem_carrier_retries_total",
      "Requests to the carrier that were repeated: after a 429, and what cannot be done twice by it.",
      "retries",
    ),
    operations("tandem_carrier_failures_total", "Requests to the carrier that failed for good.", "failures"),
    counter(
      "tandem_carrier_throttled_total",
      "Requests that the carrier answered with 429.",
      counts["throttled"] ?? 0,
    ),
    counter(
      "tandem_carrier_budget_wait_seconds_total",
      "What requests that create calls have waited for the account's calls per second, in all.",
      (counts["budget_waited_ms"] ?? 0) / 1000,
    ),
    gauge(
      "tandem_carrier_budget_queue",
      "Requests that wait for the account's calls per second.",
      counts["budget_queue_depth"] ?? 0,
    ),
    numbersBy(
      "counter",
      "tandem_carrier_total",
      "Requests to the carrier, what else was counted: those of unknown outcome; refused since the account has too many calls; the budget's.",
      "counter",
      Object.fromEntries(rest),
    ),
  ];
}
