/** What is left of the fields that name or quote a person when nobody may read them. */
import type { ProtectedFields, TranscriptEntry } from "../ports.ts";
import type { SlotValues } from "../postcall-port.ts";

export const REDACTED = "[redacted]";
/** The digits are hidden by a fixed number of bullets, so that not even their count is kept. */
const HIDDEN_DIGITS = "•••••••";

export function redactAddress(address: string): string {
  if (address === "" || address === REDACTED || /^\+?•+\d{2}$/.test(address)) return address;
  const digits = /^(\+?)\d{4,}(\d{2})$/.exec(address);
  // Sip and client addresses and "anonymous" have no part that is safe to keep.
  return digits ? `${digits[1] ?? ""}${HIDDEN_DIGITS}${digits[2] ?? ""}` : REDACTED;
}

export function redactEntry(entry: TranscriptEntry): TranscriptEntry {
  const { atMs, speaker, label, heardMs, generatedMs } = entry;
  return {
    atMs,
    speaker,
    ...(label === undefined ? {} : { label }),
    text: REDACTED,
    ...(heardMs === undefined ? {} : { heardMs }),
    ...(generatedMs === undefined ? {} : { generatedMs }),
  };
}

/** Which slots have a value, and none of the values. */
function redactSlots(slots: SlotValues): SlotValues {
  return Object.fromEntries(
    Object.entries(slots).map(([name, value]) => [name, value === null ? null : REDACTED]),
  );
}

/** Who called whom down to two digits, who spoke when, and no word of it. Redacting twice changes nothing. */
export function redact(fields: ProtectedFields): ProtectedFields {
  return {
    from: redactAddress(fields.from),
    to: redactAddress(fields.to),
    transcript: fields.transcript.map(redactEntry),
    escalationReason: fields.escalationReason === null ? null : REDACTED,
    slots: fields.slots && redactSlots(fields.slots),
  };
}
