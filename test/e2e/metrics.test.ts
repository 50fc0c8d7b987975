/** What `GET /metrics` tells after a call over real sockets, held to what docs/metrics.md says it tells. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { costSchema } from "../../engine/postcall/schema.ts";
import { type Family, readFamilies } from "../support/exposition.ts";
import { type Measured, measuredCall, metricsOf } from "../support/measured-call.ts";
import { readPromql } from "../support/promql.ts";
import { CALLER, NUMBER } from "../support/world.ts";

const DOCS = join(import.meta.dir, "../../docs/metrics.md");

let measured: Measured;
let families: ReadonlyMap<string, Family>;
/** Of an engine that has had no call yet. */
let before: string;

beforeAll(async () => {
  measured = await measuredCall();
  families = readFamilies(measured.text);
  before = measured.before;
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

/** Labels that Prometheus puts on by itself. */
const SCRAPED = new Set(["instance", "job", "le"]);

/** What is wrong with an expression, against what the engine has told; nothing when all of it is there. */
function problemsOf(expression: string): readonly string[] {
  const { selectors, groupedBy } = readPromql(expression);
  const asked = selectors.map(({ metric, matchers }) => {
    const base = metric.replace(/_(bucket|sum|count)$/, "");
    const whole = families.get(metric);
    return {
      metric,
      matchers,
      family: whole ?? (families.get(base)?.type === "histogram" ? families.get(base) : undefined),
    };
  });
  const labels = new Set([...SCRAPED, ...asked.flatMap(({ family }) => [...(family?.labels ?? [])])]);
  return [
    ...(selectors.length === 0 ? ["asks for nothing"] : []),
    ...groupedBy.filter((label) => !labels.has(label)).map((label) => `groups by ${label}`),
    ...asked.flatMap(({ metric, matchers, family }) => {
      if (!family) return [`there is no ${metric}`];
      const series = [...family.series.keys()];
      return matchers.flatMap(({ label, values }) =>
        values
          .filter((value) => !series.some((each) => each.includes(`${label}="${value}"`)))
          .map((value) => `no ${metric} has ${label}="${value}"`),
      );
    }),
  ];
}

const ops = (file: string): string => readFileSync(join(import.meta.dir, "../../ops", file), "utf8");

describe("the alert rules", () => {
  interface Rule {
    readonly alert: string;
    readonly expr: string;
    readonly labels: { readonly severity: string };
    readonly annotations: { readonly summary: string; readonly runbook_url: string };
  }
  const { groups } = Bun.YAML.parse(ops("prometheus/alerts.yml")) as { groups: { rules: Rule[] }[] };
  const rules = groups.flatMap(({ rules: all }) => all);

  test("ask for what the engine tells, and parse", () => {
    expect(rules.length).toBeGreaterThan(20);
    expect(rules.flatMap(({ alert, expr }) => problemsOf(expr).map((each) => `${alert}: ${each}`))).toEqual(
      [],
    );
  });

  test("have a name of their own, a severity, and a chapter of the runbook, which has no others", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    const runbook = readFileSync(join(import.meta.dir, "../../docs/runbook.md"), "utf8");
    const chapters = [...runbook.matchAll(/^## (.+)$/gm)].map(([, title = ""]) =>
      title.toLowerCase().replaceAll(" ", "-"),
    );
    const urls = rules.map(({ annotations }) => annotations.runbook_url);
    expect(urls.toSorted()).toEqual(chapters.map((anchor) => `docs/runbook.md#${anchor}`).toSorted());
    for (const { labels } of rules) expect(["critical", "warning"]).toContain(labels.severity);
    for (const part of ["Means", "Callers hear", "Look at", "Do"]) {
      const found = runbook.replaceAll(/\s+/g, " ").split(`**${part}**`).length - 1;
      expect([part, found]).toEqual([part, rules.length]);
    }
    for (const [, anchor = ""] of runbook.matchAll(/\]\(#([\w-]+)\)/g)) expect(chapters).toContain(anchor);
  });

  test("have counters that are there before anything happened: a first event is an increase", () => {
    const counted = new Set(
      rules.flatMap(({ expr }) =>
        readPromql(expr).selectors.flatMap(({ metric }) => (metric.endsWith("_total") ? [metric] : [])),
      ),
    );
    const atStart = readFamilies(before);
    for (const metric of counted) {
      const series = (all: ReadonlyMap<string, Family>) =>
        [...(all.get(metric)?.series.keys() ?? [])].toSorted();
      expect([metric, series(atStart)]).toEqual([metric, series(families)]);
    }
  });
});

test("the dashboard asks for what the engine tells, in panels that do not overlap", () => {
  interface Panel {
    readonly id: number;
    readonly title: string;
    readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
    readonly targets?: readonly { readonly expr: string }[];
  }
  const { panels } = JSON.parse(ops("grafana/tandem.json")) as { panels: Panel[] };
  const wrong = panels.flatMap(({ title, targets = [] }) =>
    targets.flatMap(({ expr }) => problemsOf(expr).map((each) => `${title}: ${each}`)),
  );
  expect(wrong).toEqual([]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
    Array.from({ length: h * w }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  const shown = new Set(
    panels
      .flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => readPromql(expr).selectors))
      .map(({ metric }) => metric.replace(/_bucket$/, "")),
  );
  for (const metric of [
    "voice_to_voice_seconds",
    "handover_gap_seconds",
    "time_to_ack_seconds",
    "cost_total",
    "marks_lost_total",
  ]) {
    expect(shown).toContain(`tandem_${metric}`);
  }
});

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
