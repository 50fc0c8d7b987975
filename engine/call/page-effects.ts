/**
 * Carries out the effects of ladders and pages: rings, texts and pushes. Each answers once; retries of what is
 * safe to repeat are the adapters'.
 */
import type { Incident, PageEffect } from "../../machines/ladder.types.ts";
import type { Claims } from "../effects/claims.ts";
import { plainTurn, type Turn } from "../effects/journal.ts";
import { Lanes } from "../effects/lanes.ts";
import { lookForEnd, lookForRing, lookForText, ringNote } from "../effects/look.ts";
import { exactlyOnce } from "../effects/reconcile.ts";
import { CarrierError, EffectLostError, invariant } from "../errors.ts";
import { sayTwiml } from "../http/twiml.ts";
import type { Carrier, Clock } from "../ports.ts";
import type { PushSender } from "../push-port.ts";
import { answerOf, type EffectAnswer, type EffectFacts } from "./effect-answer.ts";
import { STATUS_EVENTS, hangUp } from "./effects.ts";
import type { PageView } from "./escalations-view.ts";
import { endingWords, pagedText, type PageWording, type Told } from "./page-wording.ts";
import type { Urls } from "./urls.ts";

export interface PageEffectsOptions {
  readonly carrier: Carrier;
  readonly pushes: PushSender;
  readonly clock: Clock;
  readonly urls: Urls;
  readonly wording: PageWording;
  /** What calls and texts are known to belong to an effect. */
  readonly claims: Claims;
  /** Our number, E.164: the From of every call and text. */
  readonly number: string;
  /** The link by which a page is acknowledged. */
  readonly ackUrl: (callSid: string, label: string) => string;
  readonly escalations: {
    page(callSid: string, label: string): PageView | null;
    code(callSid: string, incident: number): string;
    knownCode(callSid: string, incident: number): string | null;
    incidents(callSid: string): readonly Pick<Incident, "outcome">[];
    /** A text that pages goes out, or may have at `beforeMs`, wall clock: a reply may come at once. */
    texted(
      to: string,
      page: { callSid: string; label: string; incident: number },
      beforeMs: number | null,
    ): void;
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
type TellingEffect = Extract<PageEffect, { readonly name: "page.tell" | "ladder.tellPaged" }>;
interface PageOut {
  readonly label: string;
  readonly incident: number;
  readonly to: string;
}

/** How one effect is carried out: `signal` takes it back. */
interface How {
  readonly signal: AbortSignal;
  readonly turn: Turn;
}

interface Text {
  readonly to: string;
  readonly body: string;
  /** Of the incident that it names, if it does: whoever comes after this engine is to know what was read. */
  readonly code?: string;
}

/** A carrier that does not answer keeps nobody from being rung for longer. */
const MAX_RING_WAIT_MS = 3000;
const PAGES: ReadonlySet<string> = new Set(["page.call", "page.sms", "page.push"]);
/** What Twilio takes as ring time. */
const RING_S = { min: 5, max: 600 } as const;

export class PageEffects {
  readonly #options: PageEffectsOptions;
  /** Pages that may still be taken back, by call and label. */
  readonly #underWay = new Map<string, AbortController>();
  /**
   * By number. A ring is found again by its number alone: of two at once the first would be taken for the second,
   * and be hung up with it.
   */
  readonly #rings: Lanes;

  constructor(options: PageEffectsOptions) {
    this.#options = options;
    this.#rings = new Lanes(options.clock, MAX_RING_WAIT_MS);
  }

  /** Never rejects; `null` when nothing is answered. `ended` withdraws what has not been sent yet. */
  run(
    effect: PageEffect,
    facts: PageFacts,
    ended: AbortSignal,
    turn: Turn = plainTurn(this.#options.clock),
  ): Promise<EffectAnswer> | null {
    if (effect.name === "page.withdraw") {
      this.withdraw(facts.callSid, effect.input.label);
      return null;
    }
    const { clock } = this.#options;
    if (!PAGES.has(effect.name)) {
      return answerOf(effect, clock, () => this.#perform(effect, facts, { signal: ended, turn }));
    }
    const key = `${facts.callSid}/${(effect.input as PageOut).label}`;
    const own = new AbortController();
    this.#underWay.set(key, own);
    const signal = AbortSignal.any([ended, own.signal]);
    return answerOf(effect, clock, async () => {
      try {
        // The page asks in the middle of a step: the call knows of its incident when that is over.
        await Promise.resolve();
        return await this.#perform(effect, facts, { signal, turn });
      } finally {
        if (this.#underWay.get(key) === own) this.#underWay.delete(key);
      }
    });
  }

  /** Takes back a page that has not been sent, or not been sent again, yet. */
  withdraw(callSid: string, label: string): void {
    this.#underWay.get(`${callSid}/${label}`)?.abort();
  }

  async #perform(effect: AnsweredPageEffect, facts: PageFacts, how: How): Promise<EffectFacts> {
    const { wording } = this.#options;
    switch (effect.name) {
      case "page.call":
        return await this.#call(effect.input, facts, how);
      case "page.sms":
        return await this.#sms(effect.input, facts, how);
      case "page.push":
        return await this.#push(effect, facts, how);
      case "page.hangUp":
        return await this.#end(effect.input.callSid, null, how);
      case "page.tell":
        return await this.#end(effect.input.callSid, endingWords(this.#told(effect, facts)), how);
      case "ladder.tellPaged": {
        const code = this.#codeOf(effect.id, facts);
        const body = pagedText({ ...this.#told(effect, facts), code });
        return await this.#text({ to: effect.input.to, body }, facts, how);
      }
      case "ladder.tellCaller":
        return await this.#text({ to: facts.from, body: wording.callerText() }, facts, how);
    }
  }

  async #call({ label, to }: PageOut, facts: PageFacts, { signal, turn }: How): Promise<EffectFacts> {
    const { carrier, clock, claims, urls, number: from } = this.#options;
    const { callSid, ringTimeoutMs } = facts;
    const request = {
      to,
      from,
      url: urls.human(callSid, label),
      timeoutS: Math.min(RING_S.max, Math.max(RING_S.min, Math.ceil(ringTimeoutMs / 1000))),
      // A voicemail must never count as a person.
      machineDetection: "Enable",
      statusCallback: urls.legStatus(callSid, label),
      statusCallbackEvents: STATUS_EVENTS,
    } as const;
    const attempt = async (): Promise<EffectFacts> => {
      await turn.ready(ringNote(claims, turn, to));
      const made = await carrier.createCall(request, signal);
      claims.addRing(made.callSid, { to, atMs: clock.now() });
      return { callSid: made.callSid };
    };
    const page = `${callSid}/${label}`;
    const look = (): Promise<EffectFacts | null> =>
      lookForRing(carrier, claims, turn, { to, from, page, clock });
    try {
      const way = { clock, turn, attempt, look, repeats: true, signal };
      return await this.#rings.run(to, () => exactlyOnce(way));
    } catch (error) {
      // The phone may be ringing all the same: its own callbacks will tell, and name the call.
      const unknown = error instanceof EffectLostError || (error instanceof CarrierError && error.ambiguous);
      if (unknown) return { callSid: null };
      throw error;
    }
  }

  async #sms({ label, incident, to }: PageOut, facts: PageFacts, how: How): Promise<EffectFacts> {
    const { wording, escalations, ackUrl } = this.#options;
    const { callSid } = facts;
    const page = this.#view(callSid, label);
    const { signal, turn } = how;
    signal.throwIfAborted();
    // From now on a reply may be about it: not before, or it would be taken for one to a text that nobody has.
    const onSending = (beforeMs: number | null = null): void => {
      if (!signal.aborted) escalations.texted(to, { callSid, label, incident }, beforeMs);
    };
    // The engine before may have sent it.
    if (turn.request !== null) onSending(turn.sinceMs);
    const code = escalations.code(callSid, incident);
    const body = wording.sms(page, { code, ackUrl: ackUrl(callSid, label) });
    return await this.#text({ to, body, code }, facts, how, { label, onSending });
  }

  /** It may come twice: with the same `id`, by which a receiver can tell. */
  async #push(
    { id, input: { label, to: url } }: Extract<PageEffect, { readonly name: "page.push" }>,
    { callSid }: PageFacts,
    { signal, turn }: How,
  ): Promise<EffectFacts> {
    const { wording, pushes, ackUrl } = this.#options;
    const page = this.#view(callSid, label);
    const { title, body } = wording.push(page);
    const { urgency } = page;
    await turn.ready();
    const push = { id, title, body, callSid, urgency, ackUrl: ackUrl(callSid, label) };
    await pushes.send({ url, body: push }, signal);
    return {};
  }

  /** Ends a call, after a word if there is one. Who cannot be told is at least not kept on the line. */
  async #end(callSid: string, text: string | null, { turn }: How): Promise<EffectFacts> {
    const { carrier, clock } = this.#options;
    const attempt = async (): Promise<EffectFacts> => {
      await turn.ready();
      if (text === null) return await hangUp(carrier, callSid);
      try {
        await carrier.updateCall(callSid, { twiml: sayTwiml(text, "hangup") });
        return {};
      } catch {
        return await hangUp(carrier, callSid);
      }
    };
    const look = (): Promise<EffectFacts | null> => lookForEnd(carrier, callSid);
    return await exactlyOnce({ clock, turn, attempt, look, repeats: false });
  }

  /** What an engine before has worded is sent as it was: so it is known again. */
  async #text(
    worded: Text,
    facts: PageFacts,
    { signal, turn }: How,
    page?: { readonly label: string; readonly onSending: () => void },
  ): Promise<EffectFacts> {
    const { carrier, clock, claims, urls, number: from } = this.#options;
    const text = (turn.request as Text | null) ?? worded;
    const { to, body } = text;
    // Only of a page does anything depend on its arriving.
    const status = page && { statusCallback: urls.messageStatus(facts.callSid, page.label) };
    const attempt = async (): Promise<EffectFacts> => {
      await turn.ready({ ...text });
      page?.onSending();
      // A page is taken back while the carrier wants it later; whoever is told something is told it.
      const sent = await carrier.sendMessage({ to, from, body, ...status }, page && signal);
      claims.add(sent.messageSid);
      return {};
    };
    // What had not been worded yet has not been sent.
    const look = async (): Promise<EffectFacts | null> =>
      turn.resumed && turn.request === null
        ? null
        : await lookForText(carrier, claims, turn, { to, from, body });
    return await exactlyOnce({ clock, turn, attempt, look, repeats: true, signal });
  }

  /** An incident that was walked in vain goes on without the caller. */
  #told({ input: { why, by } }: TellingEffect, { callSid }: PageFacts): Told {
    const wanted = this.#options.escalations.incidents(callSid).at(-1)?.outcome === "exhausted";
    return { why, by, wanted };
  }

  /** Whoever was asked twice at once is to know which of the two it is about. */
  #codeOf(effectId: string, { callSid }: PageFacts): string | null {
    const incident = Number(effectId.split("/")[1]?.replace("ladder-", ""));
    return this.#options.escalations.knownCode(callSid, incident);
  }

  #view(callSid: string, label: string): PageView {
    const page = this.#options.escalations.page(callSid, label);
    invariant(page, "a page that is sent is known to its incident");
    return page;
  }
}
