/**
 * Carries out the call machine's effects on the carrier. Each answers once with `effect.done` or
 * `effect.failed`; retries of what is safe to repeat are the adapter's.
 */
import type { CallEffect } from "../../machines/context.ts";
import type { Deployment } from "../config/deployment.ts";
import { CarrierError } from "../errors.ts";
import { CONFERENCE_EVENTS, sayTwiml } from "../http/twiml.ts";
import { pause } from "../platform/clock.ts";
import type { Carrier, Clock, ParticipantInfo, ParticipantPatch } from "../ports.ts";
import { plainTurn, type Turn } from "../effects/journal.ts";
import { lookAtParticipant, lookForAbsence, lookForEnd, lookForLeg } from "../effects/look.ts";
import { exactlyOnce, type Sighting } from "../effects/reconcile.ts";
import { answerOf, type EffectAnswer, type EffectFacts } from "./effect-answer.ts";
import type { LegKeys } from "./leg-keys.ts";
import type { Urls } from "./urls.ts";

export type CarrierEffect = Extract<CallEffect, { readonly name: `carrier.${string}` }>;

export interface CarrierEffectsOptions {
  readonly carrier: Carrier;
  readonly clock: Clock;
  readonly urls: Urls;
  readonly legKeys: LegKeys;
  readonly deployment: Deployment;
  /** Our number, E.164: the From of every leg. */
  readonly number: string;
  readonly twimlAppSid: string;
}

/** What an effect must know of the call at the moment it runs. */
export interface CallFacts {
  readonly callSid: string;
  readonly conferenceName: string;
  readonly conferenceSid: string | null;
}

export const STATUS_EVENTS = ["initiated", "ringing", "answered", "completed"] as const;
/** To be done once more without a look. */
const HARMLESS: ReadonlySet<string> = new Set([
  "carrier.endOnLeave",
  "carrier.endConference",
  "carrier.apologise",
  "carrier.reconcile",
]);
const FIRST_AI = "ai-1";
const AI_RING_TIMEOUT_S = 15;
const APOLOGY_ATTEMPTS = 20;
const APOLOGY_PAUSE_MS = 250;
/** "Invalid call state": the call is over already. */
const NOT_IN_PROGRESS = 21_220;

export class CarrierEffects {
  readonly #options: CarrierEffectsOptions;
  /** The last change of each participant that is under way. */
  readonly #updates = new Map<string, Promise<void>>();

  constructor(options: CarrierEffectsOptions) {
    this.#options = options;
  }

