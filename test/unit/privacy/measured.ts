/** How well the redactor does on sentences whose spans are marked: `{kind:text}`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REDACTED_KINDS, redactText, type RedactedKind, type Span } from "../../../engine/privacy/redact.ts";

export interface Marked {
  readonly text: string;
  readonly spans: readonly Span[];
}

export function readMarked(file: string): readonly Marked[] {
  const lines = readFileSync(join(import.meta.dir, file), "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map(unmark);
}

function unmark(line: string): Marked {
  const spans: Span[] = [];
  let text = "";
  let from = 0;
  for (const { 0: whole, 1: kind = "", 2: content = "", index } of line.matchAll(/\{(\w+):([^}]*)\}/g)) {
    if (!REDACTED_KINDS.includes(kind as RedactedKind)) throw new Error(`${line}: there is no kind ${kind}`);
    text += line.slice(from, index);
    spans.push({ kind: kind as RedactedKind, start: text.length, end: text.length + content.length });
    text += content;
    from = index + whole.length;
  }
  return { text: text + line.slice(from), spans };
}

/** Letters and figures of a text between two places: marks and spaces tell nothing. */
const tells = (text: string): boolean => /[\p{L}\d]/u.test(text);

function isHidden({ start, end }: Span, text: string, by: readonly Span[]): boolean {
  for (let at = start; at < end; at++) {
    if (tells(text[at] ?? "") && !by.some((span) => span.start <= at && at < span.end)) return false;
  }
  return true;
}

export interface Figures {
  readonly kind: RedactedKind | "all";
  readonly marked: number;
  /** Of which every letter and figure is gone, whatever it was taken for. */
  readonly hidden: number;
  /** What was taken out as this kind, and what of it holds something that is marked. */
  readonly taken: number;
  readonly right: number;
  readonly recall: number;
  readonly precision: number;
}

export interface Measured {
  readonly figures: readonly Figures[];
  /** Sentences that are not as they should be, with what became of them. */
  readonly wrong: readonly string[];
}

export function measure(sentences: readonly Marked[]): Measured {
  const counts = new Map<RedactedKind, { marked: number; hidden: number; taken: number; right: number }>();
  for (const kind of REDACTED_KINDS) counts.set(kind, { marked: 0, hidden: 0, taken: 0, right: 0 });
  const wrong: string[] = [];
  for (const { text, spans } of sentences) {
    const found = redactText(text);
    let isWrong = false;
    for (const span of spans) {
      const hidden = isHidden(span, text, found.spans);
      const count = counts.get(span.kind);
      if (count) count.marked++;
      if (count && hidden) count.hidden++;
      isWrong ||= !hidden;
    }
    for (const span of found.spans) {
      const right = spans.some((each) => each.start < span.end && span.start < each.end);
      const count = counts.get(span.kind);
      if (count) count.taken++;
      if (count && right) count.right++;
      isWrong ||= !right;
    }
    if (isWrong) wrong.push(`${text} → ${found.text}`);
  }
  const rows = [...counts].map(([kind, count]) => figuresOf(kind, count));
  const sum = (of: (row: Figures) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const all = { marked: sum((r) => r.marked), hidden: sum((r) => r.hidden), taken: sum((r) => r.taken) };
  return { figures: [...rows, figuresOf("all", { ...all, right: sum((r) => r.right) })], wrong };
}

function figuresOf(
  kind: Figures["kind"],
  count: Pick<Figures, "marked" | "hidden" | "taken" | "right">,
): Figures {
  const share = (part: number, of: number): number => (of === 0 ? 1 : part / of);
  return {
    kind,
    ...count,
    recall: share(count.hidden, count.marked),
    precision: share(count.right, count.taken),
  };
}
