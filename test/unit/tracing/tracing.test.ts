import { describe, expect, test } from "bun:test";
import { OUTCOME_UNKNOWN } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";
import { Tracing } from "../../../engine/tracing/tracing.ts";
import type { Span } from "../../../engine/tracing-port.ts";

const CALL = "CA0123456789abcdef0123456789abcdef";

function traced() {
  const clock = new VirtualClock();
  const spans: Span[] = [];
  const exporter = {
    export: (span: Span) => void spans.push(span),
    counters: () => ({ exported: 0, overflowed: 0, failed: 0 }),
    close: () => Promise.resolve(),
  };
  return { clock, spans, tracing: new Tracing({ clock, ids: seededIds(3), exporter }) };
}

const effect = (id: string, name = "page.call") => ({ id, name, input: { to: "+15550100" } });
const head = { at: 0, label: null } as const;

describe("a call's spans", () => {
  test("are of one trace, whichever engine adds to it", () => {
    const one = traced();
    const other = traced();
    one.tracing.call(CALL).tool("escalate", "done", one.clock.now());
    other.tracing.call(CALL).end(0, {});
    const [tool, call] = [one.spans[0], other.spans[0]];
    expect(tool?.traceId).toBe(CALL.slice(2));
    expect(call).toMatchObject({ traceId: CALL.slice(2), spanId: "0123456789abcdef", parentId: null });
    expect(tool?.parentId).toBe(call?.spanId ?? "");
    // No sid of Twilio's: it still has a trace.
    const odd = one.tracing.call("CA-odd");
    odd.tool("unknown", "refused", 0);
    expect(one.spans[1]?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(one.spans[1]?.failed).toBe(true);
  });

  test("tell of an effect how long it took, what came of it and how often it was begun, and nothing of whom", () => {
    const { clock, spans, tracing } = traced();
    const { effects } = tracing.call(CALL);
    effects.begin(effect("a"));
    effects.begin(effect("b", "carrier.mute"));
    effects.begin(effect("c"));
    effects.repeat(effect("c"));
    clock.advance(400);
    const failed = { ...head, type: "effect.failed", message: "no +15550100" } as const;
    effects.end({ ...head, type: "effect.done", id: "a", name: "page.call", callSid: "CA1" });
    effects.end({ ...failed, id: "b", name: "carrier.mute", code: 20_404, status: 404 });
    effects.end({ ...failed, id: "c", name: "page.call", code: OUTCOME_UNKNOWN, status: 0 });
    effects.end({ ...failed, id: "never begun", name: "page.call", code: 0, status: 0 });
    expect(spans.map(({ name, startMs, endMs, failed: bad }) => [name, endMs - startMs, bad])).toEqual([
      ["effect page.call", 400, false],
      ["effect carrier.mute", 400, true],
      ["effect page.call", 400, true],
    ]);
    expect(spans.map(({ facts }) => Object.values(facts))).toEqual([
      ["page.call", "done", 1],
      ["carrier.mute", "failed", 1, 20_404, 404],
      ["page.call", "dead", 2, OUTCOME_UNKNOWN, 0],
    ]);
    expect(JSON.stringify(spans)).not.toContain("5550100");
  });

  test("leave out the oldest effects of more than can be under way", () => {
    const { spans, tracing } = traced();
    const { effects } = tracing.call(CALL);
    for (let i = 0; i < 300; i++) effects.begin(effect(`e${i}`));
    for (let i = 0; i < 300; i++) {
      effects.end({ ...head, type: "effect.done", id: `e${i}`, name: "page.call" });
    }
    expect(spans).toHaveLength(256);
  });
});
