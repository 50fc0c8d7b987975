import type { Clock, Log, LogFields, LogLevel } from "../ports.ts";
import { type FieldClass, LOG_FIELDS } from "../privacy/log-fields.ts";
import { told } from "../privacy/told.ts";

const RANK: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

const CLASSES: Readonly<Record<string, FieldClass>> = LOG_FIELDS;

function tellable(fields: LogFields): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, told(value, CLASSES[name])] as const),
  );
}

/** JSON lines on `write` (standard error by default), one per event. */
export function createLog(options: {
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly fields?: LogFields;
  readonly write?: (line: string) => void;
}): Log {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const min = RANK[options.level];
  const make = (base: LogFields): Log => {
    const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
      if (RANK[level] < min) return;
      const time = new Date(options.clock.now()).toISOString();
      write(`${JSON.stringify({ time, level, event, ...tellable({ ...base, ...fields }) })}\n`);
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      child: (fields) => make({ ...base, ...fields }),
    };
  };
  return make(options.fields ?? {});
}

/** Keeps nothing: for tests that do not look at the log. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};
