/**
 * An incident that outlives its call: the caller has left, and somebody is still to take it. Carries the
 * same ladder, to which it hands on what the engine sends.
 */
import { assign, sendTo, setup } from "xstate";
import type { CallEvent } from "./events.ts";
import { initialLadder } from "./ladder.facts.ts";
import { ladderMachine } from "./ladder.machine.ts";
import type { Incident, LadderInput, LadderMessage } from "./ladder.types.ts";

export interface IncidentContext {
  readonly input: LadderInput;
  /** As the ladder told it last. */
  readonly incident: Incident;
}

export type IncidentEvent = CallEvent | Extract<LadderMessage, { readonly type: "ladder.update" }>;

export const incidentMachine = setup({
  types: {
    context: {} as IncidentContext,
    events: {} as IncidentEvent,
    input: {} as LadderInput,
  },
  actors: { ladder: ladderMachine },
  actions: {
    note: assign(({ context, event }) => ({
      incident: event.type === "ladder.update" ? event.incident : context.incident,
    })),
    forward: sendTo("ladder", ({ event }) => event),
    callOff: sendTo("ladder", ({ event }) => ({ type: "ladder.close", at: event.at, why: "called_off" })),
  },
}).createMachine({
  id: "incident",
  context: ({ input }) => ({ input, incident: initialLadder(input).incident }),
  initial: "open",
  states: {
    open: {
      invoke: {
        src: "ladder",
        id: "ladder",
        input: ({ context }) => context.input,
        onDone: "ended",
        onError: "ended",
      },
      on: {
        "*": { actions: "forward" },
        "ladder.update": { actions: "note" },
        "op.hangup": { actions: "callOff" },
      },
    },
    ended: { type: "final" },
  },
});
