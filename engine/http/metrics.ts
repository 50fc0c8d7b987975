/** What `GET /metrics` tells, as Prometheus text. */
import { END_REASONS, LIVE_STATES } from "../../machines/events.ts";
import type { CostMetrics } from "../cost/cost-metrics.ts";
import type { Journal } from "../effects/journal.ts";
import type { EscalationMetrics } from "../call/escalation-metrics.ts";
import type { LiveIndex } from "../call/live-index.ts";
import type { VoiceMetrics } from "../call/voice-metrics.ts";
import { type MediaMetrics, TIMED_EVERY } from "../media/media-metrics.ts";
import type { Histogram } from "../platform/histogram.ts";
import type { LoopLateness } from "../platform/loop-lateness.ts";
import { carrierMetrics } from "./metrics-carrier.ts";
import { lineMetrics, voiceMetrics } from "./metrics-voice.ts";
import type { SpanExporter } from "../tracing-port.ts";
import type { Readiness } from "./readiness.ts";
import {
  counter,
  gauge,
  histogram,
  histogramsBy,
  labelled,
  type Metric,
  numbersBy,
  prometheusText,
} from "./prometheus.ts";

export interface MetricSources {
  readonly index: LiveIndex;
  readonly gateway: {
    counters(): Readonly<Record<string, number>>;
    lineCounters(): Readonly<Record<string, number>>;
  };
  readonly carrier: { counters(): Readonly<Record<string, number>> };
  readonly store: { readonly failing: string | null; counters(): Readonly<Record<string, number>> };
  readonly strays: { readonly counters: Readonly<Record<string, number>> };
  readonly ackPages: { readonly counters: Readonly<Record<string, number>> };
  readonly recordings: { counters(): Readonly<Record<string, number>> };
  readonly guard: { readonly counters: Readonly<Record<string, number>> };
  readonly socketCaps: { readonly size: number; readonly counters: Readonly<Record<string, number>> };
  readonly access: { readonly counters: Readonly<Record<string, number>> };
  readonly charts: { readonly counters: Readonly<Record<string, number>> };
  readonly viewers: { readonly size: number; readonly counters: Readonly<Record<string, number>> };
  readonly feed: { readonly viewers: number; readonly counters: Readonly<Record<string, number>> };
  readonly readiness: () => Pick<Readiness, "ready">;
  readonly supervisor: { all(): readonly { readonly callerWaitMs: number }[] };
  readonly model: { counters?(): Readonly<Record<string, number>> };
  readonly voiceMetrics: VoiceMetrics;
  readonly costMetrics: CostMetrics;
  /** Left out: there are no spans. */
  readonly tracer?: Pick<SpanExporter, "counters">;
  /** `undefined`: the clock is the machine's own. */
  readonly steady?: { readonly machineAheadMs: number };
  readonly lateness: Pick<LoopLateness, "total" | "quantile" | "cpuShare">;
  readonly mediaMetrics: MediaMetrics;
  readonly escalationMetrics: EscalationMetrics;
  readonly escalations: { readonly counters: Readonly<Record<string, number>> };
  readonly journal: Pick<Journal, "lag" | "open" | "counters" | "results">;
  readonly retention: { readonly counters: Readonly<Record<string, number>> } | null;
  readonly pushes: { counters(): Readonly<Record<string, number>> };
  readonly postCalls: {
    readonly size: number;
    counters(): Readonly<Record<string, number>>;
    answers(): Readonly<Record<string, number>>;
  };
  readonly followUps: { readonly size: number; readonly counters: Readonly<Record<string, number>> };
  /** Times of the webhooks that a caller waits for. */
  readonly twiml: Readonly<Record<string, Histogram>>;
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
  return prometheusText([
    ...callMetrics(from),
    ...escalationMetrics(from),
    ...journalMetrics(from),
    ...postCallMetrics(from),
    ...voiceMetrics(from),
    ...latencyMetrics(from),
    ...lineMetrics(from),
    ...carrierMetrics(from.carrier.counters()),
    ...costMetrics(from),
    ...storeMetrics(from),
    ...counterMetrics(from),
  ]);
}

function callMetrics({ index, readiness }: MetricSources): readonly Metric[] {
  const { calls, ended, started, restored, refused } = index.getSnapshot().context;
  const byState: Record<string, number> = {};
  for (const state of LIVE_STATES) byState[state] = 0;
  for (const call of Object.values(calls)) byState[call.state] = (byState[call.state] ?? 0) + 1;
  const endings = { ...Object.fromEntries(END_REASONS.map((reason) => [reason, 0])), ...ended };
  const turnedAway = { draining: 0, full: 0, storage: 0, overloaded: 0, ...refused };
  return [
    counter("tandem_calls_started_total", "Calls begun.", started),
    counter("tandem_calls_restored_total", "Calls gone on with after a restart.", restored),
    numbersBy("counter", "tandem_calls_refused_total", "Calls turned away, by reason.", "reason", turnedAway),
    numbersBy("gauge", "tandem_calls_live", "Live calls by state.", "state", byState),
    numbersBy("counter", "tandem_calls_ended_total", "Calls ended by reason.", "reason", endings),
    gauge("tandem_ready", "1 while a new call could be taken, as /readyz says.", readiness().ready ? 1 : 0),
  ];
}

