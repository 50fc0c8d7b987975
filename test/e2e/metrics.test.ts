/** What `GET /metrics` tells after a call over real sockets, held to what docs/metrics.md says it tells. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { costSchema } from "../../engine/postcall/schema.ts";
import { type Family, readFamilies } from "../support/exposition.ts";
import { type Measured, measuredCall, metricsOf } from "../support/measured-call.ts";
import { CALLER, NUMBER } from "../support/world.ts";

const DOCS = join(import.meta.dir, "../../docs/metrics.md");

let measured: Measured;
let families: ReadonlyMap<string, Family>;

beforeAll(async () => {
  measured = await measuredCall();
  families = readFamilies(measured.text);
});

afterAll(async () => {
  await measured.world.stop();
});

const sum = ({ series }: Family): number => [...series.values()].reduce((a, b) => a + b, 0);

function docRows(): ReadonlyMap<string, readonly [type: string, labels: string, help: string]> {
  const rows = readFileSync(DOCS, "utf8").matchAll(/^\| `(tandem_\w+)` +\| (\w+) +\| (.*?) +\| (.*?) +\|$/gm);
  return new Map(
    [...rows].map(([, name = "", type = "", labels = "", help = ""]) => [name, [type, labels, help]]),
  );
}

/** Of a family whose series are told apart by one label. */
const by = (name: string, label: string, value: string): number | undefined =>
  families.get(name)?.series.get(`${name}{${label}="${value}"}`);

describe("the metrics of a call", () => {
  test("are the ones that the documentation lists, with their types, labels and meaning", () => {
    const rows = docRows();
    expect([...rows.keys()].toSorted()).toEqual([...families.keys()].toSorted());
    for (const { name, type, labels, help, series } of families.values()) {
      const [docType, docLabels, docHelp] = rows.get(name) ?? [];
      expect([name, docType, docHelp]).toEqual([name, type, help]);
      const found = [...labels].map((label) => `\`${label}\``).join(", ");
      if (series.size > 0) expect([name, docLabels]).toEqual([name, found]);
    }
  });

  test("tell the same cost as its row, which says what it is made of and what has no price", async () => {
    const row = await measured.world.store.getCall(measured.callSid);
    const cost = costSchema.parse(row?.cost);
    expect(cost.model).toMatchObject({ name: "gpt-realtime-2.1", micros: expect.any(Number) });
    expect(cost.model.tokens.audioOutput).toBe(by("tandem_model_tokens_total", "kind", "audioOutput") ?? -1);
    const { inbound, outbound, app, stream, conference } = cost.carrier;
    expect([inbound, outbound, app, stream, conference].map(({ minutes }) => minutes)).toEqual([
      1, 1, 1, 1, 3,
    ]);
    expect(cost.messages).toEqual({ count: 1, micros: null });
    expect(cost).toMatchObject({
      complete: false,
      unpriced: ["app", "stream", "messages"],
      gaps: ["transcription"],
    });
    const money = families.get("tandem_cost_total");
    expect(Math.round((money ? sum(money) : 0) * 1_000_000)).toBe(cost.totalMicros);
  });

  test("are named after their units, and count nothing that names a call or a person", () => {
    const { text, callSid } = measured;
    for (const { name, type } of families.values()) {
      expect([name, name.endsWith("_total")]).toEqual([name, type === "counter"]);
      if (type === "histogram") expect(name).toEndWith("_seconds");
      expect(name).toMatch(/^tandem_[a-z_]+$/);
      expect(name).not.toMatch(/_ms\b|milli|micro/);
    }
    for (const personal of [callSid, CALLER, CALLER.slice(1), NUMBER, "nurse, please"]) {
      expect(text).not.toContain(personal);
    }
  });

  test("tell its turns by part, its barge-in, its tool, its handover, its marks and its rung", async () => {
    const family = (name: string): Family => {
      const found = families.get(name);
      if (!found) throw new Error(`there is no ${name}`);
      return found;
    };
    const count = (name: string, labels = ""): number | undefined =>
      family(name).series.get(`${name}_count${labels}`);
    for (const part of ["decide", "speak", "send"]) {
      expect(count("tandem_turn_part_seconds", `{part="${part}"}`)).toBeGreaterThan(0);
    }
    expect(count("tandem_voice_to_voice_seconds")).toBeGreaterThan(0);
    expect(count("tandem_heard_error_seconds")).toBeGreaterThan(0);
    expect(count("tandem_handover_gap_seconds")).toBe(1);
    const tools = family("tandem_tool_calls_total").series;
    expect(tools.get('tandem_tool_calls_total{tool="escalate",result="done"}')).toBe(1);
    expect(sum(family("tandem_marks_sent_total"))).toBeGreaterThan(10);
    expect(sum(family("tandem_marks_lost_total"))).toBe(0);
    expect(
      family("tandem_rungs_reached_total").series.get('tandem_rungs_reached_total{rung="primary"}'),
    ).toBe(1);
    const effects = family("tandem_effects_total").series;
    expect(effects.get('tandem_effects_total{effect="page.sms",result="done"}')).toBe(1);
    expect(sum(family("tandem_caller_wait_seconds"))).toBe(0);
    const requests = family("tandem_carrier_requests_total").series;
    expect(requests.get('tandem_carrier_requests_total{operation="createParticipant"}')).toBe(1);
    expect(by("tandem_model_tokens_total", "kind", "audioOutput")).toBeGreaterThan(0);
    expect(by("tandem_carrier_billed_seconds_total", "kind", "conference")).toBe(3 * 60);
    expect(by("tandem_calls_costed_total", "cost", "incomplete")).toBe(1);
    // Counted again once everything is at rest: what has ended is not lost, and not counted twice.
    const again = readFamilies(await metricsOf(measured.world)).get("tandem_marks_sent_total");
    expect(again && sum(again)).toBe(sum(family("tandem_marks_sent_total")));
  });
});
