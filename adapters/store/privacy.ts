import type {
  AuditEntry,
  CallRow,
  CallSealers,
  Expired,
  Expiry,
  PrivateStore,
  Rewrapped,
} from "../../engine/ports.ts";
import { postCallKey } from "../../engine/platform/call-key.ts";
import type { Sealer } from "../../engine/platform/seal.ts";
import type { Driver, SqlRow, SqlValue, Statement } from "./driver.ts";
import { ERASED_FIELDS, type FieldCipher } from "./protect.ts";
import { encodeEvent } from "./rows.ts";
import {
  DELETE_CALL,
  DELETE_KEYS,
  DELETE_LOG,
  DELETE_SNAPSHOT,
  DESTROY_KEYS,
  EMPTY_JOURNAL,
  DELETE_JOURNAL,
  ERASE_CALL,
  INSERT_EVENT,
  insertKeys,
  REWRAP_KEY,
  RESEAL_CALL,
  SELECT_CALLS_OF,
  SELECT_EXPIRED_CALLS,
  SELECT_EXPIRED_LOGS,
  SELECT_KEYS_AFTER,
  SELECT_PROTECTED_AFTER,
  SELECT_SNAPSHOTS_OF,
  selectKeys,
} from "./sql.ts";
import { fileKeyId } from "./text-cipher.ts";

const PAGE = 100;

/** Under what a call is kept, and what goes on after it. */
const namesOf = (callSid: string): readonly string[] => [callSid, postCallKey(callSid)];
const ofEach = (callSid: string, statements: readonly string[]): readonly Statement[] =>
  namesOf(callSid).flatMap((name) => statements.map((sql) => ({ sql, params: [name] })));

export interface PrivacyOptions {
  readonly driver: Pick<Driver, "all" | "erase">;
  readonly cipher: FieldCipher;
  /** Of the key that sealed what live calls needed before there was another. */
  readonly keyFile: string | null;
  /** Rejects when what was written before is not in the database. */
  readonly settled: () => Promise<void>;
}

/** The port over a store's driver, beside its queue: what is erased must not wait, nor be tried again unseen. */
export class StorePrivacy implements PrivateStore, CallSealers {
  readonly #options: PrivacyOptions;

  constructor(options: PrivacyOptions) {
    this.#options = options;
  }

  sealing(callSid: string): Sealer | null {
    return this.#options.cipher.keys.sealing(callSid);
  }

  async opening(callSid: string, keyId: string): Promise<Sealer | null> {
    await this.#learn([callSid]);
    return this.#options.cipher.keys.opening(callSid, keyId);
  }

  async callsFrom(number: string): Promise<readonly string[]> {
    const hashes = this.#options.cipher.callerHashes(number);
    const found = new Map<string, string>();
    for (const hash of hashes) {
      for (const row of await this.#read(SELECT_CALLS_OF, [hash])) {
        found.set(String(row["call_sid"]), String(row["started_at"]));
      }
    }
    return [...found].toSorted(([, a], [, b]) => (a < b ? -1 : Number(a > b))).map(([callSid]) => callSid);
  }

