/**
 * The human talks to the caller; the AI whispers to the human alone. Safety is an order, kept here and by
 * Twilio: gate closed → AI leg muted → coaching confirmed → model told its role → unmuted → gate opened.
 * Going back runs the same order the other way, gate first, and waits until no whisper is on the line any more.
 */
import { coachLink, noteJoinedWithoutAi, restart } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";
import { endings, escalations, foundMuted, humanWithoutAi, noteRemoved } from "./call.streaming.ts";

const COACH_RETRY_MS = 500;
/** How long the caller may be on hold while the human speaks with the AI. */
const CONSULT_MS = 60_000;

const toListening = (name: "carrier.mute" | "carrier.coach" | "model.role") =>
  ({
    guard: { type: "failedEffect", params: { names: [name] } },
    target: "listening",
    actions: "record",
  }) as const;

/** An AI leg that may be heard by the caller cannot stay beside a human. */
const notMuted = {
  guard: { type: "failedEffect", params: { names: ["carrier.mute"] } },
  target: "#call.removed",
  actions: ["record", noteJoinedWithoutAi],
} as const;

/** When the way back fails, neither leg nor session is to be trusted: both are made anew. */
const startOver = { target: "#call.removed.restoring", actions: ["record", "hangUpAi"] } as const;
const failedRelease = {
  guard: {
    type: "failedEffect",
    params: { names: ["carrier.mute", "carrier.uncoach", "model.role", "media.flush"] },
  },
  ...startOver,
} as const;

const releasing = callSetup.createStateConfig({
  description: "The human has left: the AI goes back to the caller.",
  initial: "muting",
  entry: ["wantNoHold", "flushLine"],
  invoke: deadlineIn("release", (context) => context.limits.releaseTimeoutMs),
  on: {
    ...restart,
    deadline: { guard: { type: "deadline", params: { name: "release" } }, ...startOver },
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
        guard: "backToCaller",
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
  // The next human is a new target: the whole order of safety is gone through again.
  { guard: "otherHuman", target: "muting", actions: "coachWhoIsThere" },
  { guard: "humanGone", target: "releasing" },
] as const;

const whisper = callSetup.createStateConfig({
  initial: "muting",
  on: {
    "op.restore": { target: ".releasing", actions: ["closeGate", "callOff"] },
    "tool.takeBack": {
      guard: "humanJoined",
      target: ".releasing",
      actions: ["answerTakingBack", "closeGate", "hangUpThosePresent"],
    },
  },
  states: {
    muting: {
      entry: "muteAi",
      always: [...interruptions, { guard: "aiMuted", target: "flipping" }],
      on: { "effect.failed": notMuted },
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
      entry: ["openGateToHuman", { type: "noteHandover", params: { outcome: "coached" } }],
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
      description: "Whispering could not be made safe: the AI only listens, muted, its gate closed.",
      // A request to unmute it that failed may have taken effect. Without the coach there is nobody to consult.
      entry: ["muteAi", "wantNoHold", { type: "noteHandover", params: { outcome: "listening" } }],
      always: interruptions,
      on: {
        "op.coach": { target: "muting", actions: "coachWhoIsThere" },
        "effect.failed": notMuted,
      },
    },
    releasing,
    ...coachLink,
  },
});

const caller = callSetup.createStateConfig({
  initial: "together",
  states: {
    together: {
      always: { guard: "holdWanted", target: "holding" },
      on: { "op.hold": { guard: "humanJoined", actions: "wantHold" } },
    },
    holding: {
      description: "The caller is being put on hold, so that the human can speak with the AI first.",
      always: [
        { guard: "holdUnwanted", target: "resuming" },
        { guard: "callerOnHold", target: "consulting" },
        { guard: "holdLost", target: "resuming" },
      ],
      on: { "op.resume": "resuming" },
    },
    consulting: {
      description: "The caller is on hold; human and AI speak with each other.",
      invoke: deadlineIn("consult", () => CONSULT_MS),
      always: [
        { guard: "holdUnwanted", target: "resuming" },
        { guard: "holdLost", target: "resuming" },
      ],
      on: {
        "op.resume": "resuming",
        deadline: { guard: { type: "deadline", params: { name: "consult" } }, target: "resuming" },
      },
    },
    resuming: {
      description: "The caller is being taken off hold.",
      entry: "wantNoHold",
      always: { guard: "callerBack", target: "together" },
    },
  },
});

export const coaching = callSetup.createStateConfig({
  description: "The human talks to the caller; the AI whispers to the human alone.",
  type: "parallel",
  entry: ["closeGate", "coachWhoIsThere", { type: "noteHandover", params: { outcome: "joined_briefly" } }],
  always: [
    ...endings,
    { guard: "modelFailed", target: "#call.removed", actions: noteJoinedWithoutAi },
    humanWithoutAi,
  ],
  on: {
    ...escalations,
    "op.remove": { target: "#call.removed", actions: noteRemoved },
    "tool.endCall": {
      guard: "humanJoined",
      target: "#call.removed",
      actions: ["answerGoodbye", noteRemoved],
    },
    "engine.shutdown": {
      guard: "humanJoined",
      target: "#call.wrapUp.detaching",
      actions: { type: "endWith", params: { reason: "engine_shutdown" } },
    },
  },
  states: { whisper, caller },
});
