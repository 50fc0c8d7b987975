/**
 * Deliberate bugs: each is put into the engine from outside, by other guards, actions and ports, or in place of
 * one method, and must be found by the rules of `invariants.ts`.
 */
import { type CallLogic, callLogicOn } from "../../engine/call/deadline.ts";
import type { EngineOptions } from "../../engine/engine.ts";
import { Bridge } from "../../engine/media/bridge.ts";
import { PlayoutClock } from "../../engine/media/playout-clock.ts";
import type { CallRow, Carrier, Clock, CreateCall, Store } from "../../engine/ports.ts";
import { ladderMachine } from "../../machines/ladder.machine.ts";
import { pause } from "../../engine/platform/clock.ts";
import type { Tampering } from "./world.ts";

export interface Mutant {
  readonly name: string;
  /** Rules of which at least one must be broken. */
  readonly rules: readonly string[];
  readonly tampering?: Tampering;
  /** Changes what cannot be handed in; the result undoes it. */
  readonly patch?: () => () => void;
}

type Provided = Parameters<CallLogic["provide"]>[0];

type LadderLogic = typeof ladderMachine;
type LadderProvided = Parameters<LadderLogic["provide"]>[0];

const withLogic = (provided: Provided): Tampering => ({
  logic: (clock) => callLogicOn(clock).provide(provided),
});

/** The call's ladders with other guards and actions. */
const withLadder = (provided: LadderProvided): Tampering => ({
  logic: (clock) => {
    const logic = callLogicOn(clock);
    const { ladder } = logic.implementations.actors as { readonly ladder: LadderLogic };
    return logic.provide({ actors: { ladder: ladder.provide(provided) } });
  },
});

const withCarrier = (change: (carrier: Carrier, clock: Clock) => Partial<Carrier>): Tampering => ({
  engine: (options) => ({
    ...options,
    carrier: inPlaceOf(options.carrier, change(options.carrier, options.clock)),
  }),
});

const withStore = (change: (store: Store) => Partial<Store>): Tampering => ({
  engine: (options: EngineOptions) => ({
    ...options,
    store: inPlaceOf(options.store, change(options.store)),
  }),
});

