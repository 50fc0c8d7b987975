/**
 * One attempt to reach one contact by one channel: `voice`, a call whose person accepts by a key, or `text`,
 * an SMS or push that is answered from outside. Level-triggered like the call: events only record facts.
 *
 * A call is over for the page when it is known to be gone, when it has become the owner's leg, or when
 * nothing more can be done about it. A text cannot be recalled: it may be acknowledged until its incident is
 * over, whatever has come of it in between.
 */
import { assign, fromCallback, sendParent, setup } from "xstate";
import type { DeadlineInput } from "./call.setup.ts";
import type { CallEvent } from "./events.ts";
import type { PageEffect, PageEffectInputs, PageEffectName, PageInput, PageResult } from "./ladder.types.ts";
import type { PageContext, PageEvent } from "./page.facts.ts";
import { effectId, hasNews, initialPage, pageState, recordPage, requestOf } from "./page.facts.ts";
import { timerFrom } from "./timer.ts";

/** Beyond what the carrier lets a phone ring: its word of that may be late. */
const RING_GRACE_MS = 10_000;
/** Until a request for a call is answered, which may have to wait for its turn at the carrier. */
const REQUEST_MS = 30_000;
/** Saying why somebody is not needed. */
const TELL_MS = 15_000;
const HANG_UP_MS = 30_000;
const HANG_UP_AGAIN_MS = 2000;
const MAX_HANG_UPS = 2;

const base = setup({
  types: {
    context: {} as PageContext,
    events: {} as PageEvent,
    input: {} as PageInput,
    emitted: {} as PageEffect,
  },
  actors: {
    /** Replaced by the engine with one that runs on its clock; by itself it never fires. */
    deadline: fromCallback<CallEvent, DeadlineInput>(() => undefined),
  },
  guards: {
    isVoice: ({ context }) => context.record.channel === "voice",
    gone: ({ context }) => context.status === "gone",
    accepted: ({ context }) => context.result === "acknowledged",
    ended: ({ context }) => context.result !== null,
    answered: ({ context }) => context.status === "answered",
    known: ({ context }) => context.legSid !== null,
    outcomeUnknown: ({ context }) => context.request === "unknown",
    requestSettled: ({ context }) => context.request !== "asked",
    timeUp: ({ context }) => context.timer.passed,
    /** Somebody listens who does not know that they are not needed. */
    mustTell: ({ context }) =>
      context.status === "answered" &&
      context.legSid !== null &&
      context.result === "cancelled" &&
      context.cancelled !== null &&
      context.cancelled.why !== "declined",
    endingFailed: ({ context }) => context.endingFailed || context.timer.passed,
    mayHangUpAgain: ({ context }) =>
      (context.endingFailed || context.timer.passed) && context.hangUps < MAX_HANG_UPS,
    over: ({ context }) => context.over,
    hasNews: ({ context }) => hasNews(context),
  },
});

function ask<N extends PageEffectName>(
  named: N | ((context: PageContext) => N),
  input: (context: PageContext) => PageEffectInputs[N] | null,
  patch: (context: PageContext, id: string) => Partial<PageContext> = () => ({}),
) {
  return base.enqueueActions(({ context, enqueue }) => {
    const value = input(context);
    if (value === null) return;
    const name = typeof named === "function" ? named(context) : named;
    const effectCount = context.effectCount + 1;
    const id = effectId(context, effectCount, name);
    enqueue.assign({ effectCount, ...patch(context, id) });
    enqueue.emit({ type: "effect", id, name, input: value } as PageEffect);
  });
}

const allow = (lengthMs: (context: PageContext) => number) =>
  base.assign(({ context }) => ({ timer: timerFrom(context.nowMs, lengthMs(context)) }));

const pageSetup = base.extend({
  actions: {
    record: assign(({ context, event }) => recordPage(context, event)),
    tellLadder: base.enqueueActions(({ context, enqueue }) => {
      const page = pageState(context);
      enqueue.assign({ told: page });
      enqueue(sendParent({ type: "page.update", at: context.nowMs, page }));
    }),
    settle: assign(({ context }, params: { readonly result: PageResult }) => ({
      result: context.result ?? params.result,
    })),
    setClear: assign({ clear: true }),
    request: ask(requestOf, ({ label, incident, to }) => ({ label, incident, to })),
    withdraw: ask("page.withdraw", ({ label }) => ({ label })),
    tellThem: ask(
      "page.tell",
      ({ label, legSid, cancelled }) =>
        legSid === null || cancelled === null || cancelled.why === "declined"
          ? null
          : { label, callSid: legSid, why: cancelled.why, by: cancelled.by },
      (_context, id) => ({ endingId: id, endingFailed: false }),
    ),
    hangUp: ask(
      "page.hangUp",
      ({ label, legSid }) => (legSid === null ? null : { label, callSid: legSid }),
      ({ hangUps }, id) => ({ endingId: id, endingFailed: false, hangUps: hangUps + 1 }),
    ),
    allowRequest: allow(({ ringTimeoutMs }) => ringTimeoutMs + REQUEST_MS),
    allowRinging: allow(({ ringTimeoutMs }) => ringTimeoutMs + RING_GRACE_MS),
    allowBriefing: allow(({ briefingTimeoutMs }) => briefingTimeoutMs),
    allowJoining: allow(({ joinTimeoutMs }) => joinTimeoutMs),
    allowTelling: allow(() => TELL_MS),
    allowHangUp: allow(() => HANG_UP_MS),
    pause: allow(() => HANG_UP_AGAIN_MS),
  },
});

