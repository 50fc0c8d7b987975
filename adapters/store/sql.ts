/** Every statement, once, in the subset that SQLite and PostgreSQL share. Placeholders are `?`. */

const EVENT_COLUMNS = "call_sid, seq, at, kind, name, data, prev, hash";
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

export const SELECT_EVENT = `select ${EVENT_COLUMNS} from events where call_sid = ? and seq = ?`;

/** Parameters: call sid, last number seen, limit. */
export const SELECT_EVENTS = `select ${EVENT_COLUMNS} from events where call_sid = ? and seq > ? order by seq limit ?`;

export const SELECT_CALL = `select ${CALL_COLUMNS} from calls where call_sid = ?`;

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
