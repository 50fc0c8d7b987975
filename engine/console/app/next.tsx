/** Which edges leave the states that the call is in. */
import { useEffect, useState } from "preact/hooks";
import type { NextSteps } from "../next.ts";
import { askJson } from "./page.ts";

/** The edges that lead somewhere. */
export function Next({ next }: { readonly next: NextSteps | null }) {
  return (
    <section aria-labelledby="next-title">
      <h2 id="next-title">What can happen next</h2>
      {!next && <p class="hint">Nothing is known.</p>}
      {next?.actors.map(({ actor, edges }) => {
        const leading = edges.filter(({ targets }) => targets.length > 0);
        return (
          <details key={actor} open={actor === "call"}>
            <summary>
              {actor} <span class="count">{leading.length}</span>
            </summary>
            <ul class="next">
              {leading.map(({ source, event, index, guard, targets }) => (
                <li key={`${source}|${event}|${index}`}>
                  <b>{event === "" ? "at once" : event}</b> {guard !== null && <i>[{guard}]</i>} →{" "}
                  <code>{targets.join(", ")}</code>
                </li>
              ))}
            </ul>
          </details>
        );
      })}
    </section>
  );
}

/** Asked for again when `stamp` is another; `null`: the call is over. */
export function useNext(callSid: string | null, stamp: number): NextSteps | null {
  const [next, setNext] = useState<NextSteps | null>(null);
  useEffect(() => {
    let wanted = callSid !== null;
    if (callSid === null) {
      setNext(null);
      return;
    }
    askJson<NextSteps>(`/api/calls/${callSid}/next`).then(
      (found) => wanted && setNext(found),
      // It is over by now, which the page finds out by itself.
      () => wanted && setNext(null),
    );
    return () => {
      wanted = false;
    };
  }, [callSid, stamp]);
  return next;
}
