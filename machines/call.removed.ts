/** The AI has left; the caller and the human go on. It comes back on command, or when the human leaves. */
import { restart } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";
import { endings, escalations } from "./call.streaming.ts";

const LEAVE_TIMEOUT_MS = 5000;

export const removed = callSetup.createStateConfig({
  description: "The AI has left; the caller and the human go on.",
  entry: ["closeGate", "wantNoHold", "forgetWithoutAi"],
  initial: "leaving",
  always: [...endings, { guard: "aiNotWanted", target: ".leaving", actions: "forgetWithoutAi" }],
  on: {
    ...escalations,
    ...restart,
    // Caller and human talk without us: they go on when the engine goes.
    "engine.shutdown": {
      guard: "humanJoined",
      target: "#call.wrapUp.detaching",
      actions: { type: "endWith", params: { reason: "engine_shutdown" } },
    },
  },
  states: {
    leaving: {
      entry: "removeAi",
      invoke: deadlineIn("leave", () => LEAVE_TIMEOUT_MS),
      always: { guard: "aiGone", target: "gone" },
      on: {
        "effect.failed": {
          guard: { type: "failedEffect", params: { names: ["carrier.remove"] } },
          actions: ["record", "hangUpAi"],
        },
        deadline: {
          guard: { type: "deadline", params: { name: "leave" } },
          target: "gone",
          actions: "hangUpAi",
        },
      },
    },
    gone: {
      entry: "closeModel",
      always: { guard: "humanGone", target: "restoring" },
      on: {
        "op.restore": "restoring",
        "op.coach": { guard: "humanJoined", target: "restoring" },
      },
    },
    restoring: {
      description: "The AI is on its way back.",
      entry: ["openModel", "addAiMuted"],
      invoke: deadlineIn("readd", (context) => context.limits.modelReadyTimeoutMs),
      always: [
        { guard: "backWithHuman", target: "#call.coaching" },
        { guard: "aiUp", target: "returning" },
        { guard: "mayReadd", target: "restoring", reenter: true },
        {
          guard: "restoreFailedAlone",
          target: "#call.wrapUp.apologising",
          actions: { type: "endWith", params: { reason: "ai_leg_failed" } },
        },
        { guard: "restoreFailed", target: "gone", actions: "hangUpAi" },
      ],
      on: {
        deadline: [
          {
            guard: "readdOverAlone",
            target: "#call.wrapUp.apologising",
            actions: { type: "endWith", params: { reason: "ai_leg_failed" } },
          },
          { guard: { type: "deadline", params: { name: "readd" } }, target: "gone", actions: "hangUpAi" },
        ],
      },
    },
    returning: {
      description: "Only the caller is there: the AI leg, added muted, may be heard again.",
      entry: "unmuteAi",
      invoke: deadlineIn("release", (context) => context.limits.releaseTimeoutMs),
      always: {
        guard: "backToCaller",
        target: "#call.streaming",
        actions: ["openGateToCaller", "tellBackWithCaller"],
      },
      on: {
        "effect.failed": {
          guard: { type: "failedEffect", params: { names: ["carrier.mute"] } },
          target: "#call.streaming.readding",
          actions: ["record", "hangUpAi"],
        },
        deadline: {
          guard: { type: "deadline", params: { name: "release" } },
          target: "#call.streaming.readding",
          actions: "hangUpAi",
        },
      },
    },
  },
});
