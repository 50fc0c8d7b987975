/**
 * The human talks to the caller; the AI whispers to the human alone. Safety is an order, kept here and by
 * Twilio: gate closed → AI leg muted → coaching confirmed → model told its role → unmuted → gate opened.
 * Going back runs the same order the other way, gate first.
 */
import { coachLink } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";
import { endings, foundMuted } from "./call.streaming.ts";

const COACH_RETRY_MS = 500;

const toListening = (name: "carrier.mute" | "carrier.coach" | "model.role") =>
  ({
    guard: { type: "failedEffect", params: { names: [name] } },
    target: "#call.coaching.listening",
    actions: "record",
  }) as const;

/** When the way back fails, neither leg nor session is to be trusted: both are made anew. */
const startOver = { target: "#call.removed.restoring", actions: ["record", "hangUpAi"] } as const;
const failedRelease = {
  guard: { type: "failedEffect", params: { names: ["carrier.mute", "carrier.uncoach", "model.role"] } },
  ...startOver,
} as const;

const releasing = callSetup.createStateConfig({
  description: "The human has left: the AI goes back to the caller.",
  initial: "muting",
  invoke: deadlineIn("release", (context) => context.limits.releaseTimeoutMs),
  on: {
    deadline: { guard: { type: "deadline", params: { name: "release" } }, ...startOver },
    // The human is gone or going: the caller would be left alone, and is told instead.
    "engine.shutdown": {
      target: "#call.wrapUp.apologising",
      actions: { type: "endWith", params: { reason: "engine_shutdown" } },
    },
  },
  states: {
    muting: {
      entry: "muteAi",
      always: { guard: "aiMuted", target: "uncoaching" },
      on: { "effect.failed": failedRelease },
    },
    uncoaching: {
      entry: "uncoachAi",
      always: { guard: "aiCoachesNobody", target: "switching" },
      on: { "effect.failed": failedRelease },
    },
    switching: {
      entry: "setAgentRole",
      always: { guard: "isAgent", target: "unmuting" },
      on: { "effect.failed": failedRelease },
    },
    unmuting: {
      entry: "unmuteAi",
      // Told with the gate open: an answer that began behind it would be dropped.
      always: {
        guard: "aiUnmuted",
        target: "#call.streaming",
        actions: ["openGateToCaller", "tellBackWithCaller"],
      },
      on: { "effect.failed": failedRelease },
    },
  },
});

/** What ends every step of the coach: its line, or the human. */
const interruptions = [
  { guard: "streamLost", target: "reconnecting" },
  { guard: "humanGone", target: "releasing" },
] as const;

export const coaching = callSetup.createStateConfig({
  description: "The human talks to the caller; the AI whispers to the human alone.",
  entry: ["closeGate", "resetCoachTries"],
  initial: "muting",
  always: [...endings, { guard: "modelFailed", target: "#call.removed", actions: "noteRemoved" }],
  on: {
    "op.remove": { target: "#call.removed", actions: "noteRemoved" },
    "op.restore": { target: ".releasing", actions: ["closeGate", "hangUpHuman"] },
    "engine.shutdown": {
      guard: "humanJoined",
      target: "#call.wrapUp.detaching",
      actions: { type: "endWith", params: { reason: "engine_shutdown" } },
    },
    "tool.escalate": { actions: "answerEscalationAlreadyOpen" },
  },
  states: {
    muting: {
      entry: "muteAi",
      always: [...interruptions, { guard: "aiMuted", target: "flipping" }],
      on: { "effect.failed": toListening("carrier.mute") },
    },
    flipping: {
      entry: "coachHuman",
      always: [...interruptions, { guard: "aiCoachesHuman", target: "switching" }],
      on: {
        "effect.failed": [
          { guard: "mayRetryCoach", target: "retrying", actions: "record" },
          toListening("carrier.coach"),
        ],
      },
    },
    retrying: {
      description: "Twilio does not know the human's leg yet (16028).",
      invoke: deadlineIn("coachRetry", () => COACH_RETRY_MS),
      always: interruptions,
      on: { deadline: { guard: { type: "deadline", params: { name: "coachRetry" } }, target: "flipping" } },
    },
    switching: {
      entry: "setCoachRole",
      always: [...interruptions, { guard: "isCoach", target: "unmuting" }],
      on: { "effect.failed": toListening("model.role") },
    },
    unmuting: {
      entry: "unmuteAi",
      always: [...interruptions, { guard: "aiUnmuted", target: "active" }],
      on: { "effect.failed": toListening("carrier.mute") },
    },
    active: {
      entry: ["openGateToHuman", "noteCoached"],
      exit: "closeGate",
      on: {
        "participant.changed": [
          // Whatever has happened: the gate closes first, and the order of safety is gone through again.
          { guard: "aiFoundUncoached", target: "muting", actions: "record" },
          foundMuted,
        ],
      },
      always: interruptions,
    },
    listening: {
      description: "Whispering could not be made safe: the gate stays closed, the AI only listens.",
      always: interruptions,
      on: { "op.coach": { target: "muting", actions: "resetCoachTries" } },
    },
    releasing,
    ...coachLink,
  },
});
