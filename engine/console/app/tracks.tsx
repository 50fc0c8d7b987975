/** What was recorded of a call, from its beginning on, played along with its log. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { AuditEntry } from "../../ports.ts";
import { maySeeWords } from "../who.ts";
import type { Row } from "./call-data.ts";
import { duration, spaced } from "./format.ts";
import { entryAt, indexOf } from "./moment.ts";
import { clock, textOf, useStore } from "./page.ts";
import { Playhead } from "./playhead.ts";

export interface Sound {
  readonly playhead: Playhead;
  /** Where the playhead is, and where it stops, in ms since the recordings begin. */
  readonly atMs: number;
  readonly endMs: number;
  readonly playing: boolean;
  /** What was recorded, and may be heard. */
  readonly tracks: readonly string[];
  /** Of these, those that play along. */
  readonly chosen: ReadonlySet<string>;
  readonly problem: string | null;
  /** To a moment, with the log. */
  readonly seek: (atMs: number) => void;
  readonly choose: (track: string) => void;
  readonly break: (track: string) => void;
}

export interface SoundOptions {
  readonly row: Row;
  readonly entries: readonly AuditEntry[];
  readonly timesMs: readonly number[];
  readonly seq: number;
  readonly onGo: (seq: number) => void;
}

export function useSound({ row, entries, timesMs, seq, onGo }: SoundOptions): Sound {
  const mayHear = useStore(({ session }) => session === null || maySeeWords(session));
  const tracks = mayHear ? row.recordings : NONE;
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [problem, setProblem] = useState<string | null>(null);
  const [playing, setPlaying] = useState(false);
  const [atMs, setAtMs] = useState(0);
  const fromMs = Date.parse(row.startedAt);
  const endMs = Math.max(0, (timesMs.at(-1) ?? fromMs) - fromMs);
  /** Where the playhead has taken the log to: anywhere else somebody has gone by hand. */
  const taken = useRef(0);
  const moved = (toMs: number): void => {
    setAtMs(toMs);
    const to = entryAt(entries, timesMs, fromMs + toMs);
    if (to === taken.current) return;
    taken.current = to;
    onGo(to);
  };
  const now = useRef(moved);
  now.current = moved;
  const playhead = useMemo(
    () =>
      new Playhead({
        clock,
        onMove: (toMs) => now.current(toMs),
        onPlaying: (is) => {
          setPlaying(is);
          if (is) setProblem(null);
        },
        onRefused: (error) => setProblem(`The browser did not let the sound begin: ${textOf(error)}`),
      }),
    [],
  );
  playhead.setEnd(endMs);
  useEffect(() => () => playhead.stop(), []);
  useEffect(() => {
    if (seq === taken.current) return;
    taken.current = seq;
    const toMs = Math.max(0, (timesMs[indexOf(entries, seq)] ?? fromMs) - fromMs);
    playhead.seek(toMs);
    setAtMs(toMs);
  }, [seq]);
  const seek = (toMs: number): void => {
    playhead.seek(toMs);
    moved(toMs);
  };
  const choose = (track: string): void => {
    setProblem(null);
    setLeft(toggled(left, track));
  };
  const broken = (track: string): void => {
    setLeft((before) => new Set([...before, track]));
    setProblem(
      `The recording ${track} cannot be played. It may be past its time, or sealed with a key that this engine does not have.`,
    );
  };
  const chosen = new Set(tracks.filter((track) => !left.has(track)));
  return { playhead, atMs, endMs, playing, tracks, chosen, problem, seek, choose, break: broken };
}

const NONE: readonly string[] = [];
/** Of the slider. */
const STEP_MS = 100;

function toggled(before: ReadonlySet<string>, track: string): ReadonlySet<string> {
  const after = new Set(before);
  if (!after.delete(track)) after.add(track);
  return after;
}

function nameOf(track: string): string {
  if (track === "coach") return "what the AI whispered";
  return track === "caller" ? "what the caller said" : `what ${spaced(track)} said`;
}

/** Which tracks play along, and where in them the call is. */
export function Tracks({ row, sound }: { readonly row: Row; readonly sound: Sound }) {
  const { playhead, tracks, chosen, problem, atMs, endMs } = sound;
  // A slider stands on whole steps: its last one is the end, or it would never get there.
  const lastMs = STEP_MS * Math.ceil(endMs / STEP_MS);
  if (row.recordings.length === 0) return null;
  if (tracks.length === 0) return <p class="hint">It was recorded: an operator can listen to it.</p>;
  return (
    <div class="tracks" role="group" aria-label="Recordings" data-testid="recordings">
      {tracks.map((track) => {
        const src = `/api/calls/${row.callSid}/recordings/${track}.wav`;
        return (
          <span key={track} class="track">
            <label>
              <input
                type="checkbox"
                checked={chosen.has(track)}
                data-testid={`track-${track}`}
                onChange={() => sound.choose(track)}
              />{" "}
              {nameOf(track)}
            </label>{" "}
            <a href={src} download>
              WAV
            </a>
            {chosen.has(track) && <Audio playhead={playhead} src={src} onBroken={() => sound.break(track)} />}
          </span>
        );
      })}
      {chosen.size > 0 && (
        <label class="scrub">
          <span class="hidden">Time in the call</span>
          <input
            type="range"
            min={0}
            max={lastMs}
            step={STEP_MS}
            value={atMs >= endMs ? lastMs : atMs}
            data-testid="scrub-time"
            aria-valuetext={`${duration(atMs)} of ${duration(endMs)}`}
            onInput={(event) => sound.seek(Math.min(endMs, Number(event.currentTarget.value)))}
          />
        </label>
      )}
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}

interface AudioProps {
  readonly playhead: Playhead;
  readonly src: string;
  readonly onBroken: () => void;
}

/** Asked for only when it is played: who listens is noted. */
function Audio({ playhead, src, onBroken }: AudioProps) {
  const element = useRef<HTMLAudioElement>(null);
  useEffect(() => {
    const track = element.current;
    if (!track) return;
    const leave = playhead.add(track);
    return () => {
      leave();
      // Or the rest of it stays asked for until the browser gets to tidying up.
      track.removeAttribute("src");
      track.load();
    };
  }, [playhead, src]);
  return <audio ref={element} src={src} preload="none" data-testid="audio" onError={onBroken} />;
}
