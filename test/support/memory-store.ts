import type {
  AuditEntry,
  CallQuery,
  CallRow,
  JournalEntry,
  Snapshot,
  Store,
  StoredCharts,
  StoredSnapshot,
} from "../../engine/ports.ts";

/** Rows and logs in memory, durable at once. */
export class MemoryStore implements Store {
  readonly rows = new Map<string, CallRow>();
  readonly logs = new Map<string, AuditEntry[]>();
  readonly snapshots = new Map<string, StoredSnapshot>();
  readonly journals = new Map<string, JournalEntry[]>();
  readonly keptCharts = new Map<string, StoredCharts>();

  saveCall(row: CallRow): void {
    this.rows.set(row.callSid, row);
  }

  appendEvents(entries: readonly AuditEntry[]): void {
    for (const each of entries) {
      const { callSid, seq, at, kind, name, data, prev, hash } = each;
      const entry = { callSid, seq, at, kind, name, data, prev, hash };
      const log = this.logs.get(entry.callSid);
      if (log) log.push(entry);
      else this.logs.set(entry.callSid, [entry]);
    }
  }

  async getCall(callSid: string): Promise<CallRow | null> {
    return this.rows.get(callSid) ?? null;
  }

  async listCalls({ state, limit, before }: CallQuery): Promise<readonly CallRow[]> {
    const newestFirst = [...this.rows.values()].toReversed();
    const from = before === undefined ? 0 : newestFirst.findIndex(({ callSid }) => callSid === before) + 1;
    const wanted = newestFirst.slice(from).filter((row) => state === undefined || row.state === state);
    return wanted.slice(0, limit);
  }

  async *events(callSid: string): AsyncIterable<AuditEntry> {
    yield* this.logs.get(callSid) ?? [];
  }

  async lastEvent(callSid: string): Promise<AuditEntry | null> {
    return this.logs.get(callSid)?.at(-1) ?? null;
  }

  saveSnapshot(callSid: string, snapshot: Snapshot): void {
    this.snapshots.set(callSid, { callSid, ...snapshot });
  }

  dropSnapshot(callSid: string): void {
    this.snapshots.delete(callSid);
    const journal = this.journals.get(callSid) ?? [];
    this.journals.set(
      callSid,
      journal.map((entry) => ({ ...entry, data: {} })),
    );
  }

  async unfinishedSnapshots(): Promise<readonly StoredSnapshot[]> {
    return [...this.snapshots.values()].toSorted((a, b) => (a.callSid < b.callSid ? -1 : 1));
  }

  appendJournal(entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      const journal = this.journals.get(entry.callSid) ?? [];
      this.journals.set(entry.callSid, journal);
      const { effectId, state } = entry;
      if (!journal.some((each) => each.effectId === effectId && each.state === state)) journal.push(entry);
    }
  }

  async journal(callSid: string): Promise<readonly JournalEntry[]> {
    return this.journals.get(callSid) ?? [];
  }

  async openIntents(callSid: string): Promise<readonly JournalEntry[]> {
    const journal = this.journals.get(callSid) ?? [];
    const results = new Set(journal.flatMap((each) => (each.state === "intent" ? [] : [each.effectId])));
    return journal.filter((each) => each.state === "intent" && !results.has(each.effectId));
  }

  failing: string | null = null;

  saveCharts(charts: StoredCharts): void {
    if (!this.keptCharts.has(charts.hash)) this.keptCharts.set(charts.hash, charts);
  }

  async charts(hash: string): Promise<StoredCharts | null> {
    return this.keptCharts.get(hash) ?? null;
  }

  async chartVersions(): Promise<readonly string[]> {
    const newest = (a: StoredCharts, b: StoredCharts): number => (a.savedAt < b.savedAt ? 1 : -1);
    return [...this.keptCharts.values()].toSorted(newest).map(({ hash }) => hash);
  }

  async durable(): Promise<void> {}

  async flush(): Promise<void> {}

  counters(): Readonly<Record<string, number>> {
    return {};
  }

  async close(): Promise<void> {}
}
