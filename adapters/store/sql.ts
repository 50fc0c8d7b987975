/** Every statement, once, in the subset that SQLite and PostgreSQL share. Placeholders are `?`. */

const EVENT_COLUMNS = "call_sid, seq, at, kind, name, data, prev, hash";
const JOURNAL_COLUMNS = "call_sid, effect_id, state, name, at_ms, sealed";
const SNAPSHOT_COLUMNS = "call_sid, seq, machine_hash, version, sealed";
const CHARTS_COLUMNS = "machine_hash, saved_at, body";
const KEY_COLUMNS = "call_sid, key_id, wrapped";
const CALL_COLUMNS = "call_sid, started_at, state, ended_at, body, protected, caller";

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

/**
 * Inserts or replaces `count` different calls. A call that is over is not replaced by one that began at another time:
 * sids are not used twice, so that would be an old webhook which somebody sends again.
 */
export function upsertCalls(count: number): string {
  return (
    `insert into calls (${CALL_COLUMNS}) values ${rows(CALL_COLUMNS, count)} on conflict (call_sid) do update ` +
    "set started_at = excluded.started_at, state = excluded.state, ended_at = excluded.ended_at, " +
    "body = excluded.body, protected = excluded.protected, caller = excluded.caller " +
    "where calls.ended_at is null or calls.started_at = excluded.started_at"
  );
}

/** Keeps `count` keys; those that are there stay, destroyed ones too. */
export function insertKeys(count: number): string {
  const values = rows(KEY_COLUMNS, count);
  return `insert into call_keys (${KEY_COLUMNS}) values ${values} on conflict (call_sid, key_id) do nothing`;
}

/** The keys of `count` calls. */
export function selectKeys(count: number): string {
  const sids = Array.from({ length: count }, () => "?").join(", ");
  return `select ${KEY_COLUMNS} from call_keys where call_sid in (${sids})`;
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

/**
 * What is done for privacy's sake, in privacy.ts. A key is overwritten where it stands by a text of its own length,
 * which is told by its beginning: SQLite then leaves no copy of it in the page.
 */
export const DESTROY_KEYS =
  "update call_keys set wrapped = substr('-----------------------------------------------------------------' || " +
  "'-----------------------------------------------------------------', 1, length(wrapped)) where call_sid = ?";
export const DELETE_KEYS = "delete from call_keys where call_sid = ?";
export const DELETE_JOURNAL = "delete from journal where call_sid = ?";
export const DELETE_CALL = "delete from calls where call_sid = ?";
export const DELETE_LOG = "delete from events where call_sid = ?";
/** Parameters: body, protected fields, call sid. */
export const ERASE_CALL = "update calls set body = ?, protected = ?, caller = null where call_sid = ?";
export const INSERT_EVENT = `insert into events (${EVENT_COLUMNS}) values ${rows(EVENT_COLUMNS, 1)}`;
/** Parameters: the key as it is to be wrapped, call sid, key id, the key as it was. */
export const REWRAP_KEY =
  "update call_keys set wrapped = ? where call_sid = ? and key_id = ? and wrapped = ?";
/** Parameters: protected fields, caller, call sid, protected fields as they were. */
export const RESEAL_CALL = "update calls set protected = ?, caller = ? where call_sid = ? and protected = ?";
export const SELECT_CALLS_OF = "select call_sid, started_at from calls where caller = ?";
/** Parameters: call sid, and what the names of all that goes on after it are like. */
export const SELECT_SNAPSHOTS_OF = "select call_sid from snapshots where call_sid = ? or call_sid like ?";
/** Parameters: last call sid and key id seen, limit. */
export const SELECT_KEYS_AFTER = `select ${KEY_COLUMNS} from call_keys where (call_sid, key_id) > (?, ?) order by call_sid, key_id limit ?`;
/** Parameters: last call sid seen, limit. */
export const SELECT_PROTECTED_AFTER =
  "select call_sid, protected, caller from calls where call_sid > ? order by call_sid limit ?";

const NOBODY_SOUGHT = (table: string): string =>
  `not exists (select 1 from snapshots s where s.call_sid = ${table}.call_sid ` +
  `or s.call_sid like ${table}.call_sid || '/%')`;
/** Parameters: end, limit. */
export const SELECT_EXPIRED_CALLS =
  `select call_sid from calls where state = 'ended' and ended_at < ? and ${NOBODY_SOUGHT("calls")} ` +
  "order by ended_at limit ?";
/** Parameters: beginning, limit. */
export const SELECT_EXPIRED_LOGS =
  `select call_sid from events where seq = 1 and at < ? and ${NOBODY_SOUGHT("events")} and not exists ` +
  "(select 1 from calls c where c.call_sid = events.call_sid and c.state <> 'ended') order by at limit ?";

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
