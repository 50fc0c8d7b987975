import { describe, expect, test } from "bun:test";
import type { AnyStateNode } from "xstate";
import { callMachine } from "../../../machines/call.machine.ts";
import { configOf } from "../../../machines/viz/config.ts";
import { chartOf, topOf } from "../../../machines/viz/graph.ts";
import { trigger } from "../../../machines/viz/labels.ts";
import { linksOf, reasons } from "../../../machines/viz/links.ts";
import { planOf } from "../../../machines/viz/plan.ts";
import { sampler } from "./machines.ts";

/** The same walk by other means: XState's own definition objects. */
function expected(node: AnyStateNode): { states: string[]; keys: string[] } {
  const below = Object.values(node.states).map((child) => expected(child));
  const byType = Map.groupBy(node.definition.transitions, ({ eventType }) => String(eventType));
  const keys = [...byType].flatMap(([type, list]) => list.map((_, index) => `${node.id}|${type}|${index}`));
  const always = (node.always ?? []).map((_, index) => `${node.id}||${index}`);
  return {
    states: [node.id, ...below.flatMap(({ states }) => states)],
    keys: [...keys, ...always, ...below.flatMap((part) => part.keys)],
  };
}

describe("the chart of a machine", () => {
  for (const machine of [callMachine, sampler]) {
    test(`has every state and every transition of ${machine.id}`, () => {
      const chart = chartOf(machine);
      const { states, keys } = expected(machine.root);
      expect([...chart.states.keys()].toSorted()).toEqual(states.toSorted());
      const found = chart.transitions.map(({ key }) => key);
      expect(found.toSorted()).toEqual(keys.toSorted());
      expect(new Set(found).size).toBe(found.length);
    });
  }

  test("keeps its transition keys when implementations are provided", () => {
    const provided = sampler.provide({ actions: { note: () => undefined } });
    const keys = (machine: typeof sampler) => chartOf(machine).transitions.map(({ key }) => key);
    expect(keys(provided)).toEqual(keys(sampler));
  });

  test("names what XState generates: timers, actors' ends, combined guards", () => {
    const chart = chartOf(sampler);
    const triggers = chart.transitions.map((transition) => trigger(transition));
    expect(triggers).toContain("after 5000");
    expect(triggers).toContain("done load");
    expect(triggers).toContain("error load");
    expect(triggers).toContain("go [and(isReady, not(isOld))]");
    expect(triggers).toContain("[3]");
    // The timer itself is no action of the author's.
    expect(chart.states.get("sampler.idle")?.entry).toEqual([]);
  });

  test("knows regions, ends and initial states", () => {
    const chart = chartOf(sampler);
    expect(chart.states.get("sampler.busy")?.type).toBe("parallel");
    expect(chart.states.get("sampler.busy.left.two")?.type).toBe("final");
    expect(chart.states.get("sampler.busy.left")?.initial).toBe("sampler.busy.left.one");
    expect(chart.states.get("sampler.busy.right.fetch")?.invoked).toEqual([{ src: "fetching", id: "load" }]);
    expect(topOf(chart, "sampler.busy.left.two")).toBe("sampler.busy");
  });

  test("merges the ways between top-level states", () => {
    const links = linksOf(chartOf(sampler));
    expect(links.map(({ from, to }) => `${from}>${to}`)).toEqual([
      "sampler.idle>sampler.busy",
      "sampler.idle>sampler.lost",
      "sampler.busy>sampler.won",
      "sampler.busy>sampler.lost",
    ]);
    expect(links.map((link) => reasons(link))).toEqual([["go"], ["after 5000"], ["done"], ["error load"]]);
  });

  test("shows every transition of the call exactly once: as a line, shared, or written in its state", () => {
    const chart = chartOf(callMachine);
    const plan = planOf(chart);
    for (const key of plan.drawn) expect(plan.hoisted.has(key)).toBe(false);
    expect(plan.drawn.size).toBeGreaterThan(20);
    for (const { key, source, targets } of chart.transitions) {
      if (plan.drawn.has(key)) {
        for (const target of targets) expect(plan.panelOf(target)).toBe(plan.panelOf(source));
      }
    }
  });

  test("has a configuration by names that holds all of it", () => {
    const text = JSON.stringify(configOf(chartOf(sampler)));
    for (const part of [
      '"type":"above","params":{"limit":3}',
      '"src":"fetching"',
      '"type":"parallel"',
      '"*"',
    ]) {
      expect(text).toContain(part);
    }
  });
});
