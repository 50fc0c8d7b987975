/** Prometheus text (exposition format 0.0.4) from plain counters. */
import { LIVE_STATES } from "../../machines/events.ts";
import type { LiveIndex } from "../call/live-index.ts";

interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

function prometheusText(gauges: readonly Gauge[]): string {
  let text = "";
  for (const gauge of gauges) {
    text += `# HELP ${gauge.name} ${gauge.help}\n# TYPE ${gauge.name} ${gauge.type}\n`;
    for (const { labels, value } of gauge.values) text += `${gauge.name}${labelsText(labels)} ${value}\n`;
  }
  return text;
}

/** One counter per entry, told apart by a label. */
function counterFamily(
  name: string,
  help: string,
  label: string,
  counters: Readonly<Record<string, number>>,
): Gauge {
  const values = Object.entries(counters).map(([key, value]) => ({ labels: { [label]: key }, value }));
  return { name, help, type: "counter", values };
}

function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  if (!labels) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return `{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

export interface MetricSources {
  readonly index: LiveIndex;
  readonly gateway: { counters(): Readonly<Record<string, number>> };
  readonly carrier: { counters(): Readonly<Record<string, number>> };
  readonly store: { counters(): Readonly<Record<string, number>> };
  readonly webhooks: { readonly counters: Readonly<Record<string, number>> };
  readonly guard: { readonly counters: Readonly<Record<string, number>> };
  readonly access: { readonly counters: Readonly<Record<string, number>> };
  readonly feed: { readonly counters: Readonly<Record<string, number>> };
}

/** Of the gateway's counters those that go down again. */
const GATEWAY_GAUGES = new Set(["live", "waiting", "tokens"]);

function gaugesApart(counters: Readonly<Record<string, number>>) {
  const entries = Object.entries(counters);
  return {
    now: Object.fromEntries(entries.filter(([name]) => GATEWAY_GAUGES.has(name))),
    total: Object.fromEntries(entries.filter(([name]) => !GATEWAY_GAUGES.has(name))),
  };
}

/** The text of `GET /metrics`. */
export function engineMetrics(from: MetricSources): string {
  const { calls, ended, started, refused } = from.index.getSnapshot().context;
  const byState: Record<string, number> = {};
  for (const state of LIVE_STATES) byState[state] = 0;
  for (const call of Object.values(calls)) byState[call.state] = (byState[call.state] ?? 0) + 1;
  const media = gaugesApart(from.gateway.counters());
  return prometheusText([
    {
      name: "tandem_calls_started_total",
      help: "Calls begun.",
      type: "counter",
      values: [{ value: started }],
    },
    {
      name: "tandem_calls_refused_total",
      help: "Calls turned away.",
      type: "counter",
      values: [{ value: refused }],
    },
    { ...counterFamily("tandem_calls_live", "Live calls by state.", "state", byState), type: "gauge" },
    counterFamily("tandem_calls_ended_total", "Calls ended by reason.", "reason", ended),
    {
      ...counterFamily("tandem_media_now", "Media gateway, at this moment.", "kind", media.now),
      type: "gauge",
    },
    counterFamily("tandem_media_total", "Media gateway, since start.", "counter", media.total),
    counterFamily("tandem_carrier_total", "Requests to the carrier.", "counter", from.carrier.counters()),
    counterFamily("tandem_store_total", "Store.", "counter", from.store.counters()),
    counterFamily("tandem_webhooks_total", "Refused and stray webhooks.", "counter", {
      ...from.webhooks.counters,
      ...from.guard.counters,
    }),
    counterFamily("tandem_console_total", "Console.", "counter", {
      ...from.access.counters,
      ...from.feed.counters,
    }),
  ]);
}
