/** What becomes of a value by its class where everybody may read it: in a log line, in the log of a call. */
import { REDACTED } from "../platform/redact.ts";
import type { FieldClass } from "./log-fields.ts";
import { redactText } from "./redact.ts";

/** Of a value without a class only what can hold no words is told. */
export function told(value: unknown, fieldClass: FieldClass | undefined): unknown {
  if (fieldClass === "public" || value === null || value === undefined) return value;
  if (fieldClass === "internal") return cleaned(value);
  return fieldClass === undefined && (typeof value === "number" || typeof value === "boolean")
    ? value
    : REDACTED;
}

function cleaned(value: unknown): unknown {
  if (typeof value === "string") return redactText(value).text;
  if (Array.isArray(value)) return value.map((each) => cleaned(each));
  return typeof value === "object" && value !== null ? REDACTED : value;
}
