/** The region's budget from an engine's own metrics, over real HTTP. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Server } from "bun";
import { deployedRows } from "../../../bench/region-deployed.ts";
import { isMet, type Row } from "../../../bench/runner.ts";

let server: Server<undefined> | null = null;
afterEach(async () => {
  await server?.stop(true);
  server = null;
});

function origin(answer: () => Response): string {
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  return `http://127.0.0.1:${server.port}`;
}

function histogram(name: string, count: number): string {
  return `# TYPE ${name} histogram
${name}_bucket{le="0.0002"} ${count}
${name}_bucket{le="+Inf"} ${count}
`;
}

const OWN = [
  "tandem_media_inbound_handling_seconds",
  "tandem_media_outbound_handling_seconds",
  "tandem_loop_lateness_seconds",
];

function metrics(count: number, ...more: string[]): Response {
  return new Response([...OWN, ...more].map((name) => histogram(name, count)).join(""));
}

const read = (from: string) => deployedRows({ origin: from, penaltiesMs: [60, 80], sharePercentMax: 5 });

describe("an engine's own metrics", () => {
  test("give its parts, its own share of the budget, and a verdict", async () => {
    const { rows, notes = [] } = await read(origin(() => metrics(1000, "tandem_turn_seconds")));
    const find = (what: string): Row | undefined => rows.find((row) => row.what.startsWith(what));
    expect(find("turn:")).toMatchObject({ unit: "ms", samples: 1000 });
    expect(find("engine in:")?.median).toBeCloseTo(0.1, 9);
    // In, out, and the loop's lateness twice.
    const share = find("the engine's own share of 60 ms") as Row;
    expect(share.median).toBeCloseTo((0.4 / 60) * 100, 9);
    expect(share.p99).toBeCloseTo((4 * 0.198 * 100) / 60, 9);
    expect(isMet(share)).toBe(true);
    expect(notes[0]).toBe(
      "This engine adds about 0.40 ms (p99 0.79 ms, 1.3 %) to a turn: 0.7 % of the 60 ms that a wrong region costs one way.",
    );
    expect(notes.join("\n")).toContain("Nothing measured yet of: tandem_carrier_round_trip_seconds");
  });

  test("of few calls give no p99, and so no verdict on it", async () => {
    const { rows, notes = [] } = await read(origin(() => metrics(12)));
    expect(rows.every(({ p99 }) => p99 === null)).toBe(true);
    expect(rows.map((row) => isMet(row)).every((met) => met === null)).toBe(true);
    expect(notes.join("\n")).toContain("Fewer than 100 samples, and so no p99, of: tandem_media_inbound");
  });

  const refused: [string, () => Response, RegExp][] = [
    ["no such page", () => new Response("no\n", { status: 404 }), /answers 404: is an engine there/],
    ["another place", () => Response.redirect("http://127.0.0.1:1/"), /answers 302/],
    ["a page", () => new Response("<html>"), /\/metrics: line 1 is not Prometheus text/],
    ["another program's metrics", () => new Response("up 1\n"), /has no tandem_media_inbound.*older one/],
    ["an engine without calls", () => metrics(0), /no speech both ways yet; place a call first/],
  ];
  for (const [what, answer, message] of refused) {
    test(`${what}: refused with what is wrong`, async () => {
      await expect(read(origin(answer))).rejects.toThrow(message);
    });
  }

  test("nobody there: refused with the address", async () => {
    const gone = origin(() => new Response());
    await server?.stop(true);
    await expect(read(gone)).rejects.toThrow(new RegExp(`${gone}/metrics cannot be reached`));
  });
});
