/** What was said, and how long the caller waited for it. */
import type { RefObject } from "preact";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import type { SpeakersTold, TranscriptEntry } from "../../ports.ts";
import { timeOf } from "./format.ts";
import type { TurnRow } from "./moment.ts";

const SPEAKERS = {
  caller: "Caller",
  human: "Person on call",
  both: "Caller and person on call, at once",
  unknown: "Caller or person on call",
  agent: "AI",
  coach: "AI, to the person on call alone",
} as const;

const NOT_TOLD = {
  mixed: "Those on the phone are not told apart: what a person on call said stands as the caller's.",
  partly: "Those on the phone could not be told apart all the time.",
} as const;

export function Transcript(props: {
  readonly said: readonly TranscriptEntry[];
  readonly untilMs: number | null;
  /** Whether those on the phone were told apart, once there was more than one. */
  readonly speakers: SpeakersTold | null;
}) {
  const { said, untilMs, speakers } = props;
  const shown = untilMs === null ? said : said.filter(({ atMs }) => atMs <= untilMs);
  // The same as long as nothing is added: a long call has hundreds, and the moment changes all the time.
  const lines = useMemo(
    () => shown.map((entry, index) => <Words key={index} entry={entry} />),
    [said, shown.length],
  );
  const list = useKeptEnd(lines);
  return (
    <section aria-labelledby="transcript-title">
      <h2 id="transcript-title">Conversation</h2>
      {(speakers === "mixed" || speakers === "partly") && <p class="hint">{NOT_TOLD[speakers]}</p>}
      {shown.length === 0 && <p class="hint">Nothing was said {untilMs === null ? "yet" : "by then"}.</p>}
      <ol class="transcript" data-testid="transcript" ref={list}>
        {lines}
      </ol>
    </section>
  );
}

/** What was said last is in sight, until somebody goes back in it. */
function useKeptEnd(lines: unknown): RefObject<HTMLOListElement | null> {
  const list = useRef<HTMLOListElement>(null);
  const { scrollTop = 0, scrollHeight = 0, clientHeight = 0 } = list.current ?? {};
  // As it is before this drawing changes the page; a pixel may be cut into parts.
  const wasAtEnd = scrollHeight - scrollTop - clientHeight < 2;
  useLayoutEffect(() => {
    if (list.current && wasAtEnd) list.current.scrollTop = list.current.scrollHeight;
  }, [lines]);
  return list;
}

function Words({ entry }: { readonly entry: TranscriptEntry }) {
  const { speaker, label, text, heardText, atMs } = entry;
  const heard = heardText ?? text;
  const rest = heardText === undefined ? "" : text.slice(heardText.length);
  return (
    <li class={speaker}>
      <span class="speaker">
        {SPEAKERS[speaker]} {label} <time>{timeOf(atMs)}</time>
      </span>
      <p>
        {heard && <span data-testid="heard">{heard}</span>}
        {rest.trim() !== "" && (
          <span class="unheard" data-testid="not-heard">
            <span class="hidden"> Not heard: </span>
            {rest}
          </span>
        )}
      </p>
      {rest.trim() !== "" && <small>not heard: struck out</small>}
    </li>
  );
}

interface TurnsProps {
  readonly turns: readonly TurnRow[];
  readonly seq: number;
  readonly onGo: (seq: number) => void;
}

const PARTS = [
  ["decideMs", "model decides"],
  ["speakMs", "model speaks"],
  ["sendMs", "engine sends"],
  ["roundTripMs", "carrier, there and back"],
] as const;
const SHOWN_TURNS = 12;

/** Where the time went in each turn, from the end of the caller's words on. */
export function Turns({ turns, seq, onGo }: TurnsProps) {
  const shown = turns.filter((turn) => turn.seq <= seq).slice(-SHOWN_TURNS);
  const whole = (turn: TurnRow): number => PARTS.reduce((sum, [part]) => sum + (turn[part] ?? 0), 0);
  const widest = Math.max(1, ...shown.map(whole));
  return (
    <section aria-labelledby="turns-title">
      <h2 id="turns-title">Answers</h2>
      {shown.length === 0 && <p class="hint">No answer was timed {turns.length > 0 ? "by then" : "yet"}.</p>}
      {shown.length > 0 && (
        <>
          <p class="legend">
            {PARTS.map(([part, words]) => (
              <span key={part} class={`key ${part}`}>
                {words}
              </span>
            ))}
          </p>
          <ol class="turns" data-testid="turns">
            {shown.map((turn) => (
              <li key={turn.seq}>
                <button
                  type="button"
                  onClick={() => onGo(turn.seq)}
                  title={PARTS.map(([part, words]) => `${words} ${turn[part] ?? "?"} ms`).join(", ")}
                >
                  <span class="number">{turn.turnMs} ms</span>
                  <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
                    {barsOf(turn, 100 / widest)}
                  </svg>
                </button>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function barsOf(turn: TurnRow, perMs: number) {
  let x = 0;
  return PARTS.map(([part]) => {
    const width = (turn[part] ?? 0) * perMs;
    const bar = <rect key={part} class={part} x={x} y={0} width={width} height={6} />;
    x += width;
    return bar;
  });
}
