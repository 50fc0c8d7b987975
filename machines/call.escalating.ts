/** A human is wanted. The AI goes on talking to the caller until one is in the room. */
import { callerLink } from "./call.link.ts";
import { callSetup, deadlineIn } from "./call.setup.ts";
import { endings, foundMuted, handover, modelLoss } from "./call.streaming.ts";

const ownerComing = [
  { guard: "ownerConsults", target: "joining", actions: "wantHold" },
  { guard: "ownerComing", target: "joining", actions: "tellHumanComing" },
] as const;

/** Nobody waits in silence. */
const reassuring = { "media.quiet": { actions: "tellStillWaiting" } } as const;

const ownerLost = { guard: "ownerLost", target: "paging", actions: "noteOwnerLost" } as const;

export const escalating = callSetup.createStateConfig({
  description: "A human is wanted. The AI stays with the caller until one is in the room.",
  type: "parallel",
  always: [
    ...endings,
    ...handover,
    // Exhausted, or owned by somebody who cannot join: the ladder goes on without us.
    { guard: "humanNotWanted", target: "#call.streaming" },
    ...modelLoss,
  ],
  on: {
    "tool.escalate": { actions: "answerEscalationAlreadyOpen" },
    "op.restore": { target: "#call.streaming", actions: ["callOff", "tellBackWithCaller"] },
    "tool.endCall": { target: "#call.streaming.closing", actions: ["callOff", "answerGoodbye"] },
  },
  states: {
    ladder: {
      initial: "paging",
      states: {
        paging: {
          description: "Nobody has taken it yet; the ladder pages one rung after another.",
          always: [
            ...ownerComing,
            { guard: "ownerRung", target: "ringing" },
            { guard: "nextAfterOwnerLost", actions: ["noteTold", "tellHumanUnreachable"] },
            { guard: "newRung", actions: ["noteTold", "tellStillCalling"] },
          ],
          on: reassuring,
        },
        ringing: {
          description: "Somebody has taken it by text or push, and is being rung.",
          always: [...ownerComing, { guard: "ownerNotRung", target: "paging" }],
          on: reassuring,
        },
        joining: {
          description: "They have accepted with a key, and are on their way into the room.",
          invoke: deadlineIn("join", (context) => context.policy.joinTimeoutMs),
          always: ownerLost,
          on: { deadline: { guard: { type: "deadline", params: { name: "join" } }, target: "checking" } },
        },
        checking: {
          description: "No word of their joining: Twilio is asked who is in the room.",
          entry: "reconcile",
          // The caller is not kept on hold for somebody of whom nobody can say where they are.
          always: [ownerLost, { guard: "lookedForOwner", target: "joining", actions: "wantNoHold" }],
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
