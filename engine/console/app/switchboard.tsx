/**
 * All live calls, those that ended lately, and how many are where. Tables name their roles: laid out as cards on a narrow
 * screen, they would be none for whoever cannot see them, in some browsers.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LIVE_STATES } from "../../../machines/events.ts";
import type { CallView, IncidentView } from "../protocol.ts";
import { Chart } from "./chart.tsx";
import { dateTimeOf, duration, shortSid, spaced } from "./format.ts";
import { Countdown, Level, NotYet, State } from "./pieces.tsx";
import { askJson, clock, store, textOf, useNow, useStore } from "./page.ts";
import { countsByState, isKnown, shownCalls } from "./store.ts";

/** The top states of a call that is not over, in the order of its way. */
const STATES = [
  "arriving",
  "streaming",
  "escalating",
  "coaching",
  "removed",
  "wrapUp",
] as const satisfies typeof LIVE_STATES;

export function Switchboard() {
  const calls = useStore((state) => state.calls);
  const filter = useStore((state) => state.filter);
  const session = useStore((state) => state.session);
  const [chartOpen, setChartOpen] = useState(false);
  const counts = useMemo(() => countsByState(calls), [calls]);
  const shown = useMemo(() => shownCalls({ calls, filter }), [calls, filter]);
  const known = useStore(isKnown);
  return (
    <>
      <h1 tabIndex={-1}>Switchboard</h1>
      <Filters counts={counts} total={Object.keys(calls).length} />
      {known ? <LiveCalls shown={shown} total={Object.keys(calls).length} /> : <NotYet />}
      <details
        class="card"
        data-testid="where"
        onToggle={(event) => setChartOpen((event.currentTarget as HTMLDetailsElement).open)}
      >
        <summary>Where the calls are, on the chart</summary>
        {session && chartOpen && (
          <Chart hash={session.machines} machine="call" active={[]} edges={[]} counts={counts} />
        )}
      </details>
      <Ended />
    </>
  );
}

function Filters({
  counts,
  total,
}: {
  readonly counts: ReadonlyMap<string, number>;
  readonly total: number;
}) {
  const filter = useStore((state) => state.filter);
  const choose = (state: string | null): void => store.trigger.filter({ filter: { state } });
  const chip = (state: string | null, label: string, count: number) => (
    <button
      type="button"
      class={`chip ${state ?? ""}`}
      aria-pressed={filter.state === state}
      data-testid={`filter-${state ?? "all"}`}
      onClick={() => choose(state)}
    >
      {label} <b>{count}</b>
    </button>
  );
  return (
    <div class="filters">
      <div class="chips" role="group" aria-label="State">
        {chip(null, "all", total)}
        {STATES.map((state) => chip(state, spaced(state), counts.get(`call.${state}`) ?? 0))}
      </div>
      <label class="search">
        <span class="hidden">Search</span>
        <input
          type="search"
          placeholder="Search sid, number, leg…"
          data-testid="search"
          value={filter.text}
          onInput={(event) => store.trigger.filter({ filter: { text: event.currentTarget.value } })}
        />
      </label>
    </div>
  );
}

const LIVE_COLUMNS = ["Call", "State", "For", "In the room", "Answer after", "Level", "Ladder"] as const;
/** More are found by the search: a page of thousands of rows helps nobody. */
const MAX_ROWS = 200;

function LiveCalls({ shown, total }: { readonly shown: readonly CallView[]; readonly total: number }) {
  const nowMs = useNow();
  const incidents = useStore((state) => state.incidents);
  const newest = useMemo(() => newestByCall(incidents), [incidents]);
  if (shown.length === 0) {
    return (
      <p class="card empty" data-testid="no-calls">
        {total === 0 ? (
          <>
            No call is live. In sandbox mode the phones or <code>bun run call</code> place one.
          </>
        ) : (
          "No live call fits the filter."
        )}
      </p>
    );
  }
  return (
    <div class="card flush">
      <table class="calls" role="table" data-testid="live-calls">
        <caption class="hidden">Live calls</caption>
        <Columns names={LIVE_COLUMNS} />
        <tbody role="rowgroup">
          {shown.slice(0, MAX_ROWS).map((call) => (
            <Row key={call.callSid} call={call} incident={newest.get(call.callSid) ?? null} nowMs={nowMs} />
          ))}
        </tbody>
      </table>
      {shown.length > MAX_ROWS && (
        <p class="hint">{shown.length - MAX_ROWS} more: search, or choose a state.</p>
      )}
    </div>
  );
}

function Columns({ names }: { readonly names: readonly string[] }) {
  return (
    <thead role="rowgroup">
      <tr role="row">
        {names.map((name) => (
          <th key={name} scope="col" role="columnheader">
            {name}
          </th>
        ))}
      </tr>
    </thead>
  );
}

function newestByCall(incidents: Readonly<Record<string, IncidentView>>): ReadonlyMap<string, IncidentView> {
  const found = new Map<string, IncidentView>();
  for (const incident of Object.values(incidents)) {
    const before = found.get(incident.callSid);
    if (!before || before.number < incident.number) found.set(incident.callSid, incident);
  }
  return found;
}

