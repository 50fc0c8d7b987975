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

/** Without a model there is nobody to talk to: say sorry, in every state that needs one. */
export const modelLoss = [
  {
    guard: "modelFailed",
    target: "#call.wrapUp.apologising",
    actions: { type: "endWith", params: { reason: "model_failed" } },
  },
] as const;

/** A mute that took effect after its answer was lost, and after it was taken back, would silence the AI for good. */
export const foundMuted = { guard: "aiFoundMuted", actions: ["record", "unmuteAi"] } as const;

export const streaming = callSetup.createStateConfig({
  description: "The AI and the caller talk.",
  initial: "live",
  always: [...endings, ...modelLoss],
  on: {
    "op.escalate": [
      {
        guard: "hasNumber",
        target: "#call.escalating.page.ringing",
        actions: ["noteEscalation", "ringHuman", "tellCallingHuman"],
      },
      { target: "#call.escalating", actions: "noteEscalation" },
    ],
    "tool.escalate": [
      {
        guard: "hasNumber",
        target: "#call.escalating.page.ringing",
        actions: ["noteEscalation", "ringHuman", "answerCallingHuman"],
      },
      { target: "#call.escalating", actions: ["noteEscalation", "answerEscalationOpen"] },
    ],
    "tool.endCall": { target: ".closing", actions: "answerGoodbye" },
  },
  states: {
    live: {
      entry: ["openGateToCaller", "greetOnce"],
      always: [
        { guard: "streamLost", target: "reconnecting" },
        { guard: "modelAway", target: "modelAway" },
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
