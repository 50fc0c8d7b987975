/** What the parts of the page share: its store, its clock, where it is, and how it asks the engine. */
import { useEffect, useState } from "preact/hooks";
import { systemClock } from "../../platform/clock.ts";
import { createPageStore, type PageState } from "./store.ts";

export const store = createPageStore();
export const clock = systemClock;

const same = Object.is;

/** What `select` finds in the page's state, now and after each change of it. */
export function useStore<T>(select: (state: PageState) => T): T {
  const [value, setValue] = useState(() => select(store.getSnapshot().context));
  useEffect(() => {
    const look = (): void => {
      const next = select(store.getSnapshot().context);
      setValue((before) => (same(before, next) ? before : next));
    };
    look();
    const subscription = store.subscribe(look);
    return () => subscription.unsubscribe();
    // `select` is the same function in all but name from one rendering to the next.
  }, []);
  return value;
}

/** The engine's time, once a second. */
export function useNow(everyMs = 1000): number {
  const offsetMs = useStore((state) => state.clockOffsetMs);
  const [nowMs, setNowMs] = useState(() => clock.now());
  useEffect(() => {
    let timer: unknown;
    const tick = (): void => {
      setNowMs(clock.now());
      timer = clock.setTimeout(tick, everyMs);
    };
    timer = clock.setTimeout(tick, everyMs);
    return () => clock.clearTimeout(timer);
  }, [everyMs]);
  return nowMs + offsetMs;
}

export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Nothing takes longer: the engine gives up the check of a log, which takes longest, after a minute. */
const LONGEST_ANSWER_MS = 70_000;

/**
 * Rejects with what the engine says of it, or when it says nothing for so long: a network that is lost may tell nobody.
 * Whoever is not signed in is asked to.
 */
export async function ask(
  path: string,
  init: RequestInit = {},
  timeoutMs = LONGEST_ANSWER_MS,
): Promise<Response> {
  const signal = AbortSignal.timeout(timeoutMs);
  const response = await fetch(path, { ...init, signal }).catch(() => {
    throw new Error("the engine did not answer: see that it runs, and try again");
  });
  if (response.status === 401) store.trigger.signedOut();
  if (response.ok) return response;
  const text = await response.text();
  throw new ApiError(response.status, problemIn(text) ?? response.statusText);
}

export async function askJson<T>(path: string, timeoutMs = LONGEST_ANSWER_MS): Promise<T> {
  return (await (await ask(path, {}, timeoutMs)).json()) as T;
}

function problemIn(text: string): string | null {
  try {
    return (JSON.parse(text) as { readonly error?: string }).error ?? null;
  } catch {
    return null;
  }
}

/** What was typed into a field. */
export function textIn(form: FormData, field: string): string {
  const value = form.get(field);
  return typeof value === "string" ? value : "";
}

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export type Place =
  | { readonly is: "switchboard" }
  | { readonly is: "board" }
  /** `at`: the entry of the log that the link points to. */
  | { readonly is: "call"; readonly callSid: string; readonly at: number | null };

export function placeOf({ pathname, hash }: Pick<Location, "pathname" | "hash">): Place {
  const callSid = /^\/console\/calls\/(CA[0-9a-fA-F]{32})$/.exec(pathname)?.[1];
  if (callSid !== undefined) {
    const at = /^#at=(\d+)$/.exec(hash)?.[1];
    return { is: "call", callSid, at: at === undefined ? null : Number(at) };
  }
  return { is: pathname === "/console/board" ? "board" : "switchboard" };
}

/** Where the page is; a link of ours only changes that. */
export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location));
  useEffect(() => {
    const look = (): void => setPlace(placeOf(location));
    const onClick = (event: MouseEvent): void => {
      const link = (event.target as Element | null)?.closest?.("a[href^='/console']");
      const elsewhere = event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey;
      if (!link || elsewhere || event.shiftKey || link.hasAttribute("download")) return;
      event.preventDefault();
      history.pushState(null, "", link.getAttribute("href"));
      look();
      scrollTo(0, 0);
    };
    addEventListener("popstate", look);
    addEventListener("hashchange", look);
    document.addEventListener("click", onClick);
    return () => {
      removeEventListener("popstate", look);
      removeEventListener("hashchange", look);
      document.removeEventListener("click", onClick);
    };
  }, []);
  return place;
}
