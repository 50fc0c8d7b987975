/** The log as a list: what came to the call, and what came of it. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { AuditEntry } from "../../ports.ts";
import { fieldsText, timeOf, valueText } from "./format.ts";

const KINDS = ["event", "step", "state", "effect", "result", "media", "note"] as const;
type Kind = (typeof KINDS)[number];
/** Around the moment that is shown: a log may have thousands. */
const SHOWN = 150;

export interface TimelineProps {
  readonly entries: readonly AuditEntry[];
  readonly seq: number;
  readonly onGo: (seq: number) => void;
}

export function Timeline({ entries, seq, onGo }: TimelineProps) {
  const [hidden, setHidden] = useState<ReadonlySet<Kind>>(new Set(["step"]));
  const [text, setText] = useState("");
  const words = text.trim().toLowerCase();
  const found = useMemo(
    () =>
      entries
        .filter(({ kind }) => !hidden.has(kind))
        .filter((entry) => words === "" || JSON.stringify(entry).toLowerCase().includes(words)),
    [entries, hidden, words],
  );
  const outcomes = useMemo(() => outcomesOf(entries), [entries]);
  const here = found.findLastIndex((entry) => entry.seq <= seq);
  const first = Math.max(0, here - SHOWN);
  const shown = found.slice(first, Math.max(here, 0) + SHOWN);
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const current = list.current?.querySelector<HTMLElement>("[aria-current]");
    if (list.current && current) keepInView(list.current, current);
  }, [seq]);
  const toggle = (kind: Kind): void =>
    setHidden((before) => {
      const after = new Set(before);
      if (!after.delete(kind)) after.add(kind);
      return after;
    });
  return (
    <section aria-labelledby="timeline-title">
      <h2 id="timeline-title">Log</h2>
      <LogFilters hidden={hidden} onToggle={toggle} text={text} onText={setText} />
      {shown.length === 0 && <p class="card empty">No entry fits.</p>}
      {first > 0 && <p class="hint">{first} entries before.</p>}
      <ol class="timeline" data-testid="timeline" ref={list}>
        {shown.map((entry) => (
          <Entry
            key={entry.seq}
            entry={entry}
            current={entry.seq === found[here]?.seq}
            later={entry.seq > seq}
            outcome={outcomes.get(String(entry.data["id"]))}
            onGo={onGo}
          />
        ))}
      </ol>
      {found.length > first + shown.length && (
        <p class="hint">{found.length - first - shown.length} entries after.</p>
      )}
    </section>
  );
}

/** Scrolls the list, not the page. */
function keepInView(box: HTMLElement, item: HTMLElement): void {
  const [outer, inner] = [box.getBoundingClientRect(), item.getBoundingClientRect()];
  if (inner.top >= outer.top && inner.bottom <= outer.bottom) return;
  box.scrollTop += inner.top - outer.top - outer.height / 2;
}

interface LogFiltersProps {
  readonly hidden: ReadonlySet<Kind>;
  readonly onToggle: (kind: Kind) => void;
  readonly text: string;
  readonly onText: (text: string) => void;
}

function LogFilters({ hidden, onToggle, text, onText }: LogFiltersProps) {
  return (
    <div class="filters">
      <div class="chips" role="group" aria-label="Kinds of entries">
        {KINDS.map((kind) => (
          <button
            key={kind}
            type="button"
            class="chip"
            aria-pressed={!hidden.has(kind)}
            onClick={() => onToggle(kind)}
          >
            {kind}
          </button>
        ))}
      </div>
      <label class="search">
        <span class="hidden">Search the log</span>
        <input
          type="search"
          placeholder="Search the log…"
          value={text}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      </label>
    </div>
  );
}

interface EntryProps {
  readonly entry: AuditEntry;
  readonly current: boolean;
  readonly later: boolean;
  readonly outcome: Result | undefined;
  readonly onGo: (seq: number) => void;
}

function Entry({ entry, current, later, outcome, onGo }: EntryProps) {
  const { seq, at, kind, name } = entry;
  return (
    <li class={`of-${kind} ${later ? "later" : ""}`}>
      <button
        type="button"
        {...(current && { "aria-current": "step" as const })}
        onClick={() => onGo(seq)}
        data-testid={`entry-${seq}`}
      >
        <span class="seq">{seq}</span>
        <time>{timeOf(at)}</time>
        <span class="kind">{kind}</span>
        <b>{name}</b> <span class="fields">{detailsOf(entry)}</span>
        {kind === "effect" && <Outcome outcome={outcome} />}
      </button>
    </li>
  );
}

interface Result {
  readonly failed: boolean;
  readonly tookMs: number;
}

/** What came of each effect, by its id. */
function outcomesOf(entries: readonly AuditEntry[]): ReadonlyMap<string, Result> {
  const asked = new Map<string, number>();
  const outcomes = new Map<string, Result>();
  for (const { kind, name, data, at } of entries) {
    const id = String(data["id"]);
    if (kind === "effect") asked.set(id, Date.parse(at));
    else if (kind === "result") {
      outcomes.set(id, { failed: name === "effect.failed", tookMs: Date.parse(at) - (asked.get(id) ?? 0) });
    }
  }
  return outcomes;
}

function Outcome({ outcome }: { readonly outcome: Result | undefined }) {
  if (!outcome) return null;
  return (
    <span class={`tag ${outcome.failed ? "bad" : "good"}`}>
      {outcome.failed ? "failed" : "done"} in {outcome.tookMs} ms
    </span>
  );
}

function detailsOf({ kind, data }: AuditEntry): string {
  if (kind !== "step") return fieldsText(data);
  return `${String(data["event"])} → ${valueText(data["value"])}`;
}
