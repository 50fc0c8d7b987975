/** One call: where its machines are, what came to it, what was said and done; live, or at any moment of its log. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { type CallData, type Row, useCall } from "./call-data.ts";
import { Chart } from "./chart.tsx";
import { Commands } from "./commands.tsx";
import { dateTimeOf, duration, shortSid, spaced, valueText } from "./format.ts";
import { endedText, soughtText } from "./incident-text.ts";
import { type ActorNow, depthOf, machinesOf, type Moment, momentAt, turnsOf } from "./moment.ts";
import { Next, useNext } from "./next.tsx";
import { clock, type Place, useNow, useStore } from "./page.ts";
import { State } from "./pieces.tsx";
import { Player } from "./player.tsx";
import { activeIds, isFollowed, isKnown } from "./store.ts";
import { Room } from "./switchboard.tsx";
import { Transcript, Turns } from "./talk.tsx";
import { Timeline } from "./timeline.tsx";
import { Verify } from "./verify.tsx";

type CallPlace = Extract<Place, { readonly is: "call" }>;

export function CallPage({ place }: { readonly place: CallPlace }) {
  const { callSid } = place;
  const { data, problem } = useCall(callSid);
  return (
    <>
      <Title callSid={callSid} from={data?.row.from ?? null} />
      {data ? (
        <Call data={data} place={place} />
      ) : (
        <p class={problem ? "problem" : "hint"} role="status">
          {problem ?? "Reading its log…"}
        </p>
      )}
    </>
  );
}

/** The same one before and after the log has come: whoever was led to it stays there. */
function Title({ callSid, from }: { readonly callSid: string; readonly from: string | null }) {
  return (
    <h1 tabIndex={-1} title={callSid}>
      {from === null ? `Call ${shortSid(callSid)}` : from || shortSid(callSid)}{" "}
      {from !== null && <small>{callSid}</small>}
    </h1>
  );
}

function Call({ data, place }: { readonly data: CallData; readonly place: CallPlace }) {
  const { row, entries, said } = data;
  const last = entries.at(-1)?.seq ?? 0;
  /** `null`: the newest entry, whichever that is. */
  const [seq, setSeq] = useState<number | null>(place.at);
  useEffect(() => setSeq(place.at), [place]);
  useAddress(seq);
  const shown = Math.min(seq ?? last, last);
  const moment = useMemo(() => momentAt(entries, shown), [entries, shown]);
  const turns = useMemo(() => turnsOf(entries), [entries]);
  const isLive = useStore((state) => state.calls[row.callSid] !== undefined);
  const following = useStore((state) => isFollowed(state, row.callSid));
  const goesOn = isLive || row.endedAt === null || following;
  const past = seq !== null && shown < last;
  const next = useNext(goesOn ? row.callSid : null, last);
  return (
    <>
      <Heading row={row} isLive={isLive} past={past} moment={moment} />
      {goesOn && !past && <Commands callSid={row.callSid} next={next} following={following} />}
      <Player row={row} entries={entries} seq={shown} follows={seq === null} isLive={goesOn} onGo={setSeq} />
      <div class="columns">
        <Machines moment={moment} hash={machinesOf(entries)} />
        <div class="side">
          <Transcript
            said={said}
            untilMs={past ? moment.atMs : null}
            speakers={row.handover === null ? null : row.speakers}
          />
          <Turns turns={turns} seq={shown} onGo={setSeq} />
          {goesOn && !past && <Next next={next} />}
        </div>
      </div>
      <Timeline entries={entries} seq={shown} onGo={setSeq} />
      {!goesOn && <Verify callSid={row.callSid} onGo={setSeq} />}
    </>
  );
}

/** A moment rests when it is shown for so long: a browser refuses a page that gives itself ever new addresses. */
const RESTS_AFTER_MS = 250;

/** The address names the moment that is shown, without a page back for each. */
function useAddress(seq: number | null): void {
  useEffect(() => {
    const timer = clock.setTimeout(() => {
      const address = seq === null ? location.pathname : `#at=${seq}`;
      history.replaceState(null, "", address);
    }, RESTS_AFTER_MS);
    return () => clock.clearTimeout(timer);
  }, [seq]);
}

interface HeadingProps {
  readonly row: Row;
  readonly isLive: boolean;
  readonly past: boolean;
  readonly moment: Moment;
}