/** Every wait is bounded by a deadline that ends with its state. */
const deadline = {
  src: "deadline",
  id: "page",
  input: ({ context }: { context: PageContext }): DeadlineInput => ({
    name: "page",
    of: context.label,
    atMs: context.timer.dueAtMs,
  }),
} as const;

const noAnswer = {
  guard: "timeUp",
  target: "#page.ending",
  actions: { type: "settle", params: { result: "no-answer" } },
} as const;
const failed = { type: "settle", params: { result: "failed" } } as const;

/** What ends every way of waiting for their key. */
const decided = [
  { guard: "gone", target: "#page.done" },
  { guard: "accepted", target: "accepted" },
  { guard: "ended", target: "#page.ending" },
] as const;

const voice = pageSetup.createStateConfig({
  description: "A phone is rung. Whoever picks up hears the briefing, and accepts or declines by a key.",
  initial: "calling",
  states: {
    calling: {
      description: "The carrier has been asked for the call.",
      entry: ["allowRequest", "request"],
      invoke: deadline,
      always: [
        ...decided,
        { guard: "answered", target: "briefing" },
        { guard: "known", target: "ringing" },
        { guard: "outcomeUnknown", target: "unheard" },
        { guard: "timeUp", target: "#page.ending", actions: failed },
      ],
    },
    unheard: {
      description: "Nobody knows whether the call was made; its callbacks would tell.",
      entry: "allowRinging",
      invoke: deadline,
      always: [
        ...decided,
        { guard: "answered", target: "briefing" },
        { guard: "known", target: "ringing" },
        { guard: "timeUp", target: "#page.done", actions: failed },
      ],
    },
    ringing: {
      entry: "allowRinging",
      invoke: deadline,
      always: [...decided, { guard: "answered", target: "briefing" }, noAnswer],
    },
    briefing: {
      description: "Somebody has picked up and hears what it is about.",
      entry: "allowBriefing",
      invoke: deadline,
      always: [...decided, noAnswer],
    },
    accepted: {
      description: "The leg is the owner's; the ladder is still to be told its call sid.",
      entry: "allowJoining",
      invoke: deadline,
      always: [
        { guard: "known", target: "#page.done" },
        { guard: "timeUp", target: "#page.done" },
      ],
    },
  },
});

const ending = pageSetup.createStateConfig({
  description: "The call has had its result, and must go.",
  initial: "choosing",
  always: { guard: "gone", target: "done" },
  states: {
    choosing: {
      always: [
        { guard: "mustTell", target: "telling" },
        { guard: "known", target: "hangingUp" },
        { target: "withdrawing" },
      ],
    },
    withdrawing: {
      description: "The request is taken back; a call that shows itself all the same is hung up.",
      entry: ["allowRinging", "withdraw"],
      invoke: deadline,
      always: [
        { guard: "known", target: "hangingUp" },
        { guard: "timeUp", target: "#page.done" },
      ],
    },
    telling: {
      description: "They are told why they are not needed.",
      entry: ["allowTelling", "tellThem"],
      invoke: deadline,
      always: { guard: "endingFailed", target: "hangingUp" },
    },
    hangingUp: {
      entry: ["allowHangUp", "hangUp"],
      invoke: deadline,
      always: [
        { guard: "mayHangUpAgain", target: "pausing" },
        { guard: "endingFailed", target: "#page.done" },
      ],
    },
    pausing: {
      description: "It could not be hung up, and is hung up once more.",
      entry: "pause",
      invoke: deadline,
      always: { guard: "timeUp", target: "hangingUp" },
    },
  },
});

const text = pageSetup.createStateConfig({
  description: "An SMS or a push, answered by its reply or its link.",
  initial: "sending",
  states: {
    sending: {
      description: "It may be on its way already, and be answered.",
      entry: ["allowRequest", "request"],
      invoke: deadline,
      always: [
        { guard: "requestSettled", target: "sent" },
        { guard: "timeUp", target: "sent" },
      ],
    },
    sent: {
      description: "Nothing of it is on its way any more; it may be answered.",
      entry: "setClear",
      always: [
        { guard: "over", target: "#page.done" },
        { guard: "ended", target: "settled" },
      ],
    },
    settled: {
      description: "It has had its result, and may be acknowledged all the same.",
      always: { guard: "over", target: "#page.done" },
    },
  },
});

export const pageMachine = pageSetup.createMachine({
  id: "page",
  context: ({ input }) => initialPage(input),
  initial: "starting",
  on: { "*": { actions: "record" } },
  always: { guard: "hasNews", actions: "tellLadder" },
  states: {
    starting: {
      always: [{ guard: "isVoice", target: "voice" }, { target: "text" }],
    },
    voice,
    ending,
    text,
    done: { type: "final", entry: ["setClear", "tellLadder"] },
  },
});
