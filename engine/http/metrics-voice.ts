/** What `GET /metrics` tells of the AI's voice and of the lines to the carrier. */
import type { MetricSources } from "./metrics.ts";
import { counter, gauge, histogram, histogramsBy, labelled, type Metric, numbersBy } from "./prometheus.ts";

type Counts = Readonly<Record<string, number>>;

export function voiceMetrics({ voiceMetrics: voice, model, supervisor }: MetricSources): readonly Metric[] {
  const waits = supervisor.all().map(({ callerWaitMs }) => callerWaitMs);
  return [
    histogram(
      "tandem_voice_to_voice_seconds",
      "What a caller waits for an answer, as it is at the carrier: the turn, and the round trip to the carrier as far as it is measured.",
      voice.voiceToVoice,
    ),
    histogramsBy(
      "tandem_turn_part_seconds",
      "The same by part: decide (until the model begins an answer), speak (until its first speech comes), send (until the first frame is handed to the carrier's socket), round_trip (as the last mark measured it).",
      "part",
      voice.turnParts,
    ),
    gauge(
      "tandem_caller_wait_seconds",
      "The longest that a caller is waiting for the AI right now: for an answer, or for its line or its model to be there (again).",
      Math.max(0, ...waits) / 1000,
    ),
    histogram(
      "tandem_heard_error_seconds",
      "At a barge-in, the stated error of how much of the cut speech was heard: what the model is told to have said.",
      voice.heardError,
    ),
    histogram(
      "tandem_handover_gap_seconds",
      "How long neither AI nor caller had spoken when a person came into the room, with the AI still there and the caller not on hold.",
      voice.handoverGap,
    ),
    labelled(
      "counter",
      "tandem_tool_calls_total",
      "Tool calls of the model: done; not_possible as the call stood; refused: bad arguments or an unknown tool; unanswered: its session ended first.",
      voice.tools,
    ),
    labelled(
      "counter",
      "tandem_model_errors_total",
      "Trouble with the model: reconnecting (its connection was lost), warning (the session survived it), failed (it did not).",
      voice.troubles,
    ),
    numbersBy(
      "counter",
      "tandem_model_total",
      "The model's sessions: what was opened, rebuilt, dropped or refused.",
      "counter",
      model.counters?.() ?? {},
    ),
  ];
}

const MARKS: readonly (readonly [name: string, help: string, counters: readonly string[]])[] = [
  ["tandem_marks_sent_total", "Marks sent to the carrier to learn how far it has played.", ["marksSent"]],
  [
    "tandem_marks_lost_total",
    "Marks that never came back though a later one did, or that were given up.",
    ["marksSkipped", "marksForgotten"],
  ],
  [
    "tandem_underruns_total",
    "Times when the carrier ran dry in the middle of the model's speech: the caller heard a gap.",
    ["underruns"],
  ],
];

export function lineMetrics({ gateway }: MetricSources): readonly Metric[] {
  const counts = gateway.lineCounters();
  const own = new Set(MARKS.flatMap(([, , counters]) => counters));
  const rest: Counts = Object.fromEntries(Object.entries(counts).filter(([name]) => !own.has(name)));
  return [
    ...MARKS.map(([name, help, counters]) =>
      counter(
        name,
        help,
        counters.reduce((sum, each) => sum + (counts[each] ?? 0), 0),
      ),
    ),
    numbersBy(
      "counter",
      "tandem_line_total",
      "Media streams, what else was counted: messages, bytes and gaps in; frames and bytes out; bytes that were cut, refused or dropped; marks that came back, or proved nothing.",
      "counter",
      rest,
    ),
  ];
}