function escalationMetrics(from: MetricSources): readonly Metric[] {
  const { escalationMetrics: of, escalations, followUps, pushes } = from;
  return [
    labelled(
      "counter",
      "tandem_pages_total",
      "Pages that have ended, by channel and result.",
      of.pages.map(({ channel, result, count }) => ({ labels: { channel, result }, value: count })),
    ),
    numbersBy(
      "counter",
      "tandem_incidents_total",
      "Incidents by outcome; one that is followed up after its call counts again.",
      "outcome",
      of.outcomes,
    ),
    numbersBy(
      "counter",
      "tandem_rungs_reached_total",
      "Incidents that paged this rung, each once.",
      "rung",
      of.rungs,
    ),
    numbersBy("counter", "tandem_acks_total", "Acknowledgements by rung.", "rung", of.acks),
    histogram("tandem_time_to_ack_seconds", "From opening an incident to its acknowledgement.", of.timeToAck),
    gauge(
      "tandem_follow_ups_open",
      "Incidents that are paged on after their caller has left.",
      followUps.size,
    ),
    numbersBy("counter", "tandem_pushes_total", "Pushes.", "counter", pushes.counters()),
    numbersBy("counter", "tandem_escalations_total", "What was not kept or not begun.", "counter", {
      ...escalations.counters,
      ...followUps.counters,
    }),
  ];
}

function journalMetrics({ journal }: MetricSources): readonly Metric[] {
  return [
    labelled(
      "counter",
      "tandem_effects_total",
      "Effects on the outside world by how they ended: done; failed; dead: nobody knows.",
      journal.results.map(({ name, result, count }) => ({ labels: { effect: name, result }, value: count })),
    ),
    gauge("tandem_effects_open", "Effects on the outside world that have no result yet.", journal.open),
    numbersBy(
      "counter",
      "tandem_journal_total",
      "Effects: intents written; resumed after a restart; found done already; repeated since surely not done; dead: nobody knows; late, unjournaled (nothing could be written) or refused: run before their intent was durable; taken: another effect has the id.",
      "counter",
      journal.counters,
    ),
    histogram(
      "tandem_journal_lag_seconds",
      "From an effect's intent being written to its being durable: what it waits for.",
      journal.lag,
    ),
  ];
}

function postCallMetrics({ postCalls }: MetricSources): readonly Metric[] {
  return [
    gauge("tandem_post_calls_open", "Calls that are over and whose rows are not complete.", postCalls.size),
    numbersBy(
      "counter",
      "tandem_post_calls_total",
      "What follows calls: begun; resumed after a restart; overflowed: not begun; extracted, or not at all; delivered, or not at all; attempts that failed; places in the transcript that were corrected, or are not there.",
      "counter",
      postCalls.counters(),
    ),
    numbersBy(
      "counter",
      "tandem_extractions_total",
      "Requests to read a transcript, by what came of them.",
      "answer",
      postCalls.answers(),
    ),
  ];
}

function costMetrics({ costMetrics: of }: MetricSources): readonly Metric[] {
  return [
    numbersBy(
      "counter",
      "tandem_model_tokens_total",
      "Tokens of the speech model, input that was not cached and input that was, text and audio apart; and those of reading transcripts.",
      "kind",
      of.tokens,
    ),
    numbersBy(
      "counter",
      "tandem_carrier_billed_seconds_total",
      "What the carrier bills by the minute begun, of calls that are over: legs in, legs out, the AI's leg, streams and forks, everybody's time in the conference, recordings.",
      "kind",
      of.billedS,
    ),
    counter("tandem_carrier_messages_total", "Texts that were sent for calls that are over.", of.messages),
    labelled(
      "counter",
      "tandem_cost_total",
      "What calls that are over have cost, in the currency of the deployment's price table; a part without a price adds nothing.",
      of.money,
    ),
    numbersBy(
      "counter",
      "tandem_calls_costed_total",
      "Calls that are over: whether all that they used is counted and has a price.",
      "cost",
      of.calls,
    ),
  ];
}

