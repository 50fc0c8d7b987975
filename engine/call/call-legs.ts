/** What of a call's legs others ask for. Pure. */
import type { SnapshotFrom } from "xstate";
import type { callMachine } from "../../machines/call.machine.ts";
import type { CallContext } from "../../machines/context.ts";
import type { MediaLeg } from "../media/leg.ts";
import { type LegUp, pageLegs } from "./page-legs.ts";

/** The carrier has begun to stream the audio of an AI leg. */
export interface StreamUp {
  readonly label: string;
  readonly streamSid: string;
  readonly streamCallSid: string;
  readonly leg: MediaLeg;
}

export interface StreamDown {
  readonly label: string;
  readonly streamSid: string;
  readonly reason: "stop" | "socket" | "replaced" | "error";
}

type CallSnapshot = SnapshotFrom<typeof callMachine>;

/** Labels of the AI legs that may still be up. */
export function aiLabelsIn({ legs }: CallContext): readonly string[] {
  const up = Object.values(legs).filter(({ kind, status }) => kind === "ai" && status !== "left");
  return up.map(({ label }) => label);
}

/** Where the AI is not to come back. */
const AWAY = ["leaving", "gone", "awaiting", "parting", "overtime"] as const;

/** The AI leg that is wanted now, or null when the call wants none (any more). */
export function wantedAiLabelIn(snapshot: CallSnapshot): string | null {
  const { aiLabel, endReason, legs } = snapshot.context;
  if (endReason !== null || aiLabel === null || legs[aiLabel]?.status === "left") return null;
  const away = AWAY.some((state) => snapshot.matches({ removed: state }));
  return away ? null : aiLabel;
}

/** Label of one of our legs by its call sid. */
export function labelIn({ legs }: CallContext, callSid: string): string | null {
  return Object.values(legs).find((leg) => leg.callSid === callSid)?.label ?? null;
}

/** Whether this is the leg of a person who is, or is to come, in the room. */
export function isWantedIn({ legs }: CallContext, label: string): boolean {
  const leg = legs[label];
  return leg?.kind === "human" && leg.status !== "left" && !leg.unwanted;
}

/** Every leg and every page that may be up, as far as is known. */
export function legsUpIn({ context, children }: CallSnapshot): readonly LegUp[] {
  const legs = Object.values(context.legs).flatMap(({ label, callSid, status }) =>
    callSid === null || status === "left" ? [] : [{ label, callSid }],
  );
  return [...legs, ...pageLegs(children)];
}
