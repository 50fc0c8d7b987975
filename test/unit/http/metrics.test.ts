import { describe, expect, test } from "bun:test";
import { createLiveIndex } from "../../../engine/call/live-index.ts";
import { engineMetrics, type MetricSources } from "../../../engine/http/metrics.ts";

function sources(carrier: Record<string, number> = {}): MetricSources {
  const none = { counters: () => ({}) };
  return {
    index: createLiveIndex(),
    gateway: none,
    carrier: { counters: () => carrier },
    store: none,
    webhooks: { counters: { malformed: 2 } },
    guard: { counters: { refusedSignature: 3 } },
    access: { counters: { refused: 4 } },
    feed: { counters: { messages: 5 } },
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
    from.index.send({ type: "refused" });
    const text = engineMetrics(from);
    expect(text).toContain("# TYPE tandem_calls_live gauge\n");
    for (const line of [
      "tandem_calls_started_total 4",
      "tandem_calls_refused_total 1",
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
        expect([head[2], ["counter", "gauge"].includes(head[3] ?? "")]).toEqual([family, true]);
      } else {
        expect(line).toMatch(/^[a-z_]+(\{[a-z]+="(?:[^"\\\n]|\\.)*"\})? [0-9.]+$/);
        expect(line).toStartWith(family);
      }
    }
  });

  test("escape what a label holds", () => {
    const text = engineMetrics(sources({ 'a"b\\c\nd': 1 }));
    expect(text.split("\n")).toContain('tandem_carrier_total{counter="a\\"b\\\\c\\nd"} 1');
  });
});
