/** Through a log, entry by entry or as it was: by hand, by key, and at its own pace or faster, with what was recorded. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { AuditEntry } from "../../ports.ts";
import type { Row } from "./call-data.ts";
import { duration, timeOf } from "./format.ts";
import { indexOf, nextEvent } from "./moment.ts";
import { clock } from "./page.ts";
import { Tracks, useSound } from "./tracks.tsx";

export interface PlayerProps {
  readonly row: Row;
  readonly entries: readonly AuditEntry[];
  readonly seq: number;
  /** The newest entry is shown, whichever that is. */
  readonly follows: boolean;
  readonly isLive: boolean;
  /** `null`: to the newest. */
  readonly onGo: (seq: number | null) => void;
}

const SPEEDS = [1, 2, 4, 16] as const;
type Speed = (typeof SPEEDS)[number];
/** A silence in the log is not sat out, but for what is heard in it. */
const LONGEST_WAIT_MS = 2500;

export function Player({ row, entries, seq, follows, isLive, onGo }: PlayerProps) {
  const [speed, setSpeed] = useState<Speed>(1);
  const last = entries.at(-1)?.seq ?? 0;
  const timesMs = useMemo(() => entries.map(({ at }) => Date.parse(at)), [entries]);
  const sound = useSound({ row, entries, timesMs, seq, onGo });
  const pace = usePace({ entries, timesMs, seq, speed, onGo });
  const isHeard = sound.chosen.size > 0;
  const playing = isHeard ? sound.playing : pace.playing;
  useEffect(() => sound.playhead.setSpeed(speed), [speed]);
  // Who takes the last track off, or puts one on, begins anew.
  useEffect(() => stop(), [isHeard]);
  const stop = (): void => {
    sound.playhead.stop();
    pace.setPlaying(false);
  };
  const step = (by: 1 | -1): void => {
    stop();
    onGo(nextEvent(entries, seq, by));
  };
  const toggle = (): void => {
    if (playing) return stop();
    if (isHeard) {
      if (seq >= last) sound.seek(0);
      return sound.playhead.play();
    }
    if (seq >= last) onGo(entries[0]?.seq ?? 0);
    pace.setPlaying(true);
  };
  useKeys({ step, toggle });
  const atMs = timesMs[indexOf(entries, seq)] ?? 0;
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
      <Scrub
        entries={entries}
        seq={seq}
        onScrub={(to) => {
          stop();
          onGo(to);
        }}
      />
      <output class="number" data-testid="moment">
        entry {seq} of {last} · {timeOf(atMs)} · +{duration(atMs - (timesMs[0] ?? 0))}
      </output>
      <Tracks row={row} sound={sound} />
    </section>
  );
}

interface ScrubProps {
  readonly entries: readonly AuditEntry[];
  readonly seq: number;
  readonly onScrub: (seq: number) => void;
}

function Scrub({ entries, seq, onScrub }: ScrubProps) {
  const last = entries.at(-1)?.seq ?? 0;
  return (
    <label class="scrub">
      <span class="hidden">Entry of the log</span>
      <input
        type="range"
        min={entries[0]?.seq ?? 0}
        max={last}
        value={seq}
        data-testid="scrub"
        aria-valuetext={`entry ${seq} of ${last}`}
        onInput={(event) => onScrub(Number(event.currentTarget.value))}
      />
    </label>
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

interface PaceOptions {
  readonly entries: readonly AuditEntry[];
  readonly timesMs: readonly number[];
  readonly seq: number;
  readonly speed: Speed;
  readonly onGo: (seq: number) => void;
}

/** From event to event, each after the time that there was between them. */
function usePace({ entries, timesMs, seq, speed, onGo }: PaceOptions) {
  const [playing, setPlaying] = useState(false);
  const last = entries.at(-1)?.seq ?? 0;
  useEffect(() => {
    if (!playing) return;
    if (seq >= last) {
      setPlaying(false);
      return;
    }
    const next = nextEvent(entries, seq, 1);
    const [fromMs = 0, toMs = 0] = [seq, next].map((each) => timesMs[indexOf(entries, each)]);
    const timer = clock.setTimeout(() => onGo(next), Math.min(LONGEST_WAIT_MS, (toMs - fromMs) / speed));
    return () => clock.clearTimeout(timer);
  }, [playing, seq, speed, last]);
  return { playing, setPlaying };
}

function CopyLink({ seq }: { readonly seq: number }) {
  const [copied, setCopied] = useState<number | null>(null);
  const address = `${location.origin}${location.pathname}#at=${seq}`;
  const copy = async (event: MouseEvent): Promise<void> => {
    // Not every browser lets a page without TLS copy: then the link itself is followed.
    if (!navigator.clipboard) return;
    event.preventDefault();
    await navigator.clipboard.writeText(address);
    setCopied(seq);
  };
  return (
    <a href={address} class="copy" data-testid="moment-link" onClick={(event) => void copy(event)}>
      {copied === seq ? "Link copied" : "Link to this moment"}
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
