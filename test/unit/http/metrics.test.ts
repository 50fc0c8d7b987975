import { describe, expect, test } from "bun:test";
import { EscalationMetrics } from "../../../engine/call/escalation-metrics.ts";
import { incidentOf, ownerOf, pageOf } from "../call/incidents.ts";
import { START_MS } from "../call/support.ts";
import { VoiceMetrics } from "../../../engine/call/voice-metrics.ts";
import { CostMetrics } from "../../../engine/cost/cost-metrics.ts";
import { createLiveIndex } from "../../../engine/call/live-index.ts";
import { Journal } from "../../../engine/effects/journal.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { MediaMetrics } from "../../../engine/media/media-metrics.ts";
import { Histogram } from "../../../engine/platform/histogram.ts";
import { engineMetrics, type MetricSources } from "../../../engine/http/metrics.ts";

function sources(carrier: Record<string, number> = {}): MetricSources {
  const none = { counters: () => ({}) };
  return {
    index: createLiveIndex(),
    gateway: {
      ...none,
      lineCounters: () => ({ marksSent: 50, marksSkipped: 2, marksForgotten: 1, underruns: 4 }),
    },
    model: { counters: () => ({ reconnects: 14 }) },
    voiceMetrics: new VoiceMetrics(),
    costMetrics: new CostMetrics(),
    carrier: { counters: () => carrier },
    store: { ...none, failing: null },
    journal: new Journal({
      store: new MemoryStore(),
      clock: new VirtualClock(),
      log: silentLog,
    }),
    strays: { counters: { malformed: 2 } },
    escalationMetrics: new EscalationMetrics(),
    escalations: { counters: { callsForgotten: 7 } },
    pushes: { counters: () => ({ sent: 8 }) },
    postCalls: { size: 11, counters: () => ({ begun: 12 }), answers: () => ({ timeout: 13 }) },
    followUps: { size: 9, counters: { followUpsRefused: 10 } },
    ackPages: { counters: { ackUnknown: 1 } },
    recordings: { counters: () => ({ failed: 6 }) },
    retention: { counters: { rowsExpired: 11 } },
    guard: { counters: { refusedSignature: 3 } },
    access: { counters: { refused: 4 } },
    socketCaps: { size: 0, counters: { socketsOverAddress: 14 } },
    feed: { viewers: 0, counters: { messages: 5 } },
    charts: { counters: { drawn: 12 } },
    viewers: { size: 0, counters: { deltas: 2 } },
    readiness: () => ({ ready: true }),
    supervisor: { all: () => [{ callerWaitMs: 1500 }, { callerWaitMs: 0 }] },
    lateness: { total: new Histogram(), quantile: (q) => q * 10, cpuShare: 0.25 },
    mediaMetrics: new MediaMetrics(),
    twiml: { voice: new Histogram() },
  };
}

const call = (callSid: string, state: string) =>
  ({ callSid, state, value: state, startedAtMs: 1, role: "agent" }) as const;

