import { describe, expect, test } from "bun:test";
import { OpenTools } from "../../../engine/call/open-tools.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { VoiceMetrics } from "../../../engine/call/voice-metrics.ts";

describe("the voice's figures", () => {
  test("hold a turn by part, and together with the way to the carrier", () => {
    const metrics = new VoiceMetrics();
    metrics.turn({ turnMs: 700, decideMs: 300, speakMs: 390, sendMs: 10, roundTripMs: 80 });
    metrics.turn({ turnMs: 500, decideMs: null, speakMs: 490, sendMs: 10, roundTripMs: 0 });
    expect(metrics.voiceToVoice.sumMs).toBe(1280);
    const counts = Object.entries(metrics.turnParts).map(([part, { count, sumMs }]) => [part, count, sumMs]);
    expect(counts).toEqual([
      ["decide", 1, 300],
      ["speak", 2, 880],
      ["send", 2, 20],
      // Not measured is not none.
      ["round_trip", 1, 80],
    ]);
  });

  test("count tool calls by what became of them, and forget none", () => {
    const metrics = new VoiceMetrics();
    const tools = new OpenTools({ clock: new VirtualClock(), metrics });
    tools.begin("call-1", "escalate");
    tools.answer("call-1", "calling_human");
    tools.answer("call-1", "calling_human");
    tools.begin("call-2", "take_back");
    tools.answer("call-2", "not_possible_now");
    tools.refuse(null);
    tools.begin("call-3", "end_call");
    tools.drop();
    tools.answer("call-3", "goodbye_noted");
    for (let i = 0; i < 40; i++) tools.begin(`many-${i}`, "escalate");
    const counted = metrics.tools.filter(({ value }) => value > 0);
    expect(counted.map(({ labels, value }) => [labels["tool"], labels["result"], value])).toEqual([
      ["escalate", "done", 1],
      ["escalate", "unanswered", 8],
      ["end_call", "unanswered", 1],
      ["take_back", "not_possible", 1],
      ["unknown", "refused", 1],
    ]);
  });
});
