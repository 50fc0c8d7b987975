/** A human is wanted. The AI goes on talking to the caller until one is in the room. */
import { callerLink } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";
import { endings, foundMuted, modelLoss } from "./call.streaming.ts";

export const escalating = callSetup.createStateConfig({
  description: "A human is wanted. The AI stays with the caller until one is in the room.",
  type: "parallel",
  always: [
    ...endings,
    { guard: "coachesAfterHandover", target: "#call.coaching" },
    { guard: "leavesAfterHandover", target: "#call.removed", actions: "noteRemoved" },
    ...modelLoss,
  ],
  on: {
    "op.restore": { target: "#call.streaming", actions: ["hangUpHuman", "tellBackWithCaller"] },
    "tool.escalate": { actions: ["noteEscalation", "answerEscalationAlreadyOpen"] },
    "tool.endCall": { target: "#call.streaming.closing", actions: ["hangUpHuman", "answerGoodbye"] },
  },
  states: {
    page: {
      initial: "idle",
      states: {
        idle: {
          description: "Nobody is being rung.",
          on: {
            "op.escalate": {
              guard: "hasNumber",
              target: "ringing",
              actions: ["noteEscalation", "ringHuman", "tellCallingHuman"],
            },
            "tool.escalate": {
              guard: "hasNumber",
              target: "ringing",
              actions: ["noteEscalation", "ringHuman", "answerCallingHuman"],
            },
          },
        },
        ringing: {
          description: "One person is being rung, and joins by pressing 1.",
          invoke: deadlineIn("ring", (context) => context.limits.ringTimeoutMs),
          always: { guard: "humanGone", target: "idle", actions: "tellHumanUnreachable" },
          on: {
            "human.answered": [
              {
                guard: "declined",
                target: "idle",
                actions: ["record", "hangUpHuman", "tellHumanUnreachable"],
              },
              { target: "joining", actions: "record" },
            ],
            deadline: {
              guard: { type: "deadline", params: { name: "ring" } },
              target: "idle",
              actions: ["hangUpHuman", "tellHumanUnreachable"],
            },
          },
        },
        joining: {
          description: "They pressed 1 and are on their way into the room.",
          invoke: deadlineIn("join", (context) => context.limits.joinTimeoutMs),
          always: { guard: "humanGone", target: "idle", actions: "tellHumanUnreachable" },
          on: { deadline: { guard: { type: "deadline", params: { name: "join" } }, target: "checking" } },
        },
        checking: {
          description: "No word of their joining: Twilio is asked who is in the room.",
          entry: "reconcile",
          always: { guard: "humanAbsent", target: "idle", actions: ["hangUpHuman", "tellHumanUnreachable"] },
          on: {
            "effect.failed": {
              guard: { type: "failedEffect", params: { names: ["carrier.reconcile"] } },
              target: "joining",
              actions: "record",
            },
          },
        },
      },
    },
    link: {
      initial: "live",
      states: {
        live: {
          entry: "openGateToCaller",
          always: [
            { guard: "streamLost", target: "reconnecting" },
            { guard: "modelAway", target: "modelAway" },
          ],
          on: { "participant.changed": foundMuted },
        },
        ...callerLink,
      },
    },
  },
});
