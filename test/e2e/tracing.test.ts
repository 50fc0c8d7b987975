/** The spans of a call over real sockets, as a collector gets them. */
import { describe, expect, test } from "bun:test";
import { OtlpExporter } from "../../adapters/otlp/exporter.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { stopAfterTest } from "../support/after-test.ts";
import { type CollectedSpan, factsOf, startCollector } from "../support/collector.ts";
import { readFamilies } from "../support/exposition.ts";
import { measuredCall } from "../support/measured-call.ts";

describe("the trace of a call", () => {
  test("is found by its sid, and has a span for the call and each turn, tool and effect, with what came of it", async () => {
    const collector = startCollector();
    stopAfterTest(() => collector.stop());
    const tracer = new OtlpExporter({
      endpoint: collector.endpoint,
      headers: {},
      service: { name: "tandem", version: "test" },
      clock: systemClock,
      log: silentLog,
    });
    const { world, callSid, text } = await measuredCall({ tracer });
    // What waits is sent before the engine has stopped.
    await world.stop();
    expect(collector.problems).toEqual([]);
    const { spans } = collector;
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([callSid.slice(2)]));
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    const one = (name: string): CollectedSpan => {
      const [found, ...more] = spans.filter((each) => each.name === name);
      expect([name, more.length]).toEqual([name, 0]);
      if (!found) throw new Error(`there is no span ${name}`);
      return found;
    };
    const call = one("call");
    expect(factsOf(call)).toMatchObject({
      "tandem.call.sid": callSid,
      "tandem.call.end_reason": "caller_hung_up",
      "tandem.call.restarts": "0",
    });
    for (const { name, parentSpanId, startTimeUnixNano } of spans) {
      if (name === "call") continue;
      expect([name, parentSpanId]).toEqual([name, call.spanId]);
      expect(BigInt(startTimeUnixNano) >= BigInt(call.startTimeUnixNano)).toBe(true);
    }
    const turn = one("turn");
    const parts = Object.entries(factsOf(turn)).filter(([key]) => !key.endsWith("round_trip_ms"));
    const wholeMs = Number(BigInt(turn.endTimeUnixNano) - BigInt(turn.startTimeUnixNano)) / 1e6;
    const sumMs = parts.reduce((sum, [, ms]) => sum + Number(ms), 0);
    expect(Math.abs(wholeMs - sumMs)).toBeLessThan(1);
    expect(factsOf(one("tool escalate"))).toEqual({
      "tandem.tool.name": "escalate",
      "tandem.tool.result": "done",
    });
    expect(factsOf(one("effect page.call"))).toEqual({
      "tandem.effect.name": "page.call",
      "tandem.effect.result": "done",
      "tandem.effect.attempts": "1",
    });
    const counts = readFamilies(text).get("tandem_trace_spans_total")?.series;
    expect(counts?.get('tandem_trace_spans_total{result="overflowed"}')).toBe(0);
    expect(tracer.counters()).toEqual({ exported: spans.length, overflowed: 0, failed: 0 });
  });
});
