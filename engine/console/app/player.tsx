/** Through a log, entry by entry or as it was: by hand, by key, and at its own pace or faster. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { AuditEntry } from "../../ports.ts";
import { duration, timeOf } from "./format.ts";
import { nextEvent } from "./moment.ts";
import { clock } from "./page.ts";

export interface PlayerProps {
  readonly entries: readonly AuditEntry[];
  readonly seq: number;
  /** The newest entry is shown, whichever that is. */
  readonly follows: boolean;
  readonly isLive: boolean;
  /** `null`: to the newest. */
  readonly onGo: (seq: number | null) => void;
}

const SPEEDS = [1, 4, 16] as const;
type Speed = (typeof SPEEDS)[number];
/** A silence in the log is not sat out. */
const LONGEST_WAIT_MS = 2500;

export function Player({ entries, seq, follows, isLive, onGo }: PlayerProps) {
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState<Speed>(1);
  const last = entries.at(-1)?.seq ?? 0;
  const bySeq = useMemo(() => new Map(entries.map((entry) => [entry.seq, entry])), [entries]);
  const step = (by: 1 | -1): void => {
    setPlaying(false);
    onGo(nextEvent(entries, seq, by));
  };
  useEffect(() => {
    if (!playing) return;
    if (seq >= last) {
      setPlaying(false);
      return;
    }
    const next = nextEvent(entries, seq, 1);
    const apartMs = timeAt(bySeq, next) - timeAt(bySeq, seq);
    const timer = clock.setTimeout(() => onGo(next), Math.min(LONGEST_WAIT_MS, apartMs / speed));
    return () => clock.clearTimeout(timer);
  }, [playing, seq, speed, last]);
  const toggle = (): void => {
    if (!playing && seq >= last) onGo(entries[0]?.seq ?? 0);
    setPlaying(!playing);
  };
  useKeys({ step, toggle });
  const startMs = timeAt(bySeq, entries[0]?.seq ?? 0);
  return (
    <section class="card player" aria-label="Moment" data-testid="player">
      <div class="buttons">
        <button type="button" onClick={() => step(-1)} aria-label="Event before" data-testid="step-back">
          ←
        </button>
        <button type="button" class="primary" onClick={toggle} data-testid="play" title="space: play, stop">
          {playing ? "Stop" : "Play"}
        </button>
        <button type="button" onClick={() => step(1)} aria-label="Next event" data-testid="step-on">
          →
        </button>
        <SpeedChoice speed={speed} onChoose={setSpeed} />
        {isLive && (
          <button type="button" aria-pressed={follows} onClick={() => onGo(null)} data-testid="go-live">
            Live
          </button>
        )}
        <CopyLink seq={seq} />
      </div>
      <label class="scrub">
        <span class="hidden">Entry of the log</span>
        <input
          type="range"
          min={entries[0]?.seq ?? 0}
          max={last}
          value={seq}
          data-testid="scrub"
          aria-valuetext={`entry ${seq} of ${last}`}
          onInput={(event) => {
            setPlaying(false);
            onGo(Number(event.currentTarget.value));
          }}
        />
      </label>
      <output class="number" data-testid="moment">
        entry {seq} of {last} · {timeOf(timeAt(bySeq, seq))} · +{duration(timeAt(bySeq, seq) - startMs)}
      </output>
    </section>
  );
}

function SpeedChoice(props: { readonly speed: Speed; readonly onChoose: (speed: Speed) => void }) {
  return (
    <label>
      <span class="hidden">Speed</span>
      <select
        value={props.speed}
        onChange={(event) => props.onChoose(Number(event.currentTarget.value) as Speed)}
      >
        {SPEEDS.map((times) => (
          <option key={times} value={times}>
            ×{times}
          </option>
        ))}
      </select>
    </label>
  );
}

function timeAt(bySeq: ReadonlyMap<number, AuditEntry>, seq: number): number {
  return Date.parse(bySeq.get(seq)?.at ?? "") || 0;
}

function CopyLink({ seq }: { readonly seq: number }) {
  const [copied, setCopied] = useState(false);
  const address = `${location.origin}${location.pathname}#at=${seq}`;
  const copy = async (event: MouseEvent): Promise<void> => {
    // Not every browser lets a page without TLS copy: then the link itself is followed.
    if (!navigator.clipboard) return;
    event.preventDefault();
    await navigator.clipboard.writeText(address);
    setCopied(true);
  };
  return (
    <a href={address} class="copy" data-testid="moment-link" onClick={(event) => void copy(event)}>
      {copied ? "Link copied" : "Link to this moment"}
    </a>
  );
}

function useKeys(keys: { readonly step: (by: 1 | -1) => void; readonly toggle: () => void }): void {
  const now = useRef(keys);
  now.current = keys;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target as Element;
      const typing = target.closest("input, select, textarea, button, a, dialog, [role=region]");
      if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
      if (event.key === "ArrowRight") now.current.step(1);
      else if (event.key === "ArrowLeft") now.current.step(-1);
      else if (event.key === " ") now.current.toggle();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}
