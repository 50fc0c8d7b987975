import { describe, expect, test } from "bun:test";
import type { ActorStep } from "../../engine/audit/observer.ts";
import { begin, call, ended } from "../support/steps.ts";

const TOKEN = "a-token-of-length";

describe("the charts of a call's machines", () => {
  test("are found by the hash in its log, and hold every edge that its log names", async () => {
    const w = await begin({ consoleToken: TOKEN });
    const { phone, callSid } = await call(w);
    phone.hangUp();
    await ended(w, callSid);
    const log = await w.log(callSid);
    const hash = log.find(({ name }) => name === "call.begun")?.data["machines"] as string;
    const machines = `${w.engine.origin}/api/machines`;
    expect((await fetch(`${machines}/${hash}`)).status).toBe(401);
    const headers = { authorization: `Bearer ${TOKEN}` };
    const ask = (path: string): Promise<Response> => fetch(machines + path, { headers });
    expect(await (await ask("")).json()).toEqual({ current: hash, versions: [hash] });
    expect((await w.store.charts(hash))?.body).toBe(
      JSON.stringify(((await (await ask(`/${hash}`)).json()) as { machines: object }).machines),
    );
    const svg = await (await ask(`/${hash}/call.svg`)).text();
    const edges = log
      .filter(({ kind, name }) => kind === "step" && name === "call")
      .flatMap(({ data }) => (data as unknown as ActorStep).edges);
    expect(edges.length).toBeGreaterThan(3);
    for (const { source, event, index, targets } of edges) {
      expect(svg).toContain(` data-edge="${source}|${event}|${index}"`);
      for (const state of [source, ...targets]) expect(svg).toContain(` data-state="${state}"`);
    }
    expect(w.warnings).toEqual([]);
  });
});
