/** What happened in a world, in order: the last events as text, and a hash over all of them. */
import type { Clock, Log, LogFields, LogLevel } from "../../engine/ports.ts";

const KEPT = 400;

export class Trace {
  readonly #clock: Clock;
  readonly #last: string[] = [];
  #hash = 0n;
  #events = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get hash(): string {
    return this.#hash.toString(16).padStart(16, "0");
  }

  get events(): number {
    return this.#events;
  }

  /** The last events, oldest first. */
  get last(): readonly string[] {
    return this.#last;
  }

  add(source: string, name: string, data: unknown): void {
    const text = `${this.#clock.monotonicMs().toFixed(3)} ${source} ${name} ${JSON.stringify(data) ?? ""}`;
    this.#events++;
    this.#hash = Bun.hash.wyhash(text, this.#hash);
    this.#last.push(text);
    if (this.#last.length > KEPT) this.#last.shift();
  }
}

/** A log whose every line is told to `tell`. */
export function toldLog(tell: (level: LogLevel, event: string, fields: LogFields) => void): Log {
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void =>
      tell(level, event, fields);
  const log: Log = {
    debug: () => undefined,
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => log,
  };
  return log;
}
