/** Types, guards and actions of the ladder machine. */
import { assign, fromCallback, sendParent, setup } from "xstate";
import type { DeadlineInput } from "./call.setup.ts";
import type { CallEvent } from "./events.ts";
import {
  ask,
  cancelPages,
  type LadderEnqueue,
  page,
  stopOldTexts,
  tellPaged,
  untold,
} from "./ladder.asks.ts";
import {
  type Ack,
  contactOf,
  isSamePerson,
  isSpent,
  isWalkTooShort,
  type LadderContext,
  type LadderEvent,
  ladderId,
  openPages,
  pagesOfDecliners,
  recordLadder,
  ringAccepted,
  ringOver,
  stepAfter,
  stepAfterLoss,
  withIncident,
  withPhase,
} from "./ladder.facts.ts";
import { CHANNELS, type LadderInput, type Owner, type PageEffect } from "./ladder.types.ts";
import { pageMachine } from "./page.machine.ts";
import { timerFrom } from "./timer.ts";

const numberOf = (context: LadderContext, ack: Ack): string | null => {
  const contact = contactOf(context, ack);
  return contact?.voice ?? contact?.sms ?? null;
};

/** Nobody is to join, or they have no phone to join by. */
const takesAlone = (context: LadderContext, ack: Ack): boolean =>
  context.followUp || (ack.leg === null && numberOf(context, ack) === null);

const base = setup({
  types: {
    context: {} as LadderContext,
    events: {} as LadderEvent,
    input: {} as LadderInput,
    emitted: {} as PageEffect,
  },
  actors: {
    /** Replaced by the engine with one that runs on its clock; by itself it never fires. */
    deadline: fromCallback<CallEvent, DeadlineInput>(() => undefined),
    page: pageMachine,
  },
  guards: {
    closed: ({ context }) => context.closing !== null,
    acked: ({ context }) => context.acks.length > 0,
    ackedAlone: ({ context }) => context.acks[0] !== undefined && takesAlone(context, context.acks[0]),
    ackedOnLine: ({ context }) => (context.acks[0]?.leg ?? null) !== null,
    mayPage: ({ context }) => context.next !== null && context.pause === null,
    declinerOpen: ({ context }) => pagesOfDecliners(context).length > 0,
    spent: ({ context }) => isSpent(context) && !isWalkTooShort(context),
    windowOver: ({ context }) => context.timer.passed,
    pauseOver: ({ context }) => context.pause?.passed === true,
    ringAccepted: ({ context }) => ringAccepted(context),
    ringOver: ({ context }) => ringOver(context),
    ownerArrived: ({ context }) => context.arrived === true,
    ownerLost: ({ context }) => context.arrived === false,
    /** Every page has had its result, nothing of it is under way, and everybody knows who is to. */
    settled: ({ context }) =>
      Object.values(context.pages).every((each) => each.clear && each.result !== null) &&
      untold(context).length === 0,
    hasUntold: ({ context }) => untold(context).length > 0,
    hasNews: ({ context }) => context.changes !== context.changesTold,
  },
});

function act(does: (enqueue: LadderEnqueue, context: LadderContext, event: LadderEvent) => void) {
  return base.enqueueActions(({ context, event, enqueue }) =>
    does(enqueue as object as LadderEnqueue, context, event),
  );
}

/** The actor that an event from outside is about. */
function addressee(event: LadderEvent): string | null {
  switch (event.type) {
    case "page.acknowledged":
    case "page.declined":
    case "page.undelivered":
    case "human.answered":
    case "leg.status":
      return event.label;
    case "effect.done":
    case "effect.failed":
      return event.id.split("/")[1] ?? null;
    case "deadline":
      return event.of ?? null;
    default:
      return null;
  }
}

function ownerBy(context: LadderContext, ack: Ack): Owner {
  const { label, channel, rung, contact, atMs } = ack;
  const leg = context.followUp ? null : ack.leg;
  return {
    rung,
    contact,
    rungName: context.policy.rungs[rung]?.name ?? "",
    contactName: contactOf(context, ack)?.name ?? "",
    channel,
    ackAtMs: atMs,
    pageLabel: label,
    label: leg === null ? null : label,
    callSid: leg?.callSid ?? null,
    consult: leg?.consult ?? false,
  };
}

/** The page that brings them: a phone of theirs that rings already, or a new call. */
function bring(enqueue: LadderEnqueue, context: LadderContext, ack: Ack): LadderContext {
  const to = numberOf(context, ack);
  if (ack.leg !== null || to === null || context.followUp) return context;
  const ringing = Object.values(context.pages).find(
    (each) => each.channel === "voice" && each.to === to && each.result === null,
  );
  const { rung, contact } = ack;
  const contactName = contactOf(context, ack)?.name ?? "";
  const now = ringing
    ? context
    : page(enqueue, context, { rung, contact, contactName, channel: "voice", purpose: "ring", to });
  const ringLabel = ringing?.label ?? Object.keys(now.pages).at(-1) ?? null;
  enqueue.assign({ ringLabel });
  return { ...now, ringLabel };
}

