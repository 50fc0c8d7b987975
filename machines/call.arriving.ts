/** From the first webhook to the moment the AI can hear the caller. */
import { modelTimeout, restart } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";

const CHECK_CALLER_MS = 5000;

const failed = (reason: "arrival_failed" | "model_failed") =>
  ({
    target: "#call.wrapUp.apologising",
    actions: { type: "endWith", params: { reason } },
  }) as const;

export const arriving = callSetup.createStateConfig({
  description: "The caller is being placed in the conference while the model connects.",
  initial: "awaitingCaller",
  entry: "openModel",
  invoke: [
    deadlineIn("arrive", (context) => context.limits.arriveTimeoutMs),
    deadlineIn("modelReady", (context) => context.limits.modelReadyTimeoutMs),
  ],
  always: [
    {
      guard: "callerGone",
      target: "#call.wrapUp",
      actions: { type: "endWith", params: { reason: "caller_hung_up" } },
    },
    { guard: "modelFailed", ...failed("model_failed") },
    { guard: "aiUp", target: "#call.streaming" },
  ],
  on: {
    ...restart,
    deadline: [
      {
        guard: { type: "deadline", params: { name: "arrive" } },
        target: "#call.wrapUp.apologising",
        actions: [
          {
            type: "noteError",
            params: { code: "arrive_timeout", message: "the AI was not connected in time" },
          },
          { type: "endWith", params: { reason: "arrival_failed" } },
        ],
      },
      { guard: "modelLate", ...modelTimeout },
    ],
  },
  states: {
    awaitingCaller: {
      description: "The caller's join opens the conference; the AI leg must come second.",
      invoke: deadlineIn("checkCaller", () => CHECK_CALLER_MS),
      always: { guard: "callerJoined", target: "addingAi" },
      on: {
        deadline: {
          guard: { type: "deadline", params: { name: "checkCaller" } },
          target: "awaitingCaller",
          reenter: true,
          actions: "reconcile",
        },
      },
    },
    addingAi: {
      description: "The AI leg is dialled through the TwiML App.",
      entry: "addAi",
      always: [
        {
          guard: "mayReadd",
          target: "addingAi",
          reenter: true,
        },
        { guard: "aiLegLeft", ...failed("arrival_failed") },
      ],
    },
  },
});
