/** Has logs verified by processes of their own, one at a time. */
import { runApart } from "../platform/apart.ts";
import type { AuditEntry, CallRow, Clock } from "../ports.ts";
import { MAX_READ } from "./verify.ts";

const PROCESS = new URL("./verify-process.ts", import.meta.url);
/** On a machine that has better things to do. */
const TIMEOUT_MS = 60_000;

export class Verifier {
  readonly #clock: Clock;
  #running: AbortController | null = null;
  #stopped = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The `Verified` of engine/console/verify.ts as JSON text; `null`: another log is being verified. Rejects when it
   * takes too long, or goes wrong, and once the engine stops.
   */
  async verified(row: CallRow, entries: AsyncIterable<AuditEntry>): Promise<string | null> {
    if (this.#running) return null;
    // The server may still listen.
    if (this.#stopped) throw new Error("the engine stops");
    const running = new AbortController();
    this.#running = running;
    const timer = this.#clock.setTimeout(() => running.abort(), TIMEOUT_MS);
    try {
      const { callSid, endedAt, auditEntries, auditHash } = row;
      const lines = [JSON.stringify({ callSid, row: { ended: endedAt !== null, auditEntries, auditHash } })];
      for await (const entry of entries) {
        if (lines.push(JSON.stringify(entry)) > MAX_READ || running.signal.aborted) break;
      }
      return await runApart(PROCESS, lines.join("\n"), running.signal);
    } finally {
      this.#clock.clearTimeout(timer);
      this.#running = null;
    }
  }

  /** Ends what is under way, and begins nothing any more: no process may outlive the engine. */
  stop(): void {
    this.#stopped = true;
    this.#running?.abort();
  }
}
