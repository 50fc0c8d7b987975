/**
 * The AI has left; the caller and the human go on. It comes back on command, or when the human leaves. And what
 * comes when it cannot be had any more: nobody is given up whom somebody is about to join.
 */
import { noteJoinedWithoutAi, restart } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";
import { endings, escalations } from "./call.streaming.ts";
import type { EndReason } from "./events.ts";

const LEAVE_TIMEOUT_MS = 5000;
/** While somebody is awaited, Twilio is asked so often who is in the room: the word of it may be lost. */
const LOOK_MS = 10_000;

const apologise = (reason: EndReason) =>
  ({ target: "#call.wrapUp.apologising", actions: { type: "endWith", params: { reason } } }) as const;

/** Without the AI the caller waits with music, and not in silence. */
const waiting = ["hangUpAi", "closeModel", "wantHold"] as const;

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
        { guard: "restoreFailedAlone", target: "lost" },
        { guard: "restoreFailed", target: "gone", actions: "hangUpAi" },
      ],
      on: {
        deadline: [
          { guard: "readdOverAlone", target: "lost" },
          { guard: { type: "deadline", params: { name: "readd" } }, target: "gone", actions: "hangUpAi" },
        ],
      },
    },
    lost: {
      description: "The AI cannot be had any more: who else is there, or on the way?",
      always: [
        {
          guard: "humanJoined",
          target: "leaving",
          actions: ["wantNoHold", "forgetWithoutAi", noteJoinedWithoutAi],
        },
        { guard: "ownerOnTheWay", target: "awaiting" },
        { guard: "modelFailed", ...apologise("model_failed") },
        apologise("ai_leg_failed"),
      ],
    },
    awaiting: {
      description: "The AI is gone for good; the caller waits for the person who is on the way.",
      entry: waiting,
      invoke: deadlineIn("join", () => LOOK_MS, LOOK_MS),
      always: { guard: "ownerHereOrLost", target: "lost" },
      on: { deadline: { guard: { type: "deadline", params: { name: "join" } }, actions: "reconcile" } },
    },
    parting: {
      description: "The engine goes; it waits a little for the person who is on the way.",
      entry: waiting,
      invoke: deadlineIn("join", (context) => context.policy.joinTimeoutMs),
      always: [
        {
          guard: "humanJoined",
          target: "#call.wrapUp.detaching",
          actions: [noteJoinedWithoutAi, { type: "endWith", params: { reason: "engine_shutdown" } }],
        },
        { guard: "ownerHereOrLost", ...apologise("engine_shutdown") },
      ],
      on: {
        deadline: {
          guard: { type: "deadline", params: { name: "join" } },
          ...apologise("engine_shutdown"),
        },
      },
    },
    overtime: {
      description:
        "The time is up: the AI does not come back, and the caller goes on for as long as somebody is there.",
      entry: ["hangUpAi", "closeModel"],
      always: [
        { guard: "nobodyElse", ...apologise("time_limit") },
        { guard: "aiNotWanted", actions: "forgetWithoutAi" },
      ],
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
