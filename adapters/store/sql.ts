/** Every statement, once, in the subset that SQLite and PostgreSQL share. Placeholders are `?`. */

const EVENT_COLUMNS = "call_sid, seq, at, kind, name, data, prev, hash";
const JOURNAL_COLUMNS = "call_sid, effect_id, state, name, at_ms, sealed";
const SNAPSHOT_COLUMNS = "call_sid, seq, machine_hash, version, sealed";
const CHARTS_COLUMNS = "machine_hash, saved_at, body";
const CALL_COLUMNS = "call_sid, started_at, state, ended_at, body, protected";

function rows(columns: string, count: number): string {
  const one = `(${columns
    .split(",")
    .map(() => "?")
    .join(", ")})`;
  return Array.from({ length: count }, () => one).join(", ");
}

/** Appends `count` events and returns the keys of those that were new. */
export function insertEvents(count: number): string {
  const values = rows(EVENT_COLUMNS, count);
  return `insert into events (${EVENT_COLUMNS}) values ${values} on conflict (call_sid, seq) do nothing returning call_sid, seq`;
}

/** Inserts or replaces `count` different calls. */
export function upsertCalls(count: number): string {
  return (
    `insert into calls (${CALL_COLUMNS}) values ${rows(CALL_COLUMNS, count)} on conflict (call_sid) do update ` +
    "set started_at = excluded.started_at, state = excluded.state, ended_at = excluded.ended_at, " +
    "body = excluded.body, protected = excluded.protected"
  );
}

/** Appends `count` entries; those that are there stay. */
export function insertJournal(count: number): string {
  const values = rows(JOURNAL_COLUMNS, count);
  return `insert into journal (${JOURNAL_COLUMNS}) values ${values} on conflict (call_sid, effect_id, state) do nothing`;
}

/** Keeps the charts of `count` versions; those that are there stay. */
export function insertCharts(count: number): string {
  const values = rows(CHARTS_COLUMNS, count);
  return `insert into charts (${CHARTS_COLUMNS}) values ${values} on conflict (machine_hash) do nothing`;
}

/** Inserts or replaces the snapshots of `count` different calls. */
export function upsertSnapshots(count: number): string {
  return (
    `insert into snapshots (${SNAPSHOT_COLUMNS}) values ${rows(SNAPSHOT_COLUMNS, count)} ` +
    "on conflict (call_sid) do update set seq = excluded.seq, machine_hash = excluded.machine_hash, " +
    "version = excluded.version, sealed = excluded.sealed"
  );
}

export const DELETE_SNAPSHOT = "delete from snapshots where call_sid = ?";
export const EMPTY_JOURNAL = "update journal set sealed = '' where call_sid = ? and sealed <> ''";

/** Parameters: last call sid seen, limit. */
export const SELECT_SNAPSHOTS = `select ${SNAPSHOT_COLUMNS} from snapshots where call_sid > ? order by call_sid limit ?`;

const JOURNAL_ORDER = "order by at_ms, case state when 'intent' then 0 else 1 end, effect_id";
export const SELECT_JOURNAL = `select ${JOURNAL_COLUMNS} from journal where call_sid = ? ${JOURNAL_ORDER}`;
export const SELECT_OPEN_INTENTS =
  `select ${JOURNAL_COLUMNS} from journal j where call_sid = ? and state = 'intent' and not exists ` +
  "(select 1 from journal r where r.call_sid = j.call_sid and r.effect_id = j.effect_id and r.state <> 'intent') " +
  JOURNAL_ORDER;

export const SELECT_EVENT = `select ${EVENT_COLUMNS} from events where call_sid = ? and seq = ?`;

/** Parameters: call sid, last number seen, limit. */
export const SELECT_EVENTS = `select ${EVENT_COLUMNS} from events where call_sid = ? and seq > ? order by seq limit ?`;

export const SELECT_LAST_EVENT = `select ${EVENT_COLUMNS} from events where call_sid = ? order by seq desc limit 1`;

export const SELECT_CALL = `select ${CALL_COLUMNS} from calls where call_sid = ?`;

export const SELECT_CHARTS = `select ${CHARTS_COLUMNS} from charts where machine_hash = ?`;

export const SELECT_CHART_VERSIONS = "select machine_hash from charts order by saved_at desc, machine_hash";

/** Newest first. Parameters: state when `state`, then sid of the call to start after when `before`, then limit. */
export function selectCalls(filter: { readonly state: boolean; readonly before: boolean }): string {
  const conditions = [
    filter.state ? "state = ?" : "",
    filter.before
      ? "(started_at, call_sid) < (select c.started_at, c.call_sid from calls c where c.call_sid = ?)"
      : "",
  ].filter((condition) => condition !== "");
  const where = conditions.length > 0 ? `where ${conditions.join(" and ")} ` : "";
  return `select ${CALL_COLUMNS} from calls ${where}order by started_at desc, call_sid desc limit ?`;
}

/** The same statement with PostgreSQL's numbered placeholders. No statement holds a `?` of another kind. */
export function numbered(sql: string): string {
  let count = 0;
  return sql.replaceAll("?", () => `$${++count}`);
}
