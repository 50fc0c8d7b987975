import { fromCallback } from "xstate";
import type { DeadlineInput } from "../../machines/call.setup.ts";
import type { CallEvent, UnstampedCallEvent } from "../../machines/events.ts";
import type { Clock } from "../ports.ts";

/**
 * The `deadline` actor on the engine's clock. Its time is absolute and part of its input, so it survives a
 * restart, unlike XState's `after`. It reports through the session's queue, so that it is logged there.
 * `over` clears what still runs when the call is over: a parent that fails does not stop its children.
 */
export function deadlineActor(clock: Clock, deliver: (event: UnstampedCallEvent) => void, over: AbortSignal) {
  return fromCallback<CallEvent, DeadlineInput>(({ input }) => {
    const { name, everyMs } = input;
    let timer: unknown;
    const wait = (delayMs: number): void => {
      timer = clock.setTimeout(() => {
        if (everyMs !== undefined) wait(everyMs);
        deliver({ type: "deadline", name });
      }, delayMs);
    };
    wait(Math.max(0, input.atMs - clock.now()));
    const clear = (): void => clock.clearTimeout(timer);
    over.addEventListener("abort", clear);
    return () => {
      over.removeEventListener("abort", clear);
      clear();
    };
  });
}
