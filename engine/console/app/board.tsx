/** Who is sought at this moment, who was paged how, and with what result; also for callers who have left. */
import type { IncidentView, PageView } from "../protocol.ts";
import { duration, shortSid, spaced, timeOf } from "./format.ts";
import { useNow, useStore } from "./page.ts";
import { Countdown } from "./pieces.tsx";
import { shownIncidents } from "./store.ts";

export function Board() {
  const incidents = useStore((state) => state.incidents);
  const shown = shownIncidents(incidents);
  const nowMs = useNow();
  return (
    <>
      <h1 tabIndex={-1}>Escalations</h1>
      {shown.length === 0 && (
        <p class="card empty" data-testid="no-incidents">
          Nobody is being sought. An incident opens when the AI, or an operator, asks for a person.
        </p>
      )}
      <div class="incidents">
        {shown.map((incident) => (
          <Incident key={`${incident.callSid}/${incident.number}`} incident={incident} nowMs={nowMs} />
        ))}
      </div>
    </>
  );
}

function Incident({ incident, nowMs }: { readonly incident: IncidentView; readonly nowMs: number }) {
  const { callSid, number, by, urgency, reason, phase, walk, openedAtMs, nextAtMs, owner, following } =
    incident;
  const ackTimeoutMs = useStore((state) => state.session?.ackTimeoutMs ?? 0);
  return (
    <article class={`card incident ${phase}`} data-testid={`incident-${callSid}-${number}`}>
      <header>
        <h2>
          <a href={`/console/calls/${callSid}`}>{shortSid(callSid)}</a> · incident {number}
        </h2>
        <span class={`tag ${phase === "owned" ? "good" : phase === "over" ? "" : "warn"}`}>{phase}</span>
        {urgency !== "normal" && <span class={`tag ${urgency}`}>{urgency}</span>}
        {following && <span class="tag warn">the caller has left</span>}
      </header>
      <p>
        {owner ? (
          <>
            <b>{owner.contact}</b> has it, by {owner.channel}.
          </>
        ) : phase === "exhausted" ? (
          "Nobody could be reached; the rungs are walked again."
        ) : phase === "over" ? (
          `It is over: ${spaced(incident.outcome ?? "ended")}.`
        ) : (
          `Asked for by ${by === "ai" ? "the AI" : "an operator"} ${duration(nowMs - openedAtMs)} ago.`
        )}{" "}
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
  return (
    <ol class="rungs" aria-label="Rungs">
      {own.map((name, index) => (
        <li
          key={name}
          class={index < at ? "done" : index === at ? "now" : ""}
          {...(index === at && { "aria-current": "step" as const })}
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
