/**
 * Carries out the effects of ladders and pages: rings, texts and pushes. Each answers once; retries of what is
 * safe to repeat are the adapters'.
 */
import type { PageEffect } from "../../machines/ladder.types.ts";
import { CarrierError, invariant } from "../errors.ts";
import { sayTwiml } from "../http/twiml.ts";
import type { Carrier, Clock } from "../ports.ts";
import type { PushSender } from "../push-port.ts";
import { answerOf, type EffectAnswer, type EffectFacts } from "./effect-answer.ts";
import { STATUS_EVENTS, hangUp } from "./effects.ts";
import type { PageView } from "./escalations-view.ts";
import { endingWords, pagedText, type PageWording } from "./page-wording.ts";
import type { Urls } from "./urls.ts";

export interface PageEffectsOptions {
  readonly carrier: Carrier;
  readonly pushes: PushSender;
  readonly clock: Clock;
  readonly urls: Urls;
  readonly wording: PageWording;
  /** Our number, E.164: the From of every call and text. */
  readonly number: string;
  /** The link by which a page is acknowledged. */
  readonly ackUrl: (callSid: string, label: string) => string;
  readonly escalations: {
    page(callSid: string, label: string): PageView | null;
    code(callSid: string, incident: number): string;
    /** A text that pages goes out: a reply may come at once. */
    texted(to: string, page: { callSid: string; label: string; incident: number }): void;
  };
}

/** What an effect must know of its call. */
export interface PageFacts {
  readonly callSid: string;
  readonly ringTimeoutMs: number;
  /** The caller's number, or whatever else the carrier calls them. */
  readonly from: string;
}

type AnsweredPageEffect = Exclude<PageEffect, { readonly name: "page.withdraw" }>;
interface PageOut {
  readonly label: string;
  readonly incident: number;
  readonly to: string;
}

const PAGES: ReadonlySet<string> = new Set(["page.call", "page.sms", "page.push"]);
/** What Twilio takes as ring time. */
const RING_S = { min: 5, max: 600 } as const;

export class PageEffects {
  readonly #options: PageEffectsOptions;
  /** Pages that may still be taken back, by call and label. */
  readonly #underWay = new Map<string, AbortController>();

  constructor(options: PageEffectsOptions) {
    this.#options = options;
  }

  /** Never rejects; `null` when nothing is answered. `ended` withdraws what has not been sent yet. */
  run(effect: PageEffect, facts: PageFacts, ended: AbortSignal): Promise<EffectAnswer> | null {
    if (effect.name === "page.withdraw") {
      this.withdraw(facts.callSid, effect.input.label);
      return null;
    }
    const { clock } = this.#options;
    if (!PAGES.has(effect.name)) return answerOf(effect, clock, () => this.#perform(effect, facts, ended));
    const key = `${facts.callSid}/${(effect.input as PageOut).label}`;
    const own = new AbortController();
    this.#underWay.set(key, own);
    const signal = AbortSignal.any([ended, own.signal]);
    return answerOf(effect, clock, async () => {
      try {
        // The page asks in the middle of a step: the call knows of its incident when that is over.
        await Promise.resolve();
        return await this.#perform(effect, facts, signal);
      } finally {
        if (this.#underWay.get(key) === own) this.#underWay.delete(key);
      }
    });
  }

  /** Takes back a page that has not been sent, or not been sent again, yet. */
  withdraw(callSid: string, label: string): void {
    this.#underWay.get(`${callSid}/${label}`)?.abort();
  }

  async #perform(effect: AnsweredPageEffect, facts: PageFacts, signal: AbortSignal): Promise<EffectFacts> {
    const { carrier, wording } = this.#options;
    switch (effect.name) {
      case "page.call":
        return await this.#call(effect.input, facts, signal);
      case "page.sms":
        return await this.#sms(effect.input, facts, signal);
      case "page.push":
        return await this.#push(effect.input, facts, signal);
      case "page.hangUp":
        return await hangUp(carrier, effect.input.callSid);
      case "page.tell":
        return await this.#tell(effect.input.callSid, endingWords(effect.input.why, effect.input.by));
      case "ladder.tellPaged":
        return await this.#text(effect.input.to, pagedText(effect.input.why, effect.input.by));
      case "ladder.tellCaller":
        return await this.#text(facts.from, wording.callerText());
    }
  }

  async #call({ label, to }: PageOut, facts: PageFacts, signal: AbortSignal): Promise<EffectFacts> {
    const { carrier, urls, number } = this.#options;
    const { callSid, ringTimeoutMs } = facts;
    const request = {
      to,
      from: number,
      url: urls.human(callSid, label),
      timeoutS: Math.min(RING_S.max, Math.max(RING_S.min, Math.ceil(ringTimeoutMs / 1000))),
      // A voicemail must never count as a person.
      machineDetection: "Enable",
      statusCallback: urls.legStatus(callSid, label),
      statusCallbackEvents: STATUS_EVENTS,
    } as const;
    try {
      return { callSid: (await carrier.createCall(request, signal)).callSid };
    } catch (error) {
      // The phone may be ringing all the same: its own callbacks will tell, and name the call.
      if (error instanceof CarrierError && error.ambiguous) return { callSid: null };
      throw error;
    }
  }

  async #sms(
    { label, incident, to }: PageOut,
    { callSid }: PageFacts,
    signal: AbortSignal,
  ): Promise<EffectFacts> {
    const { carrier, urls, number, wording, escalations, ackUrl } = this.#options;
    const page = this.#view(callSid, label);
    signal.throwIfAborted();
    escalations.texted(to, { callSid, label, incident });
    const code = escalations.code(callSid, incident);
    const body = wording.sms(page, { code, ackUrl: ackUrl(callSid, label) });
    const statusCallback = urls.messageStatus(callSid, label);
    await carrier.sendMessage({ to, from: number, body, statusCallback }, signal);
    return {};
  }

  async #push(
    { label, to: url }: PageOut,
    { callSid }: PageFacts,
    signal: AbortSignal,
  ): Promise<EffectFacts> {
    const { wording, pushes, ackUrl } = this.#options;
    const page = this.#view(callSid, label);
    const { title, body } = wording.push(page);
    const { urgency } = page;
    await pushes.send(
      { url, body: { title, body, callSid, urgency, ackUrl: ackUrl(callSid, label) } },
      signal,
    );
    return {};
  }

  /** Who cannot be told is at least not kept on the line. */
  async #tell(callSid: string, text: string): Promise<EffectFacts> {
    const { carrier } = this.#options;
    try {
      await carrier.updateCall(callSid, { twiml: sayTwiml(text, "hangup") });
      return {};
    } catch {
      return await hangUp(carrier, callSid);
    }
  }

  /** Nothing depends on its arriving. */
  async #text(to: string, body: string): Promise<EffectFacts> {
    const { carrier, number } = this.#options;
    await carrier.sendMessage({ to, from: number, body });
    return {};
  }

  #view(callSid: string, label: string): PageView {
    const page = this.#options.escalations.page(callSid, label);
    invariant(page, "a page that is sent is known to its incident");
    return page;
  }
}
