/** Deliberate bugs of ladders, pages and what people are asked and answered. */
import { assign } from "xstate";
import { deadlineActor } from "../../engine/call/deadline.ts";
import { Escalations } from "../../engine/call/escalations.ts";
import { FollowUps } from "../../engine/call/follow-ups.ts";
import { PageEffects } from "../../engine/call/page-effects.ts";
import { TextedPages } from "../../engine/call/texted-pages.ts";
import { AckPages } from "../../engine/http/ack-pages.ts";
import { pause } from "../../engine/platform/clock.ts";
import type { Clock } from "../../engine/ports.ts";
import { recordLadder } from "../../machines/ladder.facts.ts";
import { timerFrom } from "../../machines/timer.ts";
import { type Mutant, nothing, replaced, withCarrier, withLadder, withLogic, withPages } from "./tamper.ts";

/** The ladder's deadlines come after another time than they were set to. */
const withDeadlines = (share: number) =>
  withLadder((clock: Clock) => {
    const deadline = deadlineActor(clock);
    const getInitialSnapshot: typeof deadline.getInitialSnapshot = (scope, input) => {
      const nowMs = clock.now();
      const atMs = nowMs + Math.max(0, input.atMs - nowMs) * share;
      return deadline.getInitialSnapshot(scope, { ...input, atMs });
    };
    return { actors: { deadline: { ...deadline, getInitialSnapshot } } };
  });

export const LADDER_MUTANTS: readonly Mutant[] = [
  {
    name: "a rung's window never closes",
    seed: 3,
    rules: ["window-overrun"],
    tampering: withLadder({ guards: { windowOver: () => false } }),
  },
  {
    name: "a rung's window begins anew with what its pages tell",
    seed: 3,
    rules: ["window-overrun"],
    tampering: withLadder({
      actions: {
        record: assign(({ context, event }) => {
          const patch = recordLadder(context, event);
          if (event.type !== "page.update" || context.incident.phase !== "paging") return patch;
          return { ...patch, timer: timerFrom(event.at, context.policy.ackTimeoutMs) };
        }),
      },
    }),
  },
  {
    name: "a rung's window is cut short",
    seed: 13,
    rules: ["window-cut"],
    tampering: withDeadlines(0.7),
  },
  {
    name: "a rung's window is too long",
    seed: 3,
    rules: ["window-overrun"],
    tampering: withDeadlines(1.3),
  },
  {
    name: "the rungs are not walked again",
    seed: 11,
    rules: ["window-overrun"],
    tampering: withLadder({ guards: { pauseOver: () => false } }),
  },
  {
    name: "nobody is sought on when the caller has left in vain",
    seed: 15,
    rules: ["not-followed-up"],
    patch: replaced(FollowUps.prototype, "begin", () => () => false),
  },
  {
    name: "a second yes makes a second owner",
    seed: 16,
    rules: ["two-owners"],
    // Nobody is hung up, and nobody is asked whose it is.
    tampering: withPages({ actions: { hangUp: nothing, tellThem: nothing } }),
    patch: () => {
      const undo = [
        replaced(Escalations.prototype, "legWanted", () => () => true)(),
        replaced(Escalations.prototype, "page", (real) => {
          return function (this: Escalations, callSid, label) {
            const page = real.call(this, callSid, label);
            return page?.standing === "taken" ? { ...page, standing: "yours" } : page;
          };
        })(),
      ];
      return () => {
        for (const each of undo) each();
      };
    },
  },
  {
    name: "somebody is paged after the ack",
    seed: 2,
    rules: ["paged-after-ack", "rung-twice"],
    tampering: withCarrier((carrier, clock) => ({
      createCall: async (input, signal) => {
        const made = await carrier.createCall(input, signal);
        void pause(clock, 4000).then(() => carrier.createCall({ ...input, to: "+15550103" }).catch(nothing));
        return made;
      },
    })),
  },
  {
    name: "what is not sent yet when somebody says yes is sent all the same",
    seed: 37,
    rules: ["paged-after-ack"],
    patch: replaced(PageEffects.prototype, "withdraw", () => nothing),
  },
  {
    name: "phones that are not to ring any more are not hung up",
    seed: 8,
    rules: ["rings-on", "kept-on-line"],
    tampering: withPages({ actions: { hangUp: nothing, tellThem: nothing } }),
  },
  {
    name: "a ladder is not told that its caller has left",
    seed: 58,
    rules: ["rings-for-nobody"],
    tampering: withLogic({ actions: { closeLadders: nothing } }),
  },
  {
    name: "the caller's leaving cancels no page",
    seed: 15,
    rules: ["rings-for-nobody"],
    tampering: withLadder({ actions: { closeAll: nothing } }),
  },
  {
    name: "a yes of an earlier rung is ignored",
    seed: 11,
    rules: ["ack-ignored"],
    tampering: withLadder({
      guards: { acked: ({ context }) => context.acks.some(({ rung }) => rung === context.incident.rung) },
    }),
  },
  {
    name: "whoever is rung in vain keeps it",
    seed: 89,
    rules: ["owner-out-of-reach"],
    tampering: withLadder({ guards: { ringOver: () => false } }),
  },
  {
    name: "looking at a link accepts",
    seed: 34,
    rules: ["answered-by-nobody", "owner-without-ack"],
    patch: replaced(AckPages.prototype, "handle", (real) => {
      return function (this: AckPages, request, url, address) {
        const taken = request.method === "GET" ? new Request(request.url, { method: "POST" }) : request;
        return real.call(this, taken, url, address);
      };
    }),
  },
  {
    name: "a reply is about the oldest incident",
    seed: 66,
    rules: ["wrong-incident"],
    patch: replaced(TextedPages.prototype, "to", (real) => {
      return function (this: TextedPages, number) {
        return real.call(this, number).toReversed();
      };
    }),
  },
  {
    name: "the code in a reply is not looked at",
    seed: 58,
    rules: ["answered-by-nobody", "ack-ignored", "wrong-incident"],
    patch: replaced(TextedPages.prototype, "to", (real) => {
      return function (this: TextedPages, number) {
        const texts = real.call(this, number);
        return texts.map((text) => ({ ...text, code: texts[0]?.code ?? "" }));
      };
    }),
  },
  {
    name: "people are told twice who has it",
    seed: 1,
    rules: ["told-twice"],
    tampering: withCarrier((carrier) => ({
      sendMessage: async (input) => {
        if (input.statusCallback === undefined) await carrier.sendMessage(input);
        return await carrier.sendMessage(input);
      },
    })),
  },
  {
    name: "a hold is never ended",
    seed: 163,
    rules: ["held-alone", "held-too-long"],
    tampering: withLogic({ actions: { unholdCaller: nothing, unholdAgain: nothing } }),
  },
];
