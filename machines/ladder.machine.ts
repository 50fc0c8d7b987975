/**
 * The ladder of one incident: rung after rung is paged until somebody owns it. A child of its call, and the
 * parent of its pages. Level-triggered like the call: events only record facts, and are handed on to the
 * page that they are about; eventless transitions act.
 *
 * At most one owner at a time: `choosing` alone makes one, nothing is paged while there is one, and every state
 * that leads there looks first whether the ladder is closed.
 */
import { initialLadder } from "./ladder.facts.ts";
import { ladderDeadline, ladderSetup } from "./ladder.setup.ts";

const closed = { guard: "closed", target: "over" } as const;

export const ladderMachine = ladderSetup.createMachine({
  id: "ladder",
  context: ({ input }) => initialLadder(input),
  initial: "choosing",
  on: {
    "*": { actions: ["record", "forward"] },
    "xstate.done.actor.*": { actions: ["record", "stopPage"] },
    "xstate.error.actor.*": { actions: ["record", "stopPage"] },
  },
  always: [
    { guard: "hasNews", actions: "tellCall" },
    { guard: "hasUntold", actions: "tellUntold" },
  ],
  states: {
    choosing: {
      description: "Nobody owns it: who said yes goes first, then the next rung, then a pause.",
      always: [
        { guard: "ackedAlone", target: "owned", actions: "takeOwner" },
        { guard: "ackedOnLine", target: "joining", actions: "takeOwner" },
        { guard: "acked", target: "ringing", actions: "takeOwner" },
        { guard: "mayPage", target: "paging", actions: "startRung" },
        { target: "exhausted" },
      ],
    },
    paging: {
      description: "A rung's window is open.",
      invoke: ladderDeadline("rung"),
      always: [
        closed,
        { guard: "acked", target: "choosing" },
        { guard: "declinerOpen", actions: "cancelDecliners" },
        { guard: "spent", target: "choosing" },
        { guard: "windowOver", target: "choosing", actions: "closeWindow" },
      ],
    },
    ringing: {
      description: "Somebody said yes by text or push, and is rung. They join by a key like everybody.",
      entry: "noteRinging",
      always: [
        closed,
        { guard: "ringAccepted", target: "joining" },
        { guard: "ringOver", target: "choosing", actions: "release" },
      ],
    },
    joining: {
      description: "The owner's leg has accepted. The call says whether it gets into the room.",
      entry: "noteJoining",
      always: [
        closed,
        { guard: "ownerArrived", target: "owned" },
        { guard: "ownerLost", target: "choosing", actions: "release" },
      ],
    },
    exhausted: {
      description: "All rungs were walked in vain; they are walked again after a pause.",
      entry: "beginPause",
      invoke: ladderDeadline("again"),
      always: [
        closed,
        { guard: "acked", target: "choosing" },
        { guard: "pauseOver", target: "choosing", actions: "endPause" },
      ],
    },
    owned: {
      entry: "noteOwned",
      always: { guard: "settled", target: "done" },
    },
    over: {
      description: "Called off, or the caller has left.",
      entry: "closeAll",
      always: { guard: "settled", target: "done" },
    },
    done: { type: "final", entry: "tellCall" },
  },
});