function Heading({ row, isLive, past, moment }: HeadingProps) {
  const live = useStore((state) => state.calls[row.callSid]);
  const nowMs = useNow();
  const root = moment.actors.find(({ actor }) => actor === "call");
  const topState = root ? (activeIds("", root.value)[0]?.slice(1) ?? "") : row.state;
  const startedMs = Date.parse(row.startedAt);
  const untilMs = past ? moment.atMs : row.endedAt === null ? nowMs : Date.parse(row.endedAt);
  return (
    <section class="call-head">
      <p class="facts">
        <span data-testid="call-state">
          <State name={past ? topState : (live?.now.state ?? row.state)} />
        </span>
        {past && <span class="tag warn">as it was</span>}
        {!past && live?.now.role === "coach" && <span class="tag">AI coaches</span>}
        {!past && live?.now.onHold && <span class="tag warn">on hold</span>}
        <span>{dateTimeOf(row.startedAt)}</span>
        <span class="number">{duration(untilMs - startedMs)}</span>
        {!isLive && !past && row.endReason && <span>{spaced(row.endReason)}</span>}
        {!isLive && !past && row.handover && <span>handover: {spaced(row.handover)}</span>}
        {row.escalationReason && <q>{row.escalationReason}</q>}
      </p>
      {!past && live && <Room room={live.room} />}
      {past && moment.legs.length > 0 && (
        <span class="legs">
          {moment.legs.map(({ label, status }) => (
            <span key={label} class={`leg ${status === "in the room" ? "" : "waiting"}`}>
              {label} ({status})
            </span>
          ))}
        </span>
      )}
      {!past && <Sought row={row} />}
      {row.errors.length > 0 && (
        <ul class="errors" aria-label="Errors">
          {row.errors.map(({ at, code, message }) => (
            <li key={`${at}${code}`}>
              <b>{code}</b> {message}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** What became of each time that a person was asked for, as far as it is not told by the room. */
function Sought({ row }: { readonly row: Row }) {
  const incidents = useStore((state) => state.incidents);
  const known = useStore(isKnown);
  // Of a live call, and one that is followed up, the feed tells; the row has what was so when it was asked for.
  const told = Object.values(incidents).filter(({ callSid }) => callSid === row.callSid);
  const kept = row.escalations.filter((each) => !told.some(({ number }) => number === each.number));
  const texts = [
    ...kept.map((each) => [each.number, endedText(each)] as const),
    ...told.map((each) => [each.number, soughtText(each)] as const),
  ].sort(([a], [b]) => a - b);
  if (texts.length === 0 || !known) return null;
  return (
    <ul class="sought" aria-label="Escalations" data-testid="sought">
      {texts.map(([number, text]) => (
        <li key={number}>
          <a href="/console/board">Incident {number}</a>: {text}
        </li>
      ))}
    </ul>
  );
}

function Machines({ moment, hash }: { readonly moment: Moment; readonly hash: string | null }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const { actors } = moment;
  const actor = actors.find((each) => each.actor === chosen) ?? actors[0];
  return (
    <section class="machines" aria-labelledby="machines-title">
      <h2 id="machines-title">Machines</h2>
      {actors.length === 0 && <p class="hint">None has started at this moment.</p>}
      <ActorTree actors={actors} chosen={actor?.actor ?? null} onChoose={setChosen} />
      {actor && hash && (
        <Chart
          hash={hash}
          machine={actor.machine}
          active={activeIds(actor.machine, actor.value)}
          edges={actor.edges}
        />
      )}
      {actor && !hash && (
        <p class="hint">The log does not say which machines these were: there is no chart.</p>
      )}
      {actor && <LastStep actor={actor} />}
      {moment.pending.length > 0 && (
        <p class="hint" data-testid="pending">
          Asked for and not answered: {moment.pending.map(({ name }) => name).join(", ")}
        </p>
      )}
    </section>
  );
}

interface TreeProps {
  readonly actors: readonly ActorNow[];
  readonly chosen: string | null;
  readonly onChoose: (actor: string) => void;
}

function ActorTree({ actors, chosen, onChoose }: TreeProps) {
  return (
    <ul class="actors" data-testid="actors">
      {actors.map(({ actor, machine, value, status }) => (
        <li key={actor} class={`depth-${depthOf({ actor, machine })}`}>
          <button
            type="button"
            aria-pressed={actor === chosen}
            class={status === "active" ? "actor" : "actor over"}
            data-testid={`actor-${actor}`}
            onClick={() => onChoose(actor)}
          >
            <b>{actor.slice(actor.lastIndexOf("/") + 1)}</b>
            <span>{valueText(value)}</span>
            {status !== "active" && <small>{status}</small>}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** The same as the chart shows, in words: for whoever does not see it. */
function LastStep({ actor }: { readonly actor: ActorNow }) {
  return (
    <div class="last-step" role="status" data-testid="last-step">
      <p>
        Last took <code>{actor.event}</code>
        {actor.edges.length === 0 && ", which changed nothing"}
      </p>
      <ul>
        {actor.edges.map(({ source, event, index, guard, targets }) => (
          <li key={`${source}|${event}|${index}`}>
            <code>{source}</code> {event !== "" && <>on {event} </>}
            {guard !== null && <i>[{guard}] </i>}→{" "}
            <code>{targets.length > 0 ? targets.join(", ") : "itself"}</code>
          </li>
        ))}
      </ul>
    </div>
  );
}