  async isUnfinished(callSid: string): Promise<boolean> {
    return (await this.#read(SELECT_SNAPSHOTS_OF, [callSid, `${callSid}/%`])).length > 0;
  }

  async erase(row: CallRow, entry: AuditEntry | null): Promise<boolean> {
    const { callSid, protected: _personal, ...body } = row;
    await this.#options.settled();
    const erased = await this.#options.driver.erase([
      { sql: DESTROY_KEYS, params: [callSid] },
      {
        sql: ERASE_CALL,
        params: [JSON.stringify({ callSid, ...body }), JSON.stringify(ERASED_FIELDS), callSid],
      },
      ...ofEach(callSid, [DELETE_SNAPSHOT, EMPTY_JOURNAL]),
      ...(entry ? [{ sql: INSERT_EVENT, params: encodeEvent(entry) }] : []),
    ]);
    this.#options.cipher.keys.forget([callSid]);
    return erased;
  }

  async expire({ rowsBefore, logsBefore, limit }: Expiry): Promise<Expired> {
    const sidsOf = async (sql: string, before: string | null): Promise<readonly string[]> =>
      before === null ? [] : (await this.#read(sql, [before, limit])).map((row) => String(row["call_sid"]));
    const calls = await sidsOf(SELECT_EXPIRED_CALLS, rowsBefore);
    const logs = await sidsOf(SELECT_EXPIRED_LOGS, logsBefore);
    const gone = [DESTROY_KEYS, DELETE_KEYS, DELETE_CALL];
    const statements = [
      ...calls.flatMap((callSid) => gone.map((sql) => ({ sql, params: [callSid] }))),
      ...calls.flatMap((callSid) => ofEach(callSid, [DELETE_SNAPSHOT, DELETE_JOURNAL])),
      ...logs.map((callSid) => ({ sql: DELETE_LOG, params: [callSid] })),
    ];
    if (statements.length > 0) await this.#options.driver.erase(statements);
    this.#options.cipher.keys.forget(calls);
    return { calls, logs: logs.length };
  }

  async rewrap(): Promise<Rewrapped> {
    const total = { keys: 0, rows: 0, unreadable: 0 };
    await this.#inPages(SELECT_KEYS_AFTER, ["call_sid", "key_id"], (rows) => this.#rewrapKeys(rows, total));
    await this.#inPages(SELECT_PROTECTED_AFTER, ["call_sid"], (rows) => this.#resealRows(rows, total));
    return total;
  }

  /** `order`: the columns by whose values a page goes on after the last. */
  async #inPages(
    sql: string,
    order: readonly string[],
    work: (rows: readonly SqlRow[]) => Promise<void>,
  ): Promise<void> {
    for (let after = order.map(() => ""); ;) {
      const rows = await this.#read(sql, [...after, PAGE]);
      await work(rows);
      const last = rows.at(-1);
      if (!last || rows.length < PAGE) return;
      after = order.map((column) => String(last[column]));
    }
  }

  async #rewrapKeys(rows: readonly SqlRow[], total: { keys: number; unreadable: number }): Promise<void> {
    const { driver, cipher, keyFile } = this.#options;
    // What was sealed under it is gone with its call: nothing of it is lost with the key.
    const madeId = keyFile === null ? null : fileKeyId(keyFile);
    const statements: Statement[] = [];
    for (const row of rows) {
      const before = String(row["wrapped"]);
      const [under] = before.split(":", 1);
      if (under === cipher.keys.currentId || under === madeId || before.startsWith("-")) continue;
      const wrapped = cipher.keys.rewrapped(row);
      if (wrapped === null) total.unreadable++;
      else {
        const place = [String(row["call_sid"]), String(row["key_id"])];
        statements.push({ sql: REWRAP_KEY, params: [wrapped, ...place, before] });
      }
    }
    if (statements.length > 0) await driver.erase(statements);
    total.keys += statements.length;
  }

  /** A row that is written meanwhile is left as it is written: it is current then. */
  async #resealRows(rows: readonly SqlRow[], total: { rows: number; unreadable: number }): Promise<void> {
    const { driver, cipher } = this.#options;
    await this.#learn(rows.map((row) => String(row["call_sid"])));
    const statements: Statement[] = [];
    for (const row of rows) {
      const [callSid, stored] = [String(row["call_sid"]), String(row["protected"])];
      if (!cipher.isSealed(stored)) continue;
      const fields = cipher.tryOpen(callSid, stored);
      if (!fields) {
        total.unreadable++;
        continue;
      }
      const caller = cipher.caller(fields.from);
      const isOld = cipher.isOld(stored);
      if (!isOld && caller === row["caller"]) continue;
      const sealed = isOld ? cipher.seal(callSid, fields) : stored;
      statements.push({ sql: RESEAL_CALL, params: [sealed, caller, callSid, stored] });
    }
    if (statements.length === 0) return;
    const keys = cipher.keys.unstored();
    const made = keys.length === 0 ? [] : [{ sql: insertKeys(keys.length), params: keys.flat() }];
    await driver.erase([...made, ...statements]);
    cipher.keys.stored(keys);
    total.rows += statements.length;
  }

  async #learn(sids: readonly string[]): Promise<void> {
    if (sids.length === 0) return;
    this.#options.cipher.keys.learn(await this.#read(selectKeys(sids.length), sids));
  }

  async #read(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    await this.#options.settled();
    return await this.#options.driver.all(sql, params);
  }
}
