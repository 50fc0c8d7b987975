import { fromCallback } from "xstate";
import type { DeadlineInput } from "../../machines/call.setup.ts";
import type { CallEvent, UnstampedCallEvent } from "../../machines/events.ts";
import type { Clock } from "../ports.ts";

/**
 * The `deadline` actor on the engine's clock. Its time is absolute and part of its input, so it survives a
 * restart, unlike XState's `after`. It reports through the session's queue, so that it is logged there.
 */
export function deadlineActor(clock: Clock, deliver: (event: UnstampedCallEvent) => void) {
  return fromCallback<CallEvent, DeadlineInput>(({ input }) => {
    const delayMs = Math.max(0, input.atMs - clock.now());
    const timer = clock.setTimeout(() => deliver({ type: "deadline", name: input.name }), delayMs);
    return () => clock.clearTimeout(timer);
  });
}