function Row(props: {
  readonly call: CallView;
  readonly incident: IncidentView | null;
  readonly nowMs: number;
}) {
  const { call, incident, nowMs } = props;
  const { callSid, from, now, room, turn, levels } = call;
  return (
    <tr role="row" data-testid={`call-${callSid}`}>
      <th scope="row" role="rowheader">
        <a href={`/console/calls/${callSid}`} title={callSid}>
          {from || shortSid(callSid)}
        </a>
        <small>{shortSid(callSid)}</small>
      </th>
      <td role="cell" data-label="State">
        <State name={now.state} /> {now.role === "coach" && <span class="tag">AI coaches</span>}
        {now.onHold && <span class="tag warn">on hold</span>}
      </td>
      <td role="cell" data-label="For" class="number">
        {duration(nowMs - call.startedAtMs)}
      </td>
      <td role="cell" data-label="In the room">
        <Room room={room} />
      </td>
      <td role="cell" data-label="Answer after" class="number">
        {turn ? `${Math.round(turn.turnMs)} ms` : "–"}
      </td>
      <td role="cell" data-label="Level">
        {levels ? (
          <span class="levels">
            <Level who="caller" dbov={levels[0]} />
            <Level who="AI" dbov={levels[1]} />
          </span>
        ) : (
          "–"
        )}
      </td>
      <td role="cell" data-label="Ladder">
        {incident ? <Ladder incident={incident} nowMs={nowMs} /> : "–"}
      </td>
    </tr>
  );
}

export function Room({ room }: { readonly room: CallView["room"] }) {
  return (
    <span class="legs">
      {room.map(({ label, kind, status, muted, coaches }) => (
        <span
          key={label}
          class={`leg ${kind} ${status === "joined" ? "" : "waiting"} ${muted && kind !== "ai" ? "silenced" : ""}`}
          title={status}
        >
          {label}
          {muted && " muted"}
          {coaches && ` → ${coaches}`}
          {status !== "joined" && ` (${status})`}
        </span>
      ))}
    </span>
  );
}

function Ladder({ incident, nowMs }: { readonly incident: IncidentView; readonly nowMs: number }) {
  const { phase, rung, walk, nextAtMs, owner } = incident;
  const session = useStore((state) => state.session);
  if (owner) return <span class="tag good">{owner.contact}</span>;
  const name = incident.pages.at(-1)?.rungName ?? session?.rungs[rung] ?? `rung ${rung + 1}`;
  return (
    <span class="ladder">
      {phase === "paging" ? name : phase}
      {walk > 1 && `, walk ${walk}`}{" "}
      {nextAtMs !== null && <Countdown atMs={nextAtMs} nowMs={nowMs} windowMs={session?.ackTimeoutMs ?? 0} />}
    </span>
  );
}

interface EndedRow {
  readonly callSid: string;
  readonly from: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly durationMs: number | null;
  readonly endReason: string | null;
  readonly handover: string | null;
}

const ENDED_COLUMNS = ["Call", "Ended", "Took", "Why", "Handover"] as const;
const ENDED_SHOWN = 25;
/** Where calls end all the time, the list is asked for no more often than this. */
const ENDED_EVERY_MS = 3000;

function Ended() {
  const endings = useStore((state) => state.endings);
  const [rows, setRows] = useState<readonly EndedRow[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const asked = useRef({ times: 0, atMs: Number.NEGATIVE_INFINITY });
  useEffect(() => {
    if (endings === 0) return;
    const look = (): void => {
      const times = asked.current.times + 1;
      asked.current = { times, atMs: clock.monotonicMs() };
      askJson<EndedRow[]>(`/api/calls?state=ended&limit=${ENDED_SHOWN}`).then(
        (found) => {
          // An answer that was overtaken is old.
          if (times !== asked.current.times) return;
          setRows(found);
          setProblem(null);
        },
        (error: unknown) => setProblem(textOf(error)),
      );
    };
    const waitMs = Math.max(0, asked.current.atMs + ENDED_EVERY_MS - clock.monotonicMs());
    const timer = clock.setTimeout(look, waitMs);
    return () => clock.clearTimeout(timer);
  }, [endings]);
  return (
    <section aria-labelledby="ended-title">
      <h2 id="ended-title">Ended lately</h2>
      {problem && <p class="problem">{problem}</p>}
      {rows?.length === 0 && <p class="card empty">No call has ended yet.</p>}
      {rows && rows.length > 0 && (
        <div class="card flush">
          <table class="calls" role="table" data-testid="ended-calls">
            <Columns names={ENDED_COLUMNS} />
            <tbody role="rowgroup">
              {rows.map(({ callSid, from, startedAt, endedAt, durationMs, endReason, handover }) => (
                <tr role="row" key={callSid} data-testid={`ended-${callSid}`}>
                  <th scope="row" role="rowheader">
                    <a href={`/console/calls/${callSid}`} title={callSid}>
                      {from || shortSid(callSid)}
                    </a>
                    <small>{shortSid(callSid)}</small>
                  </th>
                  <td role="cell" data-label="Ended">
                    {dateTimeOf(endedAt ?? startedAt)}
                  </td>
                  <td role="cell" data-label="Took" class="number">
                    {durationMs === null ? "–" : duration(durationMs)}
                  </td>
                  <td role="cell" data-label="Why">
                    {endReason ? spaced(endReason) : "–"}
                  </td>
                  <td role="cell" data-label="Handover">
                    {handover ? spaced(handover) : "–"}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
