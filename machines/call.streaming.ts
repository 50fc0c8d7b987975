/** The AI and the caller talk. */
import { callerLink } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";

/** Leaving for good, from every state in which the caller is with us. */
export const endings = [
  {
    guard: "callerGone",
    target: "#call.wrapUp",
    actions: { type: "endWith", params: { reason: "caller_hung_up" } },
  },
] as const;

/** Without a model the AI has nothing to say, in every state that needs one. */
export const modelLoss = [{ guard: "modelFailed", target: "#call.removed.lost" }] as const;

export const noteRemoved = { type: "noteHandover", params: { outcome: "removed" } } as const;

/** Whoever lets the AI go does so as soon as they are there. */
export const humanWithoutAi = {
  guard: "aiNotWanted",
  target: "#call.removed",
  actions: noteRemoved,
} as const;

/** A human is in the room: the AI is theirs from now on. */
export const handover = [humanWithoutAi, { guard: "humanJoined", target: "#call.coaching" }] as const;

/** A mute that took effect after its answer was lost, and after it was taken back, would silence the AI for good. */
export const foundMuted = { guard: "aiFoundMuted", actions: ["record", "unmuteAi"] } as const;

/** Another person is wanted, in a state that does not change by that. */
export const escalations = {
  "op.escalate": { guard: "mayOpen", actions: "openIncident" },
  "tool.escalate": [
    { guard: "incidentOpen", actions: "answerEscalationAlreadyOpen" },
    { guard: "mayOpen", actions: ["openIncident", "answerCallingHuman"] },
  ],
} as const;

export const streaming = callSetup.createStateConfig({
  description: "The AI and the caller talk.",
  initial: "live",
  entry: "wantNoHold",
  always: [...endings, ...handover, ...modelLoss],
  on: {
    "op.escalate": {
      guard: "mayOpen",
      target: "#call.escalating",
      actions: ["openIncident", "tellCallingHuman"],
    },
    "tool.escalate": [
      { guard: "incidentOpen", actions: "answerEscalationAlreadyOpen" },
      { guard: "mayOpen", target: "#call.escalating", actions: ["openIncident", "answerCallingHuman"] },
    ],
    "tool.endCall": { target: ".closing", actions: "answerGoodbye" },
  },
  states: {
    live: {
      entry: ["openGateToCaller", "greetOnce"],
      always: [
        { guard: "streamLost", target: "reconnecting" },
        { guard: "modelAway", target: "modelAway" },
        { guard: "humanWanted", target: "#call.escalating" },
        { guard: "nobodyReached", actions: ["noteTold", "tellNobodyReached"] },
        { guard: "ownedElsewhere", actions: ["noteTold", "tellHumanWillCall"] },
      ],
      on: { "participant.changed": foundMuted },
    },
    ...callerLink,
    closing: {
      description: "The AI has said goodbye: its last words are played before anything is ended.",
      entry: "drain",
      invoke: deadlineIn("drain", (context) => context.limits.drainTimeoutMs),
      always: {
        guard: "streamLost",
        target: "#call.wrapUp",
        actions: { type: "endWith", params: { reason: "agent_ended" } },
      },
      on: {
        "media.drained": {
          target: "#call.wrapUp",
          actions: { type: "endWith", params: { reason: "agent_ended" } },
        },
        deadline: {
          guard: { type: "deadline", params: { name: "drain" } },
          target: "#call.wrapUp",
          actions: { type: "endWith", params: { reason: "agent_ended" } },
        },
      },
    },
  },
});
