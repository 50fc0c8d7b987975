import { SQL } from "bun";
import { errorText, StoreError } from "../../engine/errors.ts";
import type { Clock } from "../../engine/ports.ts";
import { applyBatch } from "./apply-batch.ts";
import type { Batch, Db, Driver, SqlRow, SqlValue, Statement, WriteOutcome } from "./driver.ts";
import { type Inspected, inspect } from "./inspect.ts";
import { migrate } from "./migrations.ts";
import { numbered } from "./sql.ts";

export interface PostgresAddress {
  readonly url: string;
  readonly clock: Clock;
}

export interface PostgresOptions extends PostgresAddress {
  /** ISO time that migrations are stamped with. */
  readonly appliedAt: string;
}

const CONNECTIONS_MAX = 4;
export const CONNECT_TIMEOUT_S = 10;
/** Longer than the server's own limit, so that it fires only when no answer comes at all. */
const ANSWER_TIMEOUT_MS = 40_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Names our migrations among the advisory locks of the database: "tandem" as six ASCII bytes. */
const MIGRATION_LOCK = "127961812723053";

/** [SQLSTATE or class, what to do]. */
const FIXES: readonly (readonly [string, string])[] = [
  ["28", "check the user and password in DATABASE_URL"],
  ["3D000", "create the database, or correct its name in DATABASE_URL"],
  ["42501", "grant the user the right to create and use tables"],
  ["42P07", "use a database (or schema) of Tandem's own: a table of this name is already there"],
  ["25006", "point DATABASE_URL to the primary: this server takes no writes"],
  ["53", "free some space or connections on the server"],
];

/** Database address without user and password. */
function label(url: string): string {
  const { host, pathname } = new URL(url);
  return `postgres://${host}${pathname}`;
}

function sqlState(error: unknown): string {
  const state = (error as { readonly errno?: unknown }).errno;
  return typeof state === "string" ? state : "";
}

/** One sentence with the server and the fix, without the password. */
function problemOf(error: unknown, url: string): string {
  const state = sqlState(error);
  const known = FIXES.find(([prefix]) => state !== "" && state.startsWith(prefix));
  const fix = known?.[1] ?? (state === "" ? "check that the server runs and DATABASE_URL leads to it" : null);
  const code = state === "" ? "" : ` (${state})`;
  return `database ${label(url)}: ${errorText(error)}${code}${fix === null ? "" : `; fix: ${fix}`}`;
}

/** Classes 22 and 23 and too large values: the server will refuse the same values again. */
function isBadData(error: unknown): boolean {
  return /^(22|23|54)/.test(sqlState(error));
}

function dbOf(connection: Pick<SQL, "unsafe">): Db {
  const statements = new Map<string, string>();
  return {
    all: async (sql, params) => {
      let text = statements.get(sql);
      if (text === undefined) statements.set(sql, (text = numbered(sql)));
      const rows: SqlRow[] = await connection.unsafe(text, [...params]);
      return rows;
    },
  };
}

function pool(url: string): SQL {
  return new SQL(url, {
    max: CONNECTIONS_MAX,
    connectionTimeout: CONNECT_TIMEOUT_S,
    connection: { application_name: "tandem", statement_timeout: STATEMENT_TIMEOUT_MS },
  });
}

class PostgresDriver implements Driver {
  #sql: SQL;
  readonly #url: string;
  readonly #clock: Clock;

  constructor(options: PostgresAddress) {
    this.#url = options.url;
    this.#clock = options.clock;
    this.#sql = pool(options.url);
  }

  /**
   * A connection that died without a sign answers nothing, ever. It is let go with all the others, which may be no
   * better: one that comes to life again would do what it was told before after what was told to another since.
   */
  async #answered<T>(work: Promise<T>): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const asked = this.#sql;
    const timer = this.#clock.setTimeout(() => {
      reject(new StoreError(`no answer within ${ANSWER_TIMEOUT_MS / 1000} s`));
      if (this.#sql !== asked) return;
      this.#sql = pool(this.#url);
      void asked.close({ timeout: 0 }).catch(() => undefined);
    }, ANSWER_TIMEOUT_MS);
    try {
      return await Promise.race([work, promise]);
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }

  async migrate(appliedAt: string): Promise<void> {
    try {
      await this.#answered(
        this.#sql.begin(async (connection) => {
          const db = dbOf(connection);
          // Nodes that start together would otherwise create the same tables.
          await connection.unsafe(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
          await migrate(db, appliedAt);
        }),
      );
    } catch (error) {
      if (error instanceof StoreError) throw new StoreError(`database ${label(this.#url)}: ${error.message}`);
      throw new StoreError(problemOf(error, this.#url));
    }
  }

  async write(batch: Batch): Promise<WriteOutcome> {
    try {
      const write = this.#sql.begin(async (connection) => await applyBatch(dbOf(connection), batch));
      return { ok: true, ...(await this.#answered(write)) };
    } catch (error) {
      return { ok: false, problem: problemOf(error, this.#url), badData: isBadData(error) };
    }
  }

  async all(sql: string, params: readonly SqlValue[]): Promise<readonly SqlRow[]> {
    try {
      return await this.#answered(Promise.resolve(dbOf(this.#sql).all(sql, params)));
    } catch (error) {
      throw new StoreError(problemOf(error, this.#url));
    }
  }

  /** What was replaced stays in the server's pages until it reuses them, and in its write-ahead log. */
  async erase(statements: readonly Statement[]): Promise<boolean> {
    try {
      const work = this.#sql.begin(async (connection) => {
        for (const { sql, params } of statements) await dbOf(connection).all(sql, params);
      });
      await this.#answered(work);
      return false;
    } catch (error) {
      throw new StoreError(problemOf(error, this.#url));
    }
  }

  async close(): Promise<void> {
    await this.#sql.close({ timeout: 5 });
  }
}

/**
 * Connects to PostgreSQL and brings its tables up to date.
 *
 * @throws StoreError naming the server (never the password) and the fix.
 */
export async function openPostgres(options: PostgresOptions): Promise<Driver> {
  const driver = new PostgresDriver(options);
  try {
    await driver.migrate(options.appliedAt);
  } catch (error) {
    await driver.close();
    throw error;
  }
  return driver;
}

/**
 * Looks at a database and changes nothing in it.
 *
 * @throws StoreError as {@link openPostgres} does.
 */
export async function inspectPostgres(options: PostgresAddress): Promise<Inspected> {
  const driver = new PostgresDriver(options);
  try {
    const [found] = await driver.all("select to_regclass('tandem_migrations') is not null as is_there", []);
    return await inspect(driver, found?.["is_there"] === true);
  } finally {
    await driver.close();
  }
}