function storeMetrics({ store }: MetricSources): readonly Metric[] {
  const { queuedWrites = 0, ...counts } = store.counters();
  return [
    gauge(
      "tandem_store_failing",
      "1 while nothing can be written to the database: new calls are turned away.",
      store.failing === null ? 0 : 1,
    ),
    gauge("tandem_store_queued_writes", "Writes that wait for the database.", queuedWrites),
    numbersBy("counter", "tandem_store_total", "Store, since start.", "counter", counts),
  ];
}

function counterMetrics(from: MetricSources): readonly Metric[] {
  const media = gaugesApart(from.gateway.counters());
  const total = (name: string, help: string, counters: Readonly<Record<string, number>>): Metric =>
    numbersBy("counter", name, help, "counter", counters);
  return [
    numbersBy("gauge", "tandem_media_now", "Media gateway, at this moment.", "kind", media.now),
    total("tandem_media_total", "Media gateway, since start.", media.total),
    total("tandem_recordings_total", "Recordings of our own.", from.recordings.counters()),
    total("tandem_retention_total", "What was kept for long enough.", from.retention?.counters ?? {}),
    total("tandem_webhooks_total", "Refused and stray webhooks and ack links.", {
      ...from.strays.counters,
      ...from.guard.counters,
      ...from.ackPages.counters,
    }),
    numbersBy(
      "counter",
      "tandem_trace_spans_total",
      "Spans of traces: exported; overflowed: too many waited; failed: the collector did not take them.",
      "result",
      from.tracer?.counters() ?? { exported: 0, overflowed: 0, failed: 0 },
    ),
    total("tandem_charts_total", "Drawings of machines that were made.", from.charts.counters),
    numbersBy(
      "gauge",
      "tandem_console_now",
      "Sockets of the console (viewers) and of programs that watch (feeds), and the places that they take.",
      "kind",
      {
        viewers: from.viewers.size,
        feeds: from.feed.viewers,
        places: from.socketCaps.size,
      },
    ),
    total("tandem_console_total", "Console.", {
      ...from.access.counters,
      ...from.socketCaps.counters,
      ...from.feed.counters,
      ...from.viewers.counters,
    }),
  ];
}

/** Where a caller's waiting comes from: the engine's own share, the network's and the model's. */
function latencyMetrics({ lateness, steady, mediaMetrics: media, twiml }: MetricSources): readonly Metric[] {
  return [
    gauge(
      "tandem_clock_offset_seconds",
      "How much the machine's clock is ahead of the one that calls go by, which does not jump with it.",
      (steady?.machineAheadMs ?? 0) / 1000,
    ),
    histogram(
      "tandem_loop_lateness_seconds",
      "How much after its time a timer of 11 ms ran; ticks that a stall swallowed count with their own lateness.",
      lateness.total,
    ),
    numbersBy(
      "gauge",
      "tandem_loop_lateness_recent_seconds",
      "The same over the last ten seconds, by quantile `q`: what new calls are admitted by.",
      "q",
      { "0.5": lateness.quantile(0.5) / 1000, "0.99": lateness.quantile(0.99) / 1000 },
    ),
    gauge(
      "tandem_process_cpu_share",
      "CPU time of this process in the last second, as a share of one core.",
      lateness.cpuShare,
    ),
    histogram(
      "tandem_media_inbound_handling_seconds",
      `From a carrier's media message reaching its leg to its audio being handed to the model's session; one message in ${TIMED_EVERY}.`,
      media.inboundHandling,
    ),
    histogram(
      "tandem_media_outbound_handling_seconds",
      "From a piece of the model's speech reaching the playout to its first frame being handed to the carrier's socket, when nothing waited before it and pacing let it go at once.",
      media.outboundHandling,
    ),
    histogram(
      "tandem_carrier_round_trip_seconds",
      "From the moment when the audio before a mark would be played, had the carrier got it at once, to the mark's return: the network both ways, and what the carrier delays.",
      media.carrierRoundTrip,
    ),
    histogram(
      "tandem_media_arrival_delay_seconds",
      `How much later than the fastest message of the last seconds a carrier's message was handled, by its timestamp: network jitter and our own lateness; one message in ${TIMED_EVERY}.`,
      media.arrivalDelay,
    ),
    histogram(
      "tandem_barge_in_seconds",
      "From the model's word that the caller speaks, to clear being handed to the carrier's socket.",
      media.bargeIn,
    ),
    histogram(
      "tandem_turn_seconds",
      "From the model's word that the caller has stopped speaking, to the first frame of the answer being handed to the carrier's socket: the model's share and ours.",
      media.turn,
    ),
    histogram(
      "tandem_pacing_lateness_seconds",
      "How much after its time a tick of the pacing wheel ran; up to 1 ms of it is the timer's rounding.",
      media.wheelLateness,
    ),
    histogramsBy(
      "tandem_twiml_seconds",
      "From a webhook's request to its TwiML, signature check included.",
      "hook",
      twiml,
    ),
  ];
}
