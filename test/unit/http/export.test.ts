/** Rows for other programs: which ones, in which form, and no faster than they are read. */
import { describe, expect, test } from "bun:test";
import type { CallQuery, CallRow } from "../../../engine/ports.ts";
import { exportOf, type ExportQuery } from "../../../engine/http/export.ts";
import type { Who } from "../../../engine/console/who.ts";
import { callRow } from "../../contract/store.contract.ts";
import { makeCalls } from "../call/calls-setup.ts";
import { MemoryStore } from "../../support/fake-ports.ts";
import { ADMIN, apiOf, askApi } from "./api-setup.ts";

const ALL: ExportQuery = { format: "ndjson", fromMs: null, toMs: null, slots: [] };

/** Of a store that counts the rows it has given. */
class CountingStore extends MemoryStore {
  given = 0;

  override async listCalls(query: CallQuery): Promise<readonly CallRow[]> {
    const rows = await super.listCalls(query);
    this.given += rows.length;
    return rows;
  }
}

function storeOf(rows: readonly CallRow[]): CountingStore {
  const store = new CountingStore();
  for (const row of rows) store.saveCall(row);
  return store;
}

const dayOf = (n: number): string => new Date(Date.UTC(2026, 0, n, 12)).toISOString();
/** One a day, the first on the first. */
const days = (count: number): CallRow[] =>
  Array.from({ length: count }, (_, i) => callRow(i + 1, { state: "ended", startedAt: dayOf(i + 1) }));

async function exported(store: MemoryStore, query: Partial<ExportQuery> = {}): Promise<string[]> {
  return await Array.fromAsync(exportOf(store, { ...ALL, ...query }));
}

const sids = (lines: readonly string[]): unknown[] =>
  lines.map((line) => (JSON.parse(line) as { callSid: unknown }).callSid);

describe("an export", () => {
  test("has every call that is over once, the newest first, over many pages", async () => {
    const rows = days(120);
    const live = callRow(500, { state: "streaming", startedAt: dayOf(130) });
    const lines = await exported(storeOf([...rows, live]));
    expect(sids(lines)).toEqual(rows.map(({ callSid }) => callSid).toReversed());
    expect(lines[0]?.endsWith("}\n")).toBe(true);
    // As `/api/calls/{callSid}` shows it.
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ from: "+15550142", slots: { name: "Zoë" } });
  });

  test("has the calls that began from one time on and before another, and reads no further", async () => {
    const rows = days(200);
    const store = storeOf(rows);
    const query = { fromMs: Date.parse(dayOf(180)), toMs: Date.parse(dayOf(183)) };
    expect(sids(await exported(store, query))).toEqual([182, 181, 180].map((day) => rows[day - 1]?.callSid));
    expect(store.given).toBe(50);
  });

  test("is read from the store only as it is taken", async () => {
    const store = storeOf(days(200));
    const lines = exportOf(store, ALL);
    await lines.next();
    expect(store.given).toBe(50);
    await lines.return(undefined);
    expect(store.given).toBe(50);
  });
});

describe("as CSV", () => {
  const cellsOf = async (change: Partial<CallRow>, slots: readonly string[] = []) => {
    const [head = "", line = ""] = await exported(storeOf([callRow(1, { state: "ended", ...change })]), {
      format: "csv",
      slots,
    });
    const names = head.trimEnd().split(",");
    // Quoted cells may hold commas and line ends.
    const cells = [...line.matchAll(/("(?:[^"]|"")*"|[^,\r\n]*)(,|\r\n)/g)].map(([, cell = ""]) => cell);
    expect(cells).toHaveLength(names.length);
    expect(line.endsWith("\r\n")).toBe(true);
    return (name: string) => cells[names.indexOf(name)];
  };

  test("there is a line for the names, and the slots of the deployment have their columns", async () => {
    const cell = await cellsOf({}, ["insured"]);
    expect(cell("slots.insured")).toBe("true");
    expect([cell("slots.name"), cell("slots.callbackNumber"), cell("slots.urgency")]).toEqual([
      "Zoë",
      "",
      "",
    ]);
    expect(cell("extractionStatus")).toBe("failed");
    expect(await exported(storeOf([]), { format: "csv" })).toHaveLength(1);
  });

  const named = (name: string): Partial<CallRow> => ({
    protected: { ...callRow(1).protected, slots: { name } },
  });
  test.each([
    ["commas", "Lee, Ann", '"Lee, Ann"'],
    ["quotation marks", 'Ann "Bo" Lee', '"Ann ""Bo"" Lee"'],
    ["line ends", "Ann\r\nLee", '"Ann\r\nLee"'],
    ["a formula", "=HYPERLINK(1)", "'=HYPERLINK(1)"],
    ["a formula behind blanks", "  =1+1", "'  =1+1"],
    ["a sum", "+1", "'+1"],
    ["a difference", "-1", "'-1"],
    ["a function", "@SUM(A1)", "'@SUM(A1)"],
    ["a tab", "\t=1", "'\t=1"],
    ["a formula in wide letters", "＝1", "'＝1"],
    ["a formula with a comma", "=A(1,2)", '"\'=A(1,2)"'],
    ["nothing of the kind", "Ann-Lee", "Ann-Lee"],
  ])("a text with %s stays a text", async (_, name, expected) => {
    expect((await cellsOf(named(name)))("slots.name")).toBe(expected);
  });
});

describe("asking for one", () => {
  function api() {
    const calls = makeCalls();
    for (const row of days(3)) calls.store.saveCall(row);
    const one = apiOf(calls);
    return (query: string, method = "GET", role: Who["role"] = "admin"): Promise<Response> =>
      askApi(one, `/api/export${query}`, { ...ADMIN, role }, { method });
  }

  test("is for admins", async () => {
    for (const role of ["viewer", "operator"] as const)
      expect((await api()("", "GET", role)).status).toBe(403);
  });

  test("gives NDJSON, or CSV as a file, for the days that are named", async () => {
    const ask = api();
    const all = await ask("");
    expect(all.headers.get("content-type")).toBe("application/x-ndjson");
    expect(all.headers.get("cache-control")).toBe("no-store");
    expect((await all.text()).trimEnd().split("\n")).toHaveLength(3);
    const some = await ask("?format=csv&from=2026-01-02&to=2026-01-03T12:00:00%2B00:00");
    expect(some.headers.get("content-disposition")).toBe('attachment; filename="calls.csv"');
    expect((await some.text()).trimEnd().split("\r\n")).toHaveLength(2);
  });

  test.each([
    ["?format=xml", "format"],
    ["?from=yesterday", "from"],
    ["?to=2026-13-01", "to"],
    ["?limit=3", "limit"],
  ])("refuses %s by name", async (query, name) => {
    const answer = await api()(query);
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { error: string }).error).toContain(name);
  });

  test("is reading alone", async () => {
    expect((await api()("", "POST")).status).toBe(405);
  });
});
