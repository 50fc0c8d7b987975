import type { AuditEntry, Clock, Store } from "../ports.ts";

/** Fields that name or quote a person: kept out of the log, their presence is noted. */
const PERSONAL = new Set(["to", "from", "text"]);
const MAX_ENTRIES = 5000;

/**
 * Writes the append-only log of one call. A call that somehow makes more than {@link MAX_ENTRIES} entries
 * stops being logged in detail: a note takes the place of the last one, and what is left out is counted.
 */
export class Recorder {
  #seq = 0;
  #dropped = 0;
  readonly #callSid: string;
  readonly #clock: Clock;
  readonly #store: Store;

  constructor(callSid: string, clock: Clock, store: Store) {
    this.#callSid = callSid;
    this.#clock = clock;
    this.#store = store;
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(kind: AuditEntry["kind"], name: string, data: Readonly<Record<string, unknown>>): void {
    if (this.#seq >= MAX_ENTRIES) {
      this.#dropped++;
      return;
    }
    const last = this.#seq === MAX_ENTRIES - 1;
    if (last) this.#dropped++;
    this.#seq++;
    this.#store.appendEvents([
      {
        callSid: this.#callSid,
        seq: this.#seq,
        at: new Date(this.#clock.now()).toISOString(),
        kind: last ? "note" : kind,
        name: last ? "log.full" : name,
        data: last ? { limit: MAX_ENTRIES } : publicFields(name, data),
      },
    ]);
  }
}

function publicFields(
  name: string,
  data: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const quotes = name.startsWith("tool.") || name.startsWith("op.");
  const fields: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(data)) {
    if (value === undefined || field === "type" || field === "at") continue;
    const personal = PERSONAL.has(field) || (quotes && field === "reason");
    fields[field] = personal && value !== null ? "[redacted]" : value;
  }
  return fields;
}
