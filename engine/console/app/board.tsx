/** Who is sought at this moment, who was paged how, and with what result; also for callers who have left. */
import type { IncidentView, PageView } from "../protocol.ts";
import { duration, shortSid, timeOf } from "./format.ts";
import { goneText, soughtText } from "./incident-text.ts";
import { useNow, useStore } from "./page.ts";
import { Countdown, NotYet } from "./pieces.tsx";
import { isKnown, shownIncidents } from "./store.ts";

export function Board() {
  const incidents = useStore((state) => state.incidents);
  const shown = shownIncidents(incidents);
  const known = useStore(isKnown);
  const nowMs = useNow();
  return (
    <>
      <h1 tabIndex={-1}>Escalations</h1>
      {!known && <NotYet />}
      {known && shown.length === 0 && (
        <p class="card empty" data-testid="no-incidents">
          Nobody is being sought. An incident opens when the AI, or an operator, asks for a person.
        </p>
      )}
      <div class="incidents">
        {shown.map((incident) => (
          <Incident
            key={`${incident.callSid}/${incident.number}`}
            incident={incident}
            ofCall={shown.filter(({ callSid }) => callSid === incident.callSid)}
            nowMs={nowMs}
          />
        ))}
      </div>
    </>
  );
}

interface IncidentProps {
  readonly incident: IncidentView;
  /** All of the same call. */
  readonly ofCall: readonly IncidentView[];
  readonly nowMs: number;
}

function Incident({ incident, ofCall, nowMs }: IncidentProps) {
  const { callSid, number, by, urgency, reason, phase, walk, openedAtMs, nextAtMs, owner, following } =
    incident;
  const next = ofCall.find((other) => other.number > number);
  const isSought = owner === null && phase !== "exhausted" && phase !== "over";
  const ackTimeoutMs = useStore((state) => state.session?.ackTimeoutMs ?? 0);
  return (
    <article class={`card incident ${phase}`} data-testid={`incident-${callSid}-${number}`}>
      <header>
        <h2>
          <a href={`/console/calls/${callSid}`}>{shortSid(callSid)}</a> · incident {number}
        </h2>
        <span class={`tag ${phase === "owned" ? "good" : phase === "over" ? "" : "warn"}`}>{phase}</span>
        {urgency !== "normal" && <span class={`tag ${urgency}`}>{urgency}</span>}
        {following && <span class="tag warn">{goneText(ofCall)}</span>}
      </header>
      <p>
        {isSought && !following
          ? `Asked for by ${by === "ai" ? "the AI" : "an operator"} ${duration(nowMs - openedAtMs)} ago.`
          : soughtText(incident)}{" "}
        {isSought && following && `It began ${duration(nowMs - openedAtMs)} ago. `}
        {phase === "over" && following && next && `It goes on as incident ${next.number}. `}
        {reason && <q>{reason}</q>}
      </p>
      <Rungs incident={incident} />
      {nextAtMs !== null && (
        <p class="window">
          {phase === "exhausted" ? "Again in" : "Next rung in"}{" "}
          <Countdown atMs={nextAtMs} nowMs={nowMs} windowMs={phase === "exhausted" ? 0 : ackTimeoutMs} />
        </p>
      )}
      {walk > 1 && <p class="hint">Walk {walk} over all rungs.</p>}
      <Pages pages={incident.pages} more={incident.morePages} />
    </article>
  );
}

function Rungs({ incident }: { readonly incident: IncidentView }) {
  const rungs = useStore((state) => state.session?.rungs ?? []);
  const current = incident.pages.findLast(({ walk }) => walk === incident.walk)?.rungName;
  const own = rungs.includes(current ?? "") || current === undefined ? rungs : [current];
  const at = own.indexOf(current ?? "");
  const isPaged = incident.phase !== "over" && incident.phase !== "owned";
  return (
    <ol class="rungs" aria-label="Rungs">
      {own.map((name, index) => (
        <li
          key={name}
          class={index < at ? "done" : index === at && isPaged ? "now" : ""}
          {...(index === at && isPaged && { "aria-current": "step" as const })}
        >
          {name}
        </li>
      ))}
    </ol>
  );
}

function Pages({ pages, more }: { readonly pages: readonly PageView[]; readonly more: number }) {
  if (pages.length === 0) return <p class="hint">Nobody was paged yet.</p>;
  return (
    <table class="pages">
      <thead>
        <tr>
          <th scope="col">At</th>
          <th scope="col">Who</th>
          <th scope="col">How</th>
          <th scope="col">Result</th>
        </tr>
      </thead>
      <tbody>
        {pages.map(({ label, channel, purpose, rungName, contactName, startedAtMs, result }) => (
          <tr key={label} data-testid={`page-${label}`}>
            <td class="number">{timeOf(startedAtMs)}</td>
            <td>
              {contactName} <small>{rungName}</small>
            </td>
            <td>
              {channel}
              {purpose === "ring" && " (rung after their yes)"}
            </td>
            <td>
              <span class={`tag ${result === "acknowledged" ? "good" : result === null ? "warn" : ""}`}>
                {result ?? "under way"}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
      {more > 0 && <caption>{more} earlier pages are in the call's row.</caption>}
    </table>
  );
}
