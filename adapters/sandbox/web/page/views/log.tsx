import type { HandsetState } from "../handset-state.ts";

/** Newest first, so that nothing has to scroll by itself. */
export function Log({ state, name }: { readonly state: HandsetState; readonly name: string }) {
  return (
    <details class="log" open>
      <summary>What happened</summary>
      <div role="log" aria-label={`Log of ${name}`}>
        {state.lines.toReversed().map(({ id, atMs, text }) => (
          <p key={id}>
            <time>{new Date(atMs).toLocaleTimeString()}</time> {text}
          </p>
        ))}
      </div>
    </details>
  );
}