/** The same object with some methods replaced. */
function inPlaceOf<T extends object>(real: T, changes: Partial<T>): T {
  return new Proxy(real, {
    get: (target, name) => {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

function replaced<T extends object, K extends keyof T>(prototype: T, name: K, make: (real: T[K]) => T[K]) {
  return () => {
    const real = prototype[name];
    prototype[name] = make(real);
    return () => {
      prototype[name] = real;
    };
  };
}

const nothing = (): void => undefined;

/** Straight into the room, whoever or whatever picks up. */
const joinAtOnce = (conference: string): string =>
  `<Response><Dial><Conference endConferenceOnExit="false" beep="false">${conference}</Conference></Dial></Response>`;

/** The conference that a page's URL leads to. */
function conferenceOf(input: CreateCall): string {
  return `af-${new URL(input.url ?? "http://127.0.0.1/").searchParams.get("call")}`;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "the gate never closes",
    rules: ["speaks-between-roles", "coach-heard"],
    patch: replaced(Bridge.prototype, "setGate", () => nothing),
  },
  {
    name: "the gate opens before the role is confirmed",
    rules: ["speaks-between-roles", "coach-heard", "whisper-unlocked"],
    tampering: withLogic({ guards: { isAgent: () => true, aiUnmuted: () => true } }),
  },
  {
    name: "the AI is not muted before it becomes the coach",
    rules: ["role-before-mute", "whisper-unlocked", "coach-heard"],
    tampering: withCarrier((carrier) => ({
      updateParticipant: async (ref, patch) => {
        if (patch.muted !== true) return await carrier.updateParticipant(ref, patch);
        const seen = await carrier.fetchParticipant(ref);
        return { ...(seen ?? (await carrier.updateParticipant(ref, patch))), muted: true };
      },
    })),
  },
  {
    name: "the AI is unmuted as a coach whom the carrier knows nothing of",
    rules: ["whisper-unlocked", "coach-heard"],
    tampering: withCarrier((carrier) => ({
      updateParticipant: async (ref, patch) => {
        if (patch.coaching !== true) return await carrier.updateParticipant(ref, patch);
        const seen = await carrier.fetchParticipant(ref);
        const { callSidToCoach = null } = patch;
        return { ...(seen ?? (await carrier.updateParticipant(ref, patch))), coaching: true, callSidToCoach };
      },
    })),
  },
  {
    name: "the AI leaves the caller before the human has joined",
    rules: ["left-in-silence"],
    tampering: withLogic({
      guards: {
        humanJoined: ({ context }) => context.humanLabel !== null,
      },
    }),
  },
  {
    name: "a rung's window never closes",
    rules: ["rings-on"],
    tampering: withLadder({ guards: { windowOver: () => false } }),
  },
  {
    name: "somebody is paged after the ack",
    rules: ["paged-after-ack", "two-owners"],
    tampering: withCarrier((carrier, clock) => ({
      createCall: async (input, signal) => {
        const made = await carrier.createCall(input, signal);
        void pause(clock, 15_000).then(() =>
          carrier.createCall({ ...input, to: "+15550102" }).catch(nothing),
        );
        return made;
      },
    })),
  },
  {
    name: "two people are let in",
    rules: ["two-owners"],
    tampering: withCarrier((carrier) => ({
      createCall: async (input, signal) => {
        const { url: _url, machineDetection: _detection, ...rest } = input;
        const twiml = joinAtOnce(conferenceOf(input));
        await carrier.createCall({ ...rest, to: "+15550101", twiml }, signal);
        return await carrier.createCall({ ...rest, to: "+15550102", twiml }, signal);
      },
    })),
  },
  {
    name: "picking up counts as an ack, of a voicemail too",
    rules: ["voicemail-in-room"],
    tampering: withCarrier((carrier) => ({
      createCall: async (input, signal) => {
        const { url: _url, machineDetection: _detection, ...rest } = input;
        return await carrier.createCall({ ...rest, twiml: joinAtOnce(conferenceOf(input)) }, signal);
      },
    })),
  },
  {
    name: "a ladder is not told that its caller has left",
    rules: ["rings-on", "rings-for-nobody"],
    tampering: withLogic({ actions: { closeLadders: nothing } }),
  },
  {
    name: "the caller's leaving cancels no page",
    rules: ["rings-on", "rings-for-nobody", "left-behind", "not-ended"],
    tampering: withLadder({ actions: { closeAll: nothing } }),
  },
  {
    name: "legs are not hung up",
    rules: ["rings-on", "rings-for-nobody", "left-behind", "not-ended"],
    tampering: withCarrier((carrier) => ({
      updateCall: async (callSid, patch) =>
        patch.status === undefined
          ? await carrier.updateCall(callSid, patch)
          : await carrier.fetchCall(callSid),
    })),
  },
  {
    name: "the row of a call that has ended is written anew",
    rules: ["second-row"],
    tampering: withStore((store) => ({
      saveCall: (row) => {
        store.saveCall(row);
        if (row.endedAt !== null) store.saveCall({ ...row, endReason: "internal_error" });
      },
    })),
  },
  {
    name: "the last row is never saved",
    rules: ["no-row"],
    tampering: withStore((store) => ({
      saveCall: (row: CallRow) => {
        if (row.endedAt === null) store.saveCall(row);
      },
    })),
  },
  {
    name: "more is reported as heard than was",
    rules: ["heard-unsent", "heard-wrong"],
    patch: replaced(PlayoutClock.prototype, "heardWhenClearedRange", (real) => {
      return function (this: PlayoutClock, nowMs: number) {
        const range = real.call(this, nowMs);
        return { ...range, position: range.position + 8000, high: range.high + 8000 };
      };
    }),
  },
  {
    name: "a cut is reported as if nothing of it had been heard",
    rules: ["confirmed-unheard"],
    patch: replaced(PlayoutClock.prototype, "heardWhenClearedRange", () => () => ({
      low: 0,
      position: 0,
      high: 0,
    })),
  },
];
