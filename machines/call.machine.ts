/**
 * The call machine: `arriving → streaming → escalating → coaching → removed → wrapUp → ended`.
 *
 * It is level-triggered: events only record facts (`record`), and eventless transitions act on them, so
 * that callbacks may come late, twice, out of order or not at all. Effects are emitted by name with a
 * deterministic id; the engine carries them out and answers with `effect.done` or `effect.failed`.
 */
import { arriving } from "./call.arriving.ts";
import { coaching } from "./call.coaching.ts";
import { escalating } from "./call.escalating.ts";
import { removed } from "./call.removed.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";
import { noteRemoved, streaming } from "./call.streaming.ts";
import { wrapUp } from "./call.wrap-up.ts";
import { initialContext } from "./context.ts";

const CHECKUP_MS = 30_000;

export const callMachine = callSetup.createMachine({
  id: "call",
  context: ({ input }) => initialContext(input),
  initial: "arriving",
  invoke: [
    deadlineIn("maxCall", (context) => context.limits.maxCallMs),
    deadlineIn("checkup", () => CHECKUP_MS, CHECKUP_MS),
  ],
  // The hold is kept in step with what is wanted, whatever state the call is in.
  always: [
    { guard: "holdDue", actions: "holdCaller" },
    { guard: "unholdDue", actions: "unholdCaller" },
    { guard: "unholdGivenUp", actions: "giveUpUnhold" },
  ],
  on: {
    "*": { actions: "record" },
    "tool.escalate": { actions: "answerNotPossible" },
    "tool.endCall": { actions: "answerNotPossible" },
    "tool.takeBack": { actions: "answerNotPossible" },
    "op.mute": { guard: "mayMute", actions: "muteNamed" },
    "op.unmute": { guard: "mayUnmute", actions: "unmuteNamed" },
    "op.hangup": {
      guard: "notEnding",
      target: ".wrapUp",
      actions: { type: "endWith", params: { reason: "operator_ended" } },
    },
    "engine.shutdown": [
      // Seconds away: the caller is not sent off, and the person has somebody to come to.
      { guard: "ownerAccepted", target: ".removed.parting" },
      {
        guard: "notEnding",
        target: ".wrapUp.apologising",
        actions: { type: "endWith", params: { reason: "engine_shutdown" } },
      },
    ],
    deadline: [
      {
        guard: "overTimeLimit",
        target: ".wrapUp.apologising",
        actions: { type: "endWith", params: { reason: "time_limit" } },
      },
      { guard: "checkupDue", actions: ["reconcile", "unholdAgain"] },
      // Nobody cuts two people off who talk: it is the AI whose time is up.
      { guard: "overTimeWithHuman", target: ".removed.overtime", actions: noteRemoved },
    ],
  },
  states: {
    arriving,
    streaming,
    escalating,
    coaching,
    removed,
    wrapUp,
    ended: { type: "final" },
  },
});

/** The top-level state of a snapshot's value: what the API calls `state`. */
export function topState(value: unknown): string {
  if (typeof value === "string") return value;
  return Object.keys(value as Record<string, unknown>)[0] ?? "unknown";
}
