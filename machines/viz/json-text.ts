/** JSON as this repository's formatter prints it, so that a drawn file is never reformatted. */
import type { Json } from "./config.ts";

const PRINT_WIDTH = 110;
const INDENT = 2;

/** The text of a JSON file, with its last newline. */
export const jsonText = (value: Json): string => `${print(value, 0, 0)}\n`;

/** `used` is what stands on the line already, before and after the value. */
function print(value: Json, depth: number, used: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const short = inline(value);
  if (used + short.length <= PRINT_WIDTH && !mustBreak(value)) return short;
  const pad = " ".repeat((depth + 1) * INDENT);
  const end = " ".repeat(depth * INDENT);
  const lines = entries(value).map(({ prefix, item }, index, all) => {
    const comma = index < all.length - 1 ? "," : "";
    return pad + prefix + print(item, depth + 1, pad.length + prefix.length + comma.length) + comma;
  });
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  return [open, ...lines, end + close].join("\n");
}

function entries(value: object): { prefix: string; item: Json }[] {
  return Array.isArray(value)
    ? value.map((item: Json) => ({ prefix: "", item }))
    : Object.entries(value as { [key: string]: Json }).map(([key, item]) => ({
        prefix: `${JSON.stringify(key)}: `,
        item,
      }));
}

function inline(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const parts = entries(value).map(({ prefix, item }) => prefix + inline(item));
  if (Array.isArray(value)) return `[${parts.join(", ")}]`;
  return parts.length === 0 ? "{}" : `{ ${parts.join(", ")} }`;
}

/** A list of several objects with several keys each is never put on one line, nor what holds one. */
function mustBreak(value: Json): boolean {
  if (typeof value !== "object" || value === null) return false;
  const items = entries(value).map(({ item }) => item);
  const isList = Array.isArray(value) && items.length > 1;
  const large = (item: Json): boolean =>
    typeof item === "object" && item !== null && Object.keys(item).length > 1;
  return (isList && items.every(large)) || items.some(mustBreak);
}
