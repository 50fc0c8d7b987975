/**
 * Deliberate bugs: each is put into the engine from outside, by other guards, actions and ports, or in place of
 * one method, and must be found by the rules. Those of ladders are in `ladder-mutants.ts`.
 */
import { Bridge } from "../../engine/media/bridge.ts";
import { PlayoutClock } from "../../engine/media/playout-clock.ts";
import type { CallRow, CreateCall } from "../../engine/ports.ts";
import { type Mutant, nothing, replaced, withCarrier, withLogic, withStore } from "./tamper.ts";

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
    seed: 9,
    rules: ["speaks-between-roles", "coach-heard"],
    patch: replaced(Bridge.prototype, "setGate", () => nothing),
  },
  {
    name: "the gate opens before the role is confirmed",
    seed: 12,
    rules: ["speaks-between-roles", "coach-heard", "whisper-unlocked"],
    tampering: withLogic({ guards: { isAgent: () => true, aiUnmuted: () => true } }),
  },
  {
    name: "the AI is not muted before it becomes the coach",
    seed: 2,
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
    seed: 2,
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
    seed: 3,
    rules: ["left-alone"],
    tampering: withLogic({
      guards: {
        humanJoined: ({ context }) => context.incidents.length > 0,
        humanGone: () => false,
      },
    }),
  },
  {
    name: "two people are let in",
    seed: 2,
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
    seed: 24,
    rules: ["voicemail-in-room"],
    tampering: withCarrier((carrier) => ({
      createCall: async (input, signal) => {
        const { url: _url, machineDetection: _detection, ...rest } = input;
        return await carrier.createCall({ ...rest, twiml: joinAtOnce(conferenceOf(input)) }, signal);
      },
    })),
  },
  {
    name: "the row of a call that has ended is written anew",
    seed: 1,
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
    seed: 1,
    rules: ["no-row"],
    tampering: withStore((store) => ({
      saveCall: (row: CallRow) => {
        if (row.endedAt === null) store.saveCall(row);
      },
    })),
  },
  {
    name: "what was asked of the carrier is not always logged",
    seed: 5,
    rules: ["replays-otherwise"],
    tampering: withStore((store) => ({
      appendEvents: (entries) => {
        store.appendEvents(entries.filter(({ kind, name }) => kind !== "effect" || name !== "page.hangUp"));
      },
    })),
  },
  {
    name: "more is reported as heard than was",
    seed: 5,
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
    seed: 3,
    rules: ["confirmed-unheard"],
    patch: replaced(PlayoutClock.prototype, "heardWhenClearedRange", () => () => ({
      low: 0,
      position: 0,
      high: 0,
    })),
  },
];
