import { CarrierEffects, type CarrierEffect } from "../../../engine/call/effects.ts";
import { LegKeys } from "../../../engine/call/leg-keys.ts";
import { createUrls } from "../../../engine/call/urls.ts";
import type { Deployment } from "../../../engine/config/deployment.ts";
import type { CarrierErrorInit } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type {
  CallInfo,
  CallPatch,
  ParticipantInfo,
  ParticipantPatch,
  ParticipantRef,
} from "../../../engine/ports.ts";
import type { EffectInputs } from "../../../machines/context.ts";
import { FAKE_ACCOUNT, InstantCarrier } from "../../support/fake-ports.ts";
import { CALL_SID, CONFERENCE_SID, deploymentOf, START_MS } from "./support.ts";

export const ORIGIN = "https://voice.example";

/** Answers wrongly when told to. */
export class OddCarrier extends InstantCarrier {
  /** Every call is unknown: 404. */
  unknownCall = false;
  #shown: Partial<ParticipantInfo> | null = null;
  #error: Error | null = null;

  /** What every later answer to an update shows, whatever was asked for. */
  shows(shown: Partial<ParticipantInfo>): void {
    this.#shown = shown;
  }

  /** Every request fails from now on. */
  failAll(error: Error): void {
    this.#error = error;
    const fail = (): Promise<never> => Promise.reject(error);
    Object.assign(this, {
      createParticipant: fail,
      removeParticipant: fail,
      createCall: fail,
      endConference: fail,
      findConference: fail,
      listParticipants: fail,
    });
  }

  override async updateParticipant(ref: ParticipantRef, patch: ParticipantPatch): Promise<ParticipantInfo> {
    if (this.#error) throw this.#error;
    if (!this.#shown) return await super.updateParticipant(ref, patch);
    const none = { label: ref.participant, muted: false, hold: false, coaching: false, callSidToCoach: null };
    const head = { callSid: CALL_SID, conferenceSid: ref.conferenceSid, status: "connected" } as const;
    return { ...head, ...none, ...this.#shown };
  }

  override async updateCall(callSid: string, patch: CallPatch): Promise<CallInfo | null> {
    if (this.#error) throw this.#error;
    const answer = await super.updateCall(callSid, patch);
    return this.unknownCall ? null : answer;
  }

  override async fetchCall(callSid: string): Promise<CallInfo | null> {
    if (this.#error) throw this.#error;
    const answer = await super.fetchCall(callSid);
    return this.unknownCall ? null : answer;
  }
}

export function carrierError(init: Pick<CarrierErrorInit, "status" | "code">): CarrierErrorInit {
  return { retryable: false, ambiguous: false, operation: "test", ...init };
}

export function effectOf<N extends CarrierEffect["name"]>(name: N, input: EffectInputs[N]): CarrierEffect {
  return { type: "effect", id: "1", name, input } as unknown as CarrierEffect;
}

export function makeEffects({
  deployment = deploymentOf(),
  conferenceSid = CONFERENCE_SID as string | null,
}: { readonly deployment?: Deployment; readonly conferenceSid?: string | null } = {}) {
  const clock = new VirtualClock(START_MS);
  const carrier = new OddCarrier();
  const legKeys = new LegKeys("not-a-secret");
  const { number, twimlAppSid } = FAKE_ACCOUNT;
  const urls = createUrls(ORIGIN);
  const effects = new CarrierEffects({ carrier, clock, urls, legKeys, deployment, number, twimlAppSid });
  const facts = { callSid: CALL_SID, conferenceName: `af-${CALL_SID}`, conferenceSid };
  const run = <N extends CarrierEffect["name"]>(name: N, input: EffectInputs[N]) =>
    effects.run(effectOf(name, input), () => facts);
  return { carrier, clock, effects, legKeys, run };
}
