/** What `bun run call` prints. */
import { ladderLines } from "./ladder-report.ts";
import type { CallEvent, CallResult } from "./place-call.ts";

/** One line for a person, or `null` for what would only distract. */
export function eventLine(event: CallEvent): string | null {
  const [label, text] = describe(event);
  if (text === null) return null;
  return `${(event.atMs / 1000).toFixed(2).padStart(7)} s  ${label.padEnd(9)} ${text}`;
}

function describe(event: CallEvent): readonly [string, string | null] {
  switch (event.type) {
    case "dialing":
      return ["dial", `${event.to} from ${event.from}`];
    case "answered":
      return ["answered", event.callSid];
    case "state":
      if (event.from === event.state) return ["state", null];
      return ["state", event.from ? `${event.from} → ${event.state}` : event.state];
    case "transcript":
      return [event.speaker, heard(event.text, event.heardText)];
    case "effect":
      return ["effect", event.outcome === "started" ? null : `${event.name}: ${event.outcome}`];
    case "note":
      return ["note", noteText(event)];
    case "phone":
      return [event.who, event.text === undefined ? event.event : `${event.event}: ${event.text}`];
    case "finding":
      return ["check", event.text];
    case "hung-up":
      return ["ended", event.reason];
    case "warning":
      return ["warning", event.problem];
    case "step":
      return ["step", null];
  }
}

function heard(text: string, heardText: string | undefined): string {
  return heardText === undefined || heardText === text ? text : `${text} [heard: ${heardText || "nothing"}]`;
}

function noteText(note: Readonly<Record<string, unknown>>): string {
  if (typeof note["text"] === "string") return note["text"];
  const { type: _type, callSid: _callSid, atMs: _atMs, ...rest } = note;
  return JSON.stringify(rest);
}

/** The end of the report for a person. */
export function resultLines(result: CallResult, recordedTo: string | null): readonly string[] {
  const lines: string[] = [];
  if (result.row) lines.push("", "row:", JSON.stringify(result.row, null, 2));
  const ladder = ladderLines(result.row);
  if (ladder.length > 0) lines.push("", ...ladder);
  if (recordedTo) lines.push("", `recorded to ${recordedTo} (left: heard, right: said)`);
  return lines;
}

/** The last line of `--json`. */
export function resultJson(result: CallResult, recordedTo: string | null): string {
  const { recording: _audio, ...rest } = result;
  return JSON.stringify({ type: "result", ...rest, recordedTo });
}
