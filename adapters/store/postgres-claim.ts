/** Which calls on a database server are an engine's own: it is told from others by the origin that Twilio reaches it at. */
import { createHash } from "node:crypto";
import { SQL } from "bun";
import { errorText } from "../../engine/errors.ts";
import type { Clock, Log } from "../../engine/ports.ts";
import { type Ownership, SHARED } from "./owner.ts";
import { CONNECT_TIMEOUT_S } from "./postgres-driver.ts";
import { sqlitePath } from "./sqlite-file.ts";

export interface NodeClaimOptions {
  readonly url: string;
  /** Origin of the engine; its calls' rows have it as `node`. `null`: it has none that would stay. */
  readonly node: string | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** How soon a lock that was lost with its connection is taken again. */
const RETAKE_MS = 5000;

/** In seconds: a host that is gone without a word would else have its name for two hours. */
const KEEPALIVE = { tcp_keepalives_idle: 10, tcp_keepalives_interval: 5, tcp_keepalives_count: 3 };

const FIX = "give each engine a PUBLIC_URL of its own, and start one only when the one before has ended";

/** A connection that holds one lock, or none, and nothing else. Taken twice it would have to be given back twice. */
const take = (lock: bigint): string =>
  "select case when exists (select 1 from pg_locks where pid = pg_backend_pid() and locktype = 'advisory') " +
  `then true else pg_try_advisory_lock(${lock}) end as held`;

/**
 * Holds an advisory lock of the node's name for as long as the engine lives; the server ends it with the connection.
 * Whoever could take it is `alone` with the calls of its node: the engine that left them is gone. A server that does
 * not answer makes nobody alone, nor does a file, which is claimed as a whole. Never rejects.
 */
export async function claimNode({ url, node, clock, log }: NodeClaimOptions): Promise<Ownership> {
  if (node === null || sqlitePath(url) !== null) return SHARED;
  const lock = createHash("sha256").update(`tandem node ${node}`).digest().readBigInt64BE();
  const connection = new SQL(url, {
    max: 1,
    connectionTimeout: CONNECT_TIMEOUT_S,
    connection: { application_name: "tandem node", ...KEEPALIVE },
  });
  let timer: unknown = null;
  let released = false;
  let held: boolean | null = null;
  const hold = async (): Promise<void> => {
    const before = held;
    try {
      const [row] = (await connection.unsafe(take(lock))) as readonly { readonly held?: unknown }[];
      held = row?.held === true;
      // Also when it was lost for a moment, and somebody was quicker.
      if (!held && before !== false) log.error("node.claimed_twice", { node, fix: FIX });
    } catch (error) {
      // What else does not work without the server is said by the store.
      if (before === null) log.warn("node.not_claimed", { node, problem: errorText(error) });
    }
    if (!released) timer = clock.setTimeout(() => void hold(), RETAKE_MS);
  };
  await hold();
  return {
    alone: held === true,
    release: () => {
      released = true;
      clock.clearTimeout(timer);
      void connection.close().catch(() => undefined);
    },
  };
}