  /** Never rejects. `signal` withdraws legs that have not been asked for yet. */
  run(
    effect: CarrierEffect,
    facts: () => CallFacts,
    signal?: AbortSignal,
    turn: Turn = plainTurn(this.#options.clock),
  ): Promise<EffectAnswer> {
    const { clock } = this.#options;
    const attempt = async (): Promise<EffectFacts> => {
      await turn.ready();
      return await this.#perform(effect, facts, signal);
    };
    const look = HARMLESS.has(effect.name) ? null : () => this.#look(effect, facts(), turn);
    const repeats = effect.name === "carrier.addAi";
    return answerOf(effect, clock, () => exactlyOnce({ clock, turn, attempt, look, repeats, signal }));
  }

  /** Whether it was done already: see engine/effects/look.ts. */
  async #look(effect: CarrierEffect, facts: CallFacts, turn: Turn): Promise<Sighting> {
    const { carrier, number: from } = this.#options;
    const { conferenceSid } = facts;
    const asSet = (label: string, isSet: (is: ParticipantInfo) => boolean): Promise<EffectFacts | null> =>
      lookAtParticipant(carrier, { conferenceSid, label }, isSet);
    switch (effect.name) {
      case "carrier.addAi": {
        const { label } = effect.input;
        return await lookForLeg(carrier, turn, { ...facts, label, to: this.#address(facts, label), from });
      }
      case "carrier.hold":
        return await asSet(effect.input.label, ({ hold }) => hold === effect.input.hold);
      case "carrier.mute":
        return await asSet(effect.input.label, ({ muted }) => muted === effect.input.muted);
      case "carrier.coach": {
        const { label, callSidToCoach } = effect.input;
        return await asSet(label, (is) => is.coaching && is.callSidToCoach === callSidToCoach);
      }
      case "carrier.uncoach":
        return await asSet(effect.input.label, ({ coaching }) => !coaching);
      case "carrier.remove":
        return await lookForAbsence(carrier, { conferenceSid, label: effect.input.label });
      case "carrier.hangUp":
        return await lookForEnd(carrier, effect.input.callSid);
      case "carrier.endOnLeave":
      case "carrier.endConference":
      case "carrier.apologise":
      case "carrier.reconcile":
        return null;
    }
  }

  /** No other leg has it. */
  #address({ callSid }: CallFacts, label: string): string {
    const { legKeys, twimlAppSid } = this.#options;
    return `app:${twimlAppSid}?session=${legKeys.issue(callSid, label)}`;
  }

  async #perform(effect: CarrierEffect, facts: () => CallFacts, signal?: AbortSignal): Promise<EffectFacts> {
    const { carrier } = this.#options;
    switch (effect.name) {
      case "carrier.addAi":
        return await this.#addAi(effect.input, facts(), signal);
      case "carrier.hold":
        return await this.#update(facts(), effect.input.label, { hold: effect.input.hold });
      case "carrier.mute":
        return await this.#update(facts(), effect.input.label, { muted: effect.input.muted });
      case "carrier.coach":
        return await this.#update(facts(), effect.input.label, {
          coaching: true,
          callSidToCoach: effect.input.callSidToCoach,
        });
      case "carrier.uncoach":
        return await this.#update(facts(), effect.input.label, { coaching: false });
      case "carrier.endOnLeave":
        return await this.#update(facts(), effect.input.label, { endConferenceOnExit: true });
      case "carrier.remove":
        await carrier.removeParticipant({ conferenceSid: sidOf(facts()), participant: effect.input.label });
        return {};
      case "carrier.hangUp":
        return await hangUp(carrier, effect.input.callSid);
      case "carrier.endConference":
        await carrier.endConference(effect.input.conferenceSid);
        return {};
      case "carrier.apologise":
        return await this.#apologise(effect.input.callSid);
      case "carrier.reconcile":
        return await this.#reconcile(facts());
    }
  }

  async #addAi(
    input: { readonly label: string; readonly muted: boolean },
    facts: CallFacts,
    signal?: AbortSignal,
  ): Promise<EffectFacts> {
    const { carrier, urls, deployment, number } = this.#options;
    const info = await carrier.createParticipant(
      {
        // The first goes by name: whether a conference of one counts as active under its sid is not documented.
        // Later ones go by sid, which fails when the room is gone, and does not open a new one.
        conference:
          input.label === FIRST_AI ? facts.conferenceName : (facts.conferenceSid ?? facts.conferenceName),
        to: this.#address(facts, input.label),
        from: number,
        label: input.label,
        muted: input.muted,
        beep: false,
        startConferenceOnEnter: true,
        endConferenceOnExit: false,
        jitterBufferSize: "small",
        region: deployment.region,
        ...(deployment.recording === "leg" ? { record: true } : {}),
        timeoutS: AI_RING_TIMEOUT_S,
        timeLimitS: Math.ceil(deployment.limits.maxCallMs / 1000),
        statusCallback: urls.legStatus(facts.callSid, input.label),
        statusCallbackEvents: STATUS_EVENTS,
        // The first participant's callback counts; the same on every create does no harm.
        conferenceStatusCallback: urls.conferenceCallback(facts.callSid),
        conferenceStatusCallbackEvents: CONFERENCE_EVENTS.split(" "),
      },
      signal,
    );
    return { callSid: info.callSid, conferenceSid: info.conferenceSid };
  }

  /**
   * One change of a participant at a time: a repeated request must not undo a later one, or a mute that was
   * retried would silence the AI for good.
   */
  async #update(facts: CallFacts, label: string, patch: ParticipantPatch): Promise<EffectFacts> {
    const key = `${facts.callSid}/${label}`;
    const before = this.#updates.get(key) ?? Promise.resolve();
    const turn = before.then(() => this.#updateNow(facts, label, patch));
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#updates.set(key, settled);
    try {
      return await turn;
    } finally {
      if (this.#updates.get(key) === settled) this.#updates.delete(key);
    }
  }

  async #updateNow(facts: CallFacts, label: string, patch: ParticipantPatch): Promise<EffectFacts> {
    const info = await this.#options.carrier.updateParticipant(
      { conferenceSid: sidOf(facts), participant: label },
      patch,
    );
    // A 200 that does not show what was asked for is no confirmation.
    const wrong =
      (patch.muted !== undefined && info.muted !== patch.muted) ||
      (patch.hold !== undefined && info.hold !== patch.hold) ||
      (patch.coaching !== undefined && info.coaching !== patch.coaching) ||
      (patch.callSidToCoach !== undefined &&
        info.callSidToCoach !== null &&
        info.callSidToCoach !== patch.callSidToCoach);
    if (!wrong) return {};
    throw new CarrierError("the carrier's answer does not show the change", {
      status: 200,
      code: 0,
      retryable: false,
      ambiguous: true,
      operation: "updateParticipant",
    });
  }

  /** A call can be redirected only once it is answered, which may be a moment away. */
  async #apologise(callSid: string): Promise<EffectFacts> {
    const { carrier, deployment, urls } = this.#options;
    const twiml = sayTwiml(deployment.agent.apology, { redirect: urls.goodbye(callSid) });
    for (let attempt = 1; ; attempt++) {
      try {
        if ((await carrier.updateCall(callSid, { twiml })) === null) throw gone("updateCall");
        return {};
      } catch (error) {
        // Saying sorry twice does no harm; not saying it leaves somebody in silence.
        const again = error instanceof CarrierError && (error.code === NOT_IN_PROGRESS || error.retryable);
        if (!again || attempt === APOLOGY_ATTEMPTS) throw error;
        await pause(this.#options.clock, APOLOGY_PAUSE_MS);
      }
    }
  }

  async #reconcile(facts: CallFacts): Promise<EffectFacts> {
    const { carrier } = this.#options;
    const [call, conferenceSid] = await Promise.all([
      carrier.fetchCall(facts.callSid),
      facts.conferenceSid ?? carrier.findConference(facts.conferenceName),
    ]);
    const participants = conferenceSid === null ? [] : await carrier.listParticipants(conferenceSid);
    const callerAlive = call !== null && (call.status === "in-progress" || call.status === "ringing");
    return {
      conferenceSid,
      participants: participants.map(({ label, callSid }) => ({ label, callSid })),
      callerAlive,
    };
  }
}

/** Ends a call, in whatever state it is. */
export async function hangUp(carrier: Carrier, callSid: string): Promise<EffectFacts> {
  try {
    await carrier.updateCall(callSid, { status: "completed" });
  } catch (error) {
    if (!(error instanceof CarrierError) || error.code !== NOT_IN_PROGRESS) throw error;
  }
  return {};
}

function sidOf(facts: CallFacts): string {
  if (facts.conferenceSid === null) throw gone("conference");
  return facts.conferenceSid;
}

function gone(operation: string): CarrierError {
  return new CarrierError("not there (any more)", {
    status: 404,
    code: 20_404,
    retryable: false,
    ambiguous: false,
    operation,
  });
}
