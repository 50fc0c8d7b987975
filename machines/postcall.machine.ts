/**
 * What is done once a call is over: what was said is made into data, and the row is handed on. Level-triggered
 * like the call: events only record facts, eventless transitions act. Whatever fails is tried again after a
 * pause, a bounded number of times; the row is handed on all the same, with what is known.
 */
import { assign, fromCallback, setup } from "xstate";
import type { DeadlineInput } from "./call.setup.ts";
import type { CallEvent } from "./events.ts";
import {
  initialPostCall,
  isSettled,
  POST_CALL,
  type PostCallContext,
  type PostCallEffect,
  type PostCallEffectName,
  type PostCallInput,
  recordPostCall,
  type TaskName,
  withAttempt,
  withPause,
} from "./postcall.facts.ts";

const base = setup({
  types: {
    context: {} as PostCallContext,
    events: {} as CallEvent,
    input: {} as PostCallInput,
    emitted: {} as PostCallEffect,
  },
  actors: {
    /** Replaced by the engine with one that runs on its clock; by itself it never fires. */
    deadline: fromCallback<CallEvent, DeadlineInput>(() => undefined),
  },
  guards: {
    extractionSettled: ({ context }) => isSettled(context.extraction, context.pendingId !== null),
    deliverySettled: ({ context }) => isSettled(context.delivery, context.pendingId !== null),
    failed: ({ context }) => context.pendingId === null,
    timeUp: ({ context }) => context.timer.passed,
  },
});

const ask = (of: TaskName, name: PostCallEffectName) =>
  base.enqueueActions(({ context, enqueue }) => {
    const { id, input, patch } = withAttempt(context, of, name);
    enqueue.assign(patch);
    enqueue.emit({ type: "effect", id, name, input });
  });

const postCallSetup = base.extend({
  actions: {
    record: assign(({ context, event }) => recordPostCall(context, event)),
    extract: ask("extraction", "postcall.extract"),
    deliver: ask("delivery", "postcall.deliver"),
    pauseExtraction: assign(({ context }) => withPause(context, "extraction")),
    pauseDelivery: assign(({ context }) => withPause(context, "delivery")),
  },
});

/** The pauses are told apart by the time in their timer. */
const deadline = {
  src: "deadline",
  id: "again",
  input: ({ context }: { context: PostCallContext }): DeadlineInput => ({
    name: "again",
    of: POST_CALL,
    atMs: context.timer.dueAtMs,
  }),
} as const;

export const postCallMachine = postCallSetup.createMachine({
  id: "postcall",
  context: ({ input }) => initialPostCall(input),
  initial: "choosing",
  on: { "*": { actions: "record" } },
  states: {
    choosing: {
      description: "What was said first, so that the row is handed on with what was found.",
      always: [{ guard: "extractionSettled", target: "handingOn" }, { target: "extracting" }],
    },
    extracting: {
      description: "The model is asked what the transcript holds.",
      entry: "extract",
      always: [
        { guard: "extractionSettled", target: "handingOn" },
        { guard: "failed", target: "extractionPaused" },
      ],
    },
    extractionPaused: {
      entry: "pauseExtraction",
      invoke: deadline,
      always: { guard: "timeUp", target: "extracting" },
    },
    handingOn: {
      description: "With what was found, or as it is when that has failed for good.",
      always: [{ guard: "deliverySettled", target: "done" }, { target: "delivering" }],
    },
    delivering: {
      description: "The row is posted to the deployment's webhook.",
      entry: "deliver",
      always: [
        { guard: "deliverySettled", target: "done" },
        { guard: "failed", target: "deliveryPaused" },
      ],
    },
    deliveryPaused: {
      entry: "pauseDelivery",
      invoke: deadline,
      always: { guard: "timeUp", target: "delivering" },
    },
    done: { type: "final" },
  },
});
