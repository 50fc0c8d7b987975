/**
 * The AI's link to the room, as states that streaming, escalating and coaching share: a stream that drops
 * is given the time of its own TwiML's way back, then a new AI leg is added, a bounded number of times.
 */
import { callSetup, deadlineIn } from "./call.setup.ts";

const noteLost = {
  type: "noteError",
  params: { code: "ai_leg_lost", message: "the AI leg could not be brought back" },
} as const;

/**
 * After a restart, in states that do not ask by themselves when the stream is lost: what was told meanwhile is
 * asked for.
 */
export const restart = { "engine.restored": { actions: ["record", "reconcile"] } } as const;

/** The AI cannot be had any more. Whether anybody else is there, or coming, is looked at in one place. */
const giveUp = { target: "#call.removed.lost", actions: noteLost } as const;

const noteModelLate = {
  type: "noteError",
  params: { code: "model_timeout", message: "the speech model was not ready in time" },
} as const;

/** A model that does not answer is as good as none: nobody listens to silence. */
const giveUpModel = { target: "#call.removed.lost", actions: [noteModelLate, "noteModelFailed"] } as const;

/** The same before the caller has heard anybody. */
export const modelTimeout = {
  target: "#call.wrapUp.apologising",
  actions: [noteModelLate, { type: "endWith", params: { reason: "model_failed" } }],
} as const;

/** With a human in the room, caller and human go on without the AI. */
export const noteJoinedWithoutAi = {
  type: "noteHandover",
  params: { outcome: "joined_without_ai" },
} as const;
const leave = { target: "#call.removed", actions: [noteLost, noteJoinedWithoutAi] } as const;

/** The human left while the coach's line was down: everything is made anew for the caller. */
const humanLeft = { guard: "humanGone", target: "#call.removed.restoring", actions: "hangUpAi" } as const;

const reconnecting = (
  up: string,
  restored: "tellLineRestored" | "closeGate",
  leaveWith: readonly (typeof humanLeft)[],
) =>
  callSetup.createStateConfig({
    description: "The stream is gone. Its TwiML may bring it back; we ask Twilio who is still there.",
    entry: "reconcile",
    invoke: deadlineIn("rejoin", (context) => context.limits.rejoinTimeoutMs),
    always: [
      ...leaveWith,
      { guard: "aiUp", target: up, actions: restored },
      // Not before we know that the caller is still there: a new leg must find somebody.
      { guard: "aiLegLeftChecked", target: "readding" },
    ],
    on: {
      deadline: {
        guard: { type: "deadline", params: { name: "rejoin" } },
        target: "readding",
        actions: "hangUpAi",
      },
    },
  });

/** `modelAway`, `reconnecting` and `readding` for a state in which the AI talks to the caller. */
export const callerLink = {
  modelAway: callSetup.createStateConfig({
    description: "The line to the model is down; it takes up again by itself where it was.",
    invoke: deadlineIn("modelReady", (context) => context.limits.modelReadyTimeoutMs),
    always: [
      { guard: "streamLost", target: "reconnecting" },
      { guard: "modelBack", target: "live" },
    ],
    on: { deadline: { guard: "modelLate", ...giveUpModel } },
  }),
  reconnecting: reconnecting("live", "tellLineRestored", []),
  readding: callSetup.createStateConfig({
    description: "A new AI leg is on its way.",
    entry: "addAi",
    invoke: deadlineIn("readd", (context) => context.limits.readdTimeoutMs),
    always: [
      { guard: "aiUp", target: "live", actions: "tellLineRestored" },
      { guard: "mayReadd", target: "readding", reenter: true },
      { guard: "aiLegLeft", ...giveUp },
    ],
    on: { deadline: { guard: { type: "deadline", params: { name: "readd" } }, ...giveUp } },
  }),
} as const;

/** The same for the coach: it comes back muted, and through the whole order of safety again. */
export const coachLink = {
  reconnecting: reconnecting("muting", "closeGate", [humanLeft]),
  readding: callSetup.createStateConfig({
    description: "A new AI leg is on its way, muted.",
    entry: "addAiMuted",
    invoke: deadlineIn("readd", (context) => context.limits.readdTimeoutMs),
    always: [
      humanLeft,
      { guard: "aiUp", target: "muting" },
      { guard: "mayReadd", target: "readding", reenter: true },
      { guard: "aiLegLeft", ...leave },
    ],
    on: { deadline: { guard: { type: "deadline", params: { name: "readd" } }, ...leave } },
  }),
} as const;
