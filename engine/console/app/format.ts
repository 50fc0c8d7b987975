/** Times and names as people read them. Pure. */

/** `0:07`, `12:03`, `1:02:03`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `7 s`, `1 min 20 s`: what is left of a window, rounded up so that it ends with 0. */
export function left(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Made once: a log has thousands of times, and making a format takes longer than using it. */
const TIME = new Intl.DateTimeFormat([], {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const DATE_TIME = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });

/** `14:03:07`, by the clock of whoever looks. */
export function timeOf(at: number | string): string {
  return TIME.format(new Date(at));
}

export function dateTimeOf(at: number | string): string {
  return DATE_TIME.format(new Date(at));
}

/** `wrapUp` → `wrap up`. */
export function spaced(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replaceAll("_", " ")
    .toLowerCase();
}

/** `CA1234…cdef`. */
export function shortSid(callSid: string): string {
  return `${callSid.slice(0, 6)}…${callSid.slice(-4)}`;
}

/** `escalating (ladder.paging, link.live)`. */
export function valueText(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  const parts = Object.entries(value).map(([state, inner]) => {
    const within = valueText(inner);
    return within === "" ? state : within.startsWith("(") ? `${state} ${within}` : `${state}.${within}`;
  });
  return parts.length === 1 ? (parts[0] ?? "") : parts.length === 0 ? "" : `(${parts.join(", ")})`;
}

/** The fields of an entry in a line. */
export function fieldsText(data: Readonly<Record<string, unknown>>): string {
  return Object.entries(data)
    .filter(([name, value]) => value !== null && !LEFT_OUT.has(name))
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}

const LEFT_OUT: ReadonlySet<string> = new Set([
  "id",
  "at",
  "callSid",
  "conferenceSid",
  "streamSid",
  "streamCallSid",
  "input",
]);
