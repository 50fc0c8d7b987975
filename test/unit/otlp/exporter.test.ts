import { describe, expect, test } from "bun:test";
import { OtlpExporter, type OtlpOptions } from "../../../adapters/otlp/exporter.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { createLog } from "../../../engine/platform/log.ts";
import type { Span } from "../../../engine/tracing-port.ts";
import { stopAfterTest } from "../../support/after-test.ts";
import { factsOf, startCollector } from "../../support/collector.ts";
import { until } from "../../support/until.ts";

const SPAN: Span = {
  traceId: "0123456789abcdef0123456789abcdef",
  spanId: "00000000000000a1",
  parentId: "0123456789abcdef",
  name: "turn",
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_750,
  failed: false,
  facts: { "tandem.turn.speak_ms": 390.5, "tandem.tool.name": "escalate", "tandem.effect.attempts": 2 },
};

function exporting(options: Partial<OtlpOptions> = {}) {
  const clock = new VirtualClock();
  const collector = startCollector();
  stopAfterTest(() => collector.stop());
  const lines: string[] = [];
  const exporter = new OtlpExporter({
    endpoint: collector.endpoint,
    headers: { authorization: "Bearer a-token" },
    service: { name: "desk", version: "1.2.3" },
    clock,
    log: createLog({ level: "debug", clock, write: (line) => void lines.push(line) }),
    ...options,
  });
  const send = (count = 1): void => {
    for (let i = 0; i < count; i++) exporter.export(SPAN);
  };
  return { clock, collector, exporter, lines, send };
}

describe("the exporter of spans", () => {
  test("sends what a collector takes, with the headers that it was given, some time after the span ended", async () => {
    const { clock, collector, exporter, send } = exporting();
    send();
    expect(collector.requests).toHaveLength(0);
    clock.advance(2000);
    await until("the span is there", () => collector.spans[0]);
    expect(collector.problems).toEqual([]);
    const [span] = collector.spans;
    expect(span).toMatchObject({
      traceId: SPAN.traceId,
      spanId: SPAN.spanId,
      parentSpanId: SPAN.parentId,
      startTimeUnixNano: "1700000000000250000",
      endTimeUnixNano: "1700000000750000000",
    });
    expect(span && factsOf(span)).toEqual({
      "tandem.turn.speak_ms": 390.5,
      "tandem.tool.name": "escalate",
      "tandem.effect.attempts": "2",
    });
    expect(collector.requests[0]?.headers.get("authorization")).toBe("Bearer a-token");
    await until("it is counted", () => exporter.counters().exported === 1);
  });

  test("refuses the newest when too many wait, and counts them", () => {
    const { exporter, send } = exporting({ maxQueued: 10 });
    send(13);
    expect(exporter.counters()).toEqual({ exported: 0, overflowed: 3, failed: 0 });
  });

  test("tries a batch again that the collector is too busy for, and says once that it was, and once that it is not", async () => {
    const { clock, collector, exporter, lines, send } = exporting();
    collector.next.push(503, 429);
    send();
    await until("it was asked three times", () => {
      clock.advance(50);
      return collector.requests.length === 3;
    });
    await until("it is taken", () => exporter.counters().exported === 1);
    const events = lines.map((line) => (JSON.parse(line) as { readonly event: string }).event);
    expect(events).toEqual(["tracing.failed", "tracing.recovered"]);
  });

  test("drops what the collector refuses, at once, and goes on", async () => {
    const { clock, collector, exporter, send } = exporting();
    collector.next.push(400);
    send(3);
    clock.advance(2000);
    await until("they are dropped", () => exporter.counters().failed === 3);
    send();
    clock.advance(2000);
    await until("the next is taken", () => exporter.counters().exported === 1);
  });

  test("sends in batches, one after another", async () => {
    const { clock, collector, exporter, send } = exporting();
    send(300);
    clock.advance(2000);
    await until("two full ones went", () => {
      clock.advance(0);
      return collector.requests.length >= 2;
    });
    await exporter.close();
    expect(collector.requests.map(({ spans }) => spans)).toEqual([128, 128, 44]);
    expect(exporter.counters()).toEqual({ exported: 300, overflowed: 0, failed: 0 });
  });

  test("has one batch on its way at a time, also when spans end while the collector takes its time", async () => {
    const answers: ((response: Response) => void)[] = [];
    const fetch = async (): Promise<Response> => await new Promise((resolve) => answers.push(resolve));
    const { clock, exporter, send } = exporting({ network: { fetch } });
    for (let batch = 1; batch <= 3; batch++) {
      send(128);
      clock.advance(2000);
    }
    expect(answers).toHaveLength(1);
    for (let batch = 1; batch <= 3; batch++) {
      answers[batch - 1]?.(new Response(null, { status: 200 }));
      await until("the batch is counted", () => exporter.counters().exported === batch * 128);
      await until("the next one goes", () => {
        clock.advance(0);
        return answers.length === Math.min(batch + 1, 3);
      });
    }
    expect(exporter.counters()).toEqual({ exported: 384, overflowed: 0, failed: 0 });
  });

  test("sends what is left when it is closed, and takes nothing after it", async () => {
    const { collector, exporter, send } = exporting();
    send(2);
    await exporter.close();
    expect(collector.spans).toHaveLength(2);
    send();
    expect(exporter.counters()).toEqual({ exported: 2, overflowed: 1, failed: 0 });
  });

  test("does not keep a closing engine waiting for a collector that is not there, or that never answers", async () => {
    const gone = exporting();
    await gone.collector.stop();
    gone.send(300);
    await gone.exporter.close();
    expect(gone.exporter.counters()).toEqual({ exported: 0, overflowed: 0, failed: 300 });
    const deaf = exporting();
    deaf.collector.next.push(null);
    deaf.send(1);
    const closed = deaf.exporter.close();
    await until("it was asked", () => deaf.collector.requests.length === 1);
    deaf.clock.advance(5000);
    await closed;
    expect(deaf.exporter.counters().failed).toBe(1);
  });
});