describe("the metrics", () => {
  test("count calls by state and by how they ended", () => {
    const from = sources();
    for (const [sid, state] of [
      ["a", "streaming"],
      ["b", "streaming"],
      ["c", "coaching"],
      ["d", "arriving"],
    ] as const) {
      from.index.send({ type: "begun", call: call(sid, state) });
    }
    from.index.send({ type: "over", callSid: "d", reason: "caller_hung_up" });
    from.index.send({ type: "refused", reason: "full" });
    const text = engineMetrics(from);
    expect(text).toContain("# TYPE tandem_calls_live gauge\n");
    for (const line of [
      "tandem_calls_started_total 4",
      'tandem_calls_refused_total{reason="full"} 1',
      'tandem_calls_refused_total{reason="overloaded"} 0',
      "tandem_ready 1",
      "tandem_store_failing 0",
      'tandem_calls_live{state="streaming"} 2',
      'tandem_calls_live{state="coaching"} 1',
      'tandem_calls_ended_total{reason="caller_hung_up"} 1',
      'tandem_webhooks_total{counter="malformed"} 2',
      'tandem_webhooks_total{counter="refusedSignature"} 3',
      'tandem_console_total{counter="refused"} 4',
      'tandem_console_total{counter="messages"} 5',
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });

  test("count pages by channel and result, incidents by outcome, acks by rung and the time to them", () => {
    const from = sources();
    const { escalationMetrics } = from;
    const page = pageOf("sms-1");
    const owner = ownerOf(page, { ackAtMs: START_MS + 45_000 });
    const open = incidentOf([page]);
    const owned = incidentOf([page], { phase: "owned", outcome: "owned", owner });
    escalationMetrics.incidentChanged(null, open);
    escalationMetrics.incidentChanged(open, owned);
    // Told again, it is the same ack.
    escalationMetrics.incidentChanged(owned, { ...owned, clear: true });
    escalationMetrics.pageEnded("sms", "acknowledged");
    escalationMetrics.pageEnded("voice", "cancelled");
    escalationMetrics.pageEnded("voice", "cancelled");
    const lines = engineMetrics(from).split("\n");
    for (const line of [
      'tandem_pages_total{channel="sms",result="acknowledged"} 1',
      'tandem_pages_total{channel="voice",result="cancelled"} 2',
      'tandem_incidents_total{outcome="owned"} 1',
      'tandem_acks_total{rung="primary"} 1',
      'tandem_time_to_ack_seconds_bucket{le="30"} 0',
      'tandem_time_to_ack_seconds_bucket{le="60"} 1',
      'tandem_time_to_ack_seconds_bucket{le="+Inf"} 1',
      "tandem_time_to_ack_seconds_sum 45",
      "tandem_follow_ups_open 9",
      'tandem_pushes_total{counter="sent"} 8',
      'tandem_escalations_total{counter="callsForgotten"} 7',
      'tandem_escalations_total{counter="followUpsRefused"} 10',
    ]) {
      expect(lines).toContain(line);
    }
  });

  test("are lines that Prometheus can read, each family announced once before its values", () => {
    const lines = engineMetrics(sources({ "createCall.ok": 1, "createCall.failed": 0.5 })).split("\n");
    expect(lines.pop()).toBe("");
    let family = "";
    const seen = new Set<string>();
    for (const line of lines) {
      const head = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
      if (head?.[1] === "HELP") {
        family = head[2] ?? "";
        expect(seen.has(family)).toBe(false);
        seen.add(family);
      } else if (head) {
        expect([head[2], ["counter", "gauge", "histogram"].includes(head[3] ?? "")]).toEqual([family, true]);
      } else {
        expect(line).toMatch(/^[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"(,[a-z]+="[^"]*")*\})? [0-9.]+$/);
        expect(line).toStartWith(family);
      }
    }
  });

  test("tell how long things took in seconds, cumulative up to each bound", () => {
    const from = sources();
    for (const ms of [0.4, 7, 7, 90_000]) from.mediaMetrics.turn.record(ms);
    from.twiml["voice"]?.record(2.5);
    const lines = engineMetrics(from).split("\n");
    for (const line of [
      "# TYPE tandem_turn_seconds histogram",
      'tandem_turn_seconds_bucket{le="0.00025"} 0',
      'tandem_turn_seconds_bucket{le="0.0005"} 1',
      'tandem_turn_seconds_bucket{le="0.005"} 1',
      'tandem_turn_seconds_bucket{le="0.008"} 3',
      'tandem_turn_seconds_bucket{le="3.2"} 3',
      'tandem_turn_seconds_bucket{le="+Inf"} 4',
      "tandem_turn_seconds_sum 90.0144",
      "tandem_turn_seconds_count 4",
      'tandem_twiml_seconds_bucket{hook="voice",le="0.002"} 0',
      'tandem_twiml_seconds_bucket{hook="voice",le="0.003"} 1',
      'tandem_loop_lateness_recent_seconds{q="0.99"} 0.0099',
      "tandem_process_cpu_share 0.25",
    ]) {
      expect(lines).toContain(line);
    }
  });

  test("tell the longest of those who wait, and marks and underruns of all lines", () => {
    const lines = engineMetrics(sources()).split("\n");
    for (const line of [
      "tandem_caller_wait_seconds 1.5",
      "tandem_marks_sent_total 50",
      "tandem_marks_lost_total 3",
      "tandem_underruns_total 4",
      'tandem_model_total{counter="reconnects"} 14',
    ]) {
      expect(lines).toContain(line);
    }
  });

  test("tell requests to the carrier by operation, and what waited for the account's rate in seconds", () => {
    const counts = {
      requests_createCall: 9,
      retries_createCall: 2,
      failures_sendMessage: 1,
      throttled: 3,
      budget_waited_ms: 2500,
      budget_queue_depth: 4,
      ambiguous: 5,
    };
    const lines = engineMetrics(sources(counts)).split("\n");
    for (const line of [
      'tandem_carrier_requests_total{operation="createCall"} 9',
      'tandem_carrier_retries_total{operation="createCall"} 2',
      'tandem_carrier_failures_total{operation="sendMessage"} 1',
      "tandem_carrier_throttled_total 3",
      "tandem_carrier_budget_wait_seconds_total 2.5",
      "tandem_carrier_budget_queue 4",
      'tandem_carrier_total{counter="ambiguous"} 5',
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.filter((line) => line.startsWith("tandem_carrier_total{"))).toHaveLength(1);
  });

  test("escape what a label holds", () => {
    const text = engineMetrics(sources({ 'a"b\\c\nd': 1 }));
    expect(text.split("\n")).toContain('tandem_carrier_total{counter="a\\"b\\\\c\\nd"} 1');
  });
});
