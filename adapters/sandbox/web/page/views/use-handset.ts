import { useEffect, useState } from "preact/hooks";
import type { Handset } from "../handset.ts";
import type { HandsetState } from "../handset-state.ts";

/** The state of a handset, anew whenever it changes. */
export function useHandset(handset: Handset): HandsetState {
  const { store } = handset;
  const [state, setState] = useState(store.getSnapshot().context);
  useEffect(() => {
    setState(store.getSnapshot().context);
    const subscription = store.subscribe(({ context }) => setState(context));
    return () => subscription.unsubscribe();
  }, [store]);
  return state;
}
