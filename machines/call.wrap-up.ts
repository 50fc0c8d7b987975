/** The call is ending: the caller is told why if need be, and nothing is left behind at the carrier. */
import { callSetup, deadlineIn } from "./call.setup.ts";

const CLEAR_TIMEOUT_MS = 15_000;
/** Outside the room nobody says that the caller has hung up: Twilio is asked so often. */
const CHECK_CALLER_MS = 3000;

export const wrapUp = callSetup.createStateConfig({
  description: "The call is ending; nothing is left behind at the carrier.",
  entry: ["closeGate", "closeModel", "closeLadders", "wantNoHold"],
  initial: "clearing",
  states: {
    apologising: {
      description: "TwiML tells the caller that something went wrong, and hangs up.",
      entry: "apologise",
      invoke: [
        deadlineIn("goodbye", (context) => context.limits.goodbyeTimeoutMs),
        deadlineIn("checkCaller", () => CHECK_CALLER_MS, CHECK_CALLER_MS),
      ],
      always: { guard: "callerGone", target: "clearing" },
      on: {
        "participant.left": [
          // Redirecting the caller's call takes it out of the room: it is not a hang-up.
          { guard: "isRedirectedCaller" },
          { actions: "record" },
        ],
        "conference.ended": {},
        "effect.failed": {
          guard: { type: "failedEffect", params: { names: ["carrier.apologise"] } },
          target: "clearing",
          actions: "record",
        },
        deadline: [
          { guard: { type: "deadline", params: { name: "goodbye" } }, target: "clearing" },
          { guard: "callerCheckDue", actions: "reconcile" },
        ],
      },
    },
    detaching: {
      description: "The engine goes; caller and human stay in the room, which ends when either leaves.",
      entry: ["hangUpAi", "endWithHuman"],
      invoke: deadlineIn("clear", () => CLEAR_TIMEOUT_MS),
      always: { guard: "aiClear", target: "#call.ended" },
      on: {
        "*": { actions: ["record", "clearLateAi"] },
        deadline: { guard: { type: "deadline", params: { name: "clear" } }, target: "#call.ended" },
      },
    },
    clearing: {
      entry: "clearLegs",
      invoke: deadlineIn("clear", () => CLEAR_TIMEOUT_MS),
      always: { guard: "allClear", target: "#call.ended" },
      on: {
        "*": { actions: ["record", "clearLateLegs"] },
        "effect.failed": {
          guard: { type: "failedEffect", params: { names: ["carrier.endConference"] } },
          actions: ["record", "hangUpAll"],
        },
        deadline: {
          guard: { type: "deadline", params: { name: "clear" } },
          target: "#call.ended",
          actions: {
            type: "noteError",
            params: {
              code: "legs_unconfirmed",
              message: "not every leg and page was confirmed gone in time",
            },
          },
        },
      },
    },
  },
});