export const ladderSetup = base.extend({
  actions: {
    record: assign(({ context, event }) => recordLadder(context, event)),
    forward: act((enqueue, context, event) => {
      const to = addressee(event);
      if (to !== null && context.pages[to]) enqueue.sendTo(to, event);
    }),
    stopPage: act((enqueue, _context, event) => {
      if ("actorId" in event) enqueue.stopChild(event.actorId);
    }),
    tellUntold: act((enqueue, context) => {
      if (context.telling !== null) tellPaged(enqueue, context, context.telling);
    }),
    tellCall: base.enqueueActions(({ context, enqueue }) => {
      const { incident, changes, changesTold, nowMs } = context;
      if (changes === changesTold) return;
      enqueue.assign({ changesTold: changes });
      enqueue(sendParent({ type: "ladder.update", at: nowMs, incident }));
    }),
    startRung: act((enqueue, context) => {
      const { next, nowMs, policy } = context;
      if (next === null) return;
      const timer = timerFrom(nowMs, policy.ackTimeoutMs);
      const begun = {
        timer,
        declined: [],
        walkStartedAtMs: next.rung === 0 ? nowMs : context.walkStartedAtMs,
        next: stepAfter(context, next),
        ...withPhase(context, "paging", { ...next, nextAtMs: timer.dueAtMs }),
      };
      enqueue.assign(begun);
      let now = stopOldTexts(enqueue, { ...context, ...begun });
      for (const [index, contact] of (policy.rungs[next.rung]?.contacts ?? []).entries()) {
        const who = { rung: next.rung, contact: index, contactName: contact.name, purpose: "page" } as const;
        for (const channel of CHANNELS) {
          const to = contact[channel];
          if (to !== null) now = page(enqueue, now, { ...who, channel, to });
        }
      }
    }),
    closeWindow: act((enqueue, context) => {
      const labels = openPages(context).map((each) => each.label);
      cancelPages(enqueue, context, labels, "window");
    }),
    cancelDecliners: act((enqueue, context) => {
      const labels = pagesOfDecliners(context).map((each) => each.label);
      cancelPages(enqueue, context, labels, "declined");
      // Each is asked to end once, whatever it makes of it.
      enqueue.assign({ declined: [] });
    }),
    /** Makes an owner of who said yes first; from here on nobody else is paged. */
    takeOwner: act((enqueue, context) => {
      const [ack] = context.acks;
      if (!ack) return;
      const owner = ownerBy(context, ack);
      const taken = {
        acks: context.acks.filter((each) => !isSamePerson(context, each, ack)),
        arrived: null,
        ...withIncident(context, { owner, nextAtMs: null }),
      };
      enqueue.assign(taken);
      const now = bring(enqueue, { ...context, ...taken }, ack);
      const others = Object.values(now.pages).filter(
        (each) => each.result === null && each.label !== now.ringLabel && each.label !== ack.label,
      );
      const labels = others.map((each) => each.label);
      cancelPages(enqueue, now, labels, "handled", owner.contactName);
      const contact = contactOf(now, ack);
      const except = [contact?.sms ?? null, contact?.voice ?? null];
      tellPaged(enqueue, now, { why: "handled", by: owner.contactName, except });
    }),
    noteRinging: assign(({ context }) => withPhase(context, "ringing")),
    noteJoining: assign(({ context }) => {
      const { owner } = context.incident;
      const ring = context.pages[context.ringLabel ?? ""];
      if (!owner || !ring || owner.label !== null) return withPhase(context, "joining");
      const { label, callSid, consult } = ring;
      return withPhase(context, "joining", { owner: { ...owner, label, callSid, consult } });
    }),
    noteOwned: assign(({ context }) =>
      withPhase(context, "owned", { outcome: "owned", endedAtMs: context.nowMs }),
    ),
    release: assign(({ context }) => ({
      ringLabel: null,
      arrived: null,
      telling: null,
      next: stepAfterLoss(context),
      ...withIncident(context, { owner: null }),
    })),
    beginPause: act((enqueue, context) => {
      const pause = context.pause ?? timerFrom(context.nowMs, context.policy.againAfterMs);
      const changed = { outcome: "exhausted", nextAtMs: pause.dueAtMs } as const;
      const begun = { pause, ...withPhase(context, "exhausted", changed) };
      enqueue.assign({ ...begun, paused: true });
      if (context.policy.textCaller && !context.paused) ask(enqueue, context, "ladder.tellCaller", {});
    }),
    endPause: assign(({ context }) => ({
      pause: null,
      next: context.policy.rungs.length === 0 ? null : { walk: context.incident.walk + 1, rung: 0 },
    })),
    closeAll: act((enqueue, context) => {
      const { closing, incident, nowMs } = context;
      if (closing === null) return;
      const outcome = closing === "called_off" ? closing : (incident.outcome ?? closing);
      const closed = withPhase(context, "over", { outcome, endedAtMs: nowMs });
      enqueue.assign(closed);
      const live = Object.values(context.pages).filter((each) => each.channel !== "voice" || !each.clear);
      const labels = live.map((each) => each.label);
      cancelPages(enqueue, context, labels, closing);
      tellPaged(enqueue, { ...context, ...closed }, { why: closing, by: null, except: [] });
    }),
  },
});

/** The absolute time of a window or a pause, so that a restart keeps it. */
export function ladderDeadline(name: "rung" | "again") {
  return {
    src: "deadline",
    id: name,
    input: ({ context }: { context: LadderContext }): DeadlineInput => ({
      name,
      of: ladderId(context.incident.number),
      atMs: name === "rung" ? context.timer.dueAtMs : (context.pause?.dueAtMs ?? context.nowMs),
    }),
  } as const;
}
