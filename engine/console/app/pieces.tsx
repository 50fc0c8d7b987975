/** Small things that several views show. */
import { left, spaced } from "./format.ts";
import { useStore } from "./page.ts";

/** Instead of what is live, as long as nothing is known of it: that there is nothing would be a lie. */
export function NotYet() {
  const link = useStore((state) => state.link);
  return (
    <p class={link.is === "refused" ? "problem" : "hint"} data-testid="not-yet">
      {link.is === "refused" ? `Nothing can be shown: ${link.why}.` : "Asking the engine what is live…"}
    </p>
  );
}

export function State({ name }: { readonly name: string }) {
  return <span class={`state ${name}`}>{spaced(name)}</span>;
}

const QUIETEST_DBOV = -60;
const LOUDEST_DBOV = -6;

/** A level meter: speech on the telephone is around -26 dBov. */
export function Level({ who, dbov }: { readonly who: string; readonly dbov: number }) {
  const share = (dbov - QUIETEST_DBOV) / (LOUDEST_DBOV - QUIETEST_DBOV);
  const value = Math.round(100 * Math.min(1, Math.max(0, share)));
  return (
    <span class="level" title={`${who}: ${dbov <= QUIETEST_DBOV ? "silent" : `${dbov} dBov`}`}>
      <span class="level-name">{who}</span>
      <meter min={0} max={100} value={value} aria-label={`Level of the ${who}`} />
    </span>
  );
}

/** What is left of a window that closes at `atMs`. */
export function Countdown(props: {
  readonly atMs: number;
  readonly nowMs: number;
  readonly windowMs: number;
}) {
  const { atMs, nowMs, windowMs } = props;
  const leftMs = Math.max(0, atMs - nowMs);
  return (
    <span class="countdown" data-testid="countdown">
      {windowMs > 0 && <progress max={windowMs} value={Math.min(leftMs, windowMs)} aria-label="Time left" />}
      <span class="number">{left(leftMs)}</span>
    </span>
  );
}
