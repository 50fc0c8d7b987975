/**
 * What must hold of every incident (design §9, 2): one owner at most, who has said yes themselves; windows kept;
 * no page after the ack; no yes ignored; an end in any case.
 */
import type { AuditEntry, CallRow } from "../../engine/ports.ts";
import type { PageResult } from "../../machines/ladder.types.ts";
import { cancelMs, type Court, lastedMs } from "./court.ts";
import type { SentRequest } from "./network.ts";
import { Answers, replyOf } from "./answers.ts";
import {
  type Facts,
  type IncidentSeen,
  isOpen,
  isSamePage,
  isUnmet,
  isUnowned,
  type Owner,
} from "./incident-seen.ts";
import { grantIn, isSameIncident, legIn, pageRequestIn, Pages, type PageSeen } from "./pages.ts";

/** What a deadline may be late by. */
const DEADLINE_SLACK_MS = 50;
/** The same in worlds in which engines end; one that passed while none was there is late by this from its return. */
const RETURN_SLACK_MS = 1000;
/** How long a phone rings. */
const RING_MS = 5000;
/** The longest that anything takes while somebody is asked, rung or on the way: the sum of all limits. */
const MAX_STANDSTILL_MS = 150_000;

export class IncidentRules {
  readonly pages = new Pages();
  readonly #court: Court;
  readonly #incidents = new Map<string, IncidentSeen>();
  /** Calls that have ended, but are followed up. */
  readonly #followed = new Set<string>();
  readonly #over = new Set<string>();
  /** Calls whose logs are full: what comes after is not in them. */
  readonly #untold = new Set<string>();
  /** Callers who have left, and when. */
  readonly #left = new Map<string, number>();
  /** How often each number was told by text how an incident went. */
  readonly #told = new Map<string, number>();
  readonly #answers = new Answers();

  constructor(court: Court) {
    this.#court = court;
  }

  get following(): boolean {
    return this.#followed.size > 0;
  }

  of(callSid: string, number: number): IncidentSeen | null {
    return this.#incidents.get(`${callSid}/${number}`) ?? null;
  }

  /** What a text or link is about: its incident, or what follows that when its caller is gone. */
  #about({ callSid, incident, channel }: PageSeen): IncidentSeen | null {
    const own = this.of(callSid, incident);
    const next = own && channel !== "voice" && isUnmet(own) ? this.of(callSid, incident + 1) : null;
    return next?.followUp === true ? next : own;
  }

  /** The page, and those of the call that it goes on from: their texts and links may stand for it. */
  #asked(page: PageSeen): readonly PageSeen[] {
    const { callSid, incident, channel, contact } = page;
    const followed = channel !== "voice" && this.of(callSid, incident)?.followUp === true;
    const before = followed ? (this.of(callSid, incident - 1)?.pages ?? []) : [];
    return [page, ...before.filter((each) => each.channel === channel && each.contact === contact)];
  }

  #saidYes = (page: PageSeen): boolean => this.#asked(page).some((each) => this.#answers.saidYes(each));
  #saidNo = (page: PageSeen): boolean => this.#asked(page).some((each) => this.#answers.saidNo(each));

  ofCall(callSid: string): readonly IncidentSeen[] {
    return [...this.#incidents.values()].filter((each) => each.callSid === callSid);
  }

  audit({ kind, name, callSid, data }: AuditEntry): void {
    if (kind === "state" && name === "incident" && !this.#untold.has(callSid))
      this.#changed(callSid, data as unknown as Facts);
    else if (kind === "note") this.#noted(callSid, name);
    else if (kind === "event" && (name === "page.acknowledged" || name === "page.declined")) {
      const page = this.pages.get(callSid, String(data["label"]));
      if (page) this.#answered(page, name === "page.acknowledged" ? "acknowledged" : "declined");
    }
  }

  callerLeft(callSid: string): void {
    if (!this.#left.has(callSid)) this.#left.set(callSid, this.#court.nowMs);
  }

  texted(number: string, body: string): void {
    this.#answers.replied(number, body);
  }

  /** The engine sends a request, or a person uses a link. */
  sent(request: SentRequest): void {
    if (request.method === "POST" && request.url.includes("/ack/")) {
      const { callSid, label } = grantIn(request.url);
      const page = this.pages.get(callSid, label);
      if (page) page[request.body.includes("decline=1") ? "declines" : "accepts"]++;
      return;
    }
    const asked = pageRequestIn(request);
    const page = asked && this.pages.get(asked.callSid, asked.label);
    const incident = page && this.of(page.callSid, page.incident);
    if (!asked || !page || !incident) return;
    if (asked.to !== null) this.pages.foundNumber(page, asked.to);
    if (page.channel === "sms") this.#answers.asked(page, asked.code, this.#court.nowMs);
    const { owner, phase } = incident.facts;
    // Who said yes by text or link is rung.
    const bringsOwner = owner?.contact === page.contact && page.channel === "voice";
    if (owner !== null && !bringsOwner) this.#court.violate("paged-after-ack", page.label);
    if (phase === "over") this.#court.violate("paged-after-end", page.label);
  }

  /** A request of a person's has taken effect: nobody who says yes is ignored. */
  handled({ method, url, body }: SentRequest, status: number): void {
    if (method !== "POST") return;
    if (url.endsWith("/Messages.json")) this.#textSent(new URLSearchParams(body), status);
    if (url.includes("/ack/")) this.#linkUsed(url, body, status);
    else if (url.includes("/twilio/sms")) this.#replyTaken(new URLSearchParams(body));
    else if (url.includes("/twilio/human-key")) this.#keyTaken(url, new URLSearchParams(body));
  }

  /** One text at most, for each that pages them, to whoever was paged by text. */
  #textSent(form: URLSearchParams, status: number): void {
    const to = form.get("To") ?? "";
    const tells = /handled by|has hung up|was cut off|called off/.test(form.get("Body") ?? "");
    if (status !== 201 || form.has("StatusCallback") || !tells) return;
    const told = (this.#told.get(to) ?? 0) + 1;
    this.#told.set(to, told);
    if (told > this.#answers.textsTo(to).length) this.#court.violate("told-twice", to);
  }

  // ------------------------------------------------------------------ what the engine says

  #noted(callSid: string, name: string): void {
    if (name === "call.ended") this.#over.add(callSid);
    if (name === "follow_up.begun") this.#followed.add(callSid);
    if (name === "log.full") this.#loseSightOf(callSid);
    if (name === "follow_up.ended" || name === "follow_up.stopped") this.#followed.delete(callSid);
  }

  #loseSightOf(callSid: string): void {
    this.#court.reached("log full");
    this.#untold.add(callSid);
    for (const { number } of this.ofCall(callSid)) this.#incidents.delete(`${callSid}/${number}`);
    this.pages.forget(callSid);
  }

  #changed(callSid: string, facts: Facts): void {
    const { nowMs } = this.#court;
    const key = `${callSid}/${facts.number}`;
    const before = this.#incidents.get(key);
    const incident: IncidentSeen = before ?? {
      callSid,
      number: facts.number,
      followUp: this.#over.has(callSid),
      facts,
      sinceMs: nowMs,
      ownedMs: nowMs,
      pages: [],
      letIn: new Set(),
    };
    this.#incidents.set(key, incident);
    const old = incident.facts;
    for (const page of facts.pages) this.#pageChanged(incident, page, facts);
    if (before) this.#checkStep(incident, old, facts);
    incident.facts = facts;
    const moved = old.phase !== facts.phase || old.walk !== facts.walk || old.rung !== facts.rung;
    if (moved) incident.sinceMs = nowMs;
    if (old.owner?.contact !== facts.owner?.contact) incident.ownedMs = nowMs;
    if (facts.owner && old.owner?.contact !== facts.owner.contact) this.#checkOwner(incident, facts.owner);
    this.#court.reached(`incident ${facts.phase}${incident.followUp ? " after the call" : ""}`);
  }

  #pageChanged(incident: IncidentSeen, page: Facts["pages"][number], facts: Facts): void {
    const { callSid, number } = incident;
    const { nowMs } = this.#court;
    let seen = this.pages.get(callSid, page.label);
    if (!seen) {
      const { walk, rung } = facts;
      const to = this.pages.numberOf(page);
      const unsent = { sinceMs: nowMs, to, leg: null, accepts: 0, declines: 0 };
      if (page.purpose === "page" && incident.pages.some((each) => isSamePage(each, page, facts)))
        this.#court.violate("paged-again", page.label);
      seen = { ...page, callSid, incident: number, walk, rung, resultMs: nowMs, ...unsent };
      this.pages.add(seen);
      incident.pages.push(seen);
    }
    seen.result = page.result;
    seen.resultMs = nowMs;
    if (page.result === null) return;
    this.#court.reached(`page ${page.channel} ${page.result}`);
    this.#checkResult(seen, page.result);
  }

  #checkResult(page: PageSeen, result: PageResult): void {
    const { leg } = page;
    const wrong = (): void => this.#court.violate("wrong-result", `${page.label} ${result}`);
    if (result === "voicemail" && leg?.machine !== true) wrong();
    if (result === "busy" && leg?.status !== "busy") wrong();
    if (result === "declined" && !this.#saidNo(page)) wrong();
    if (result === "acknowledged" && !this.#saidYes(page)) wrong();
    const { plan, nowMs } = this.#court;
    // Of a page whose engine was away for as long as it rings nobody knows how it went.
    const outlived = plan.crashes !== undefined && nowMs - page.sinceMs >= RING_MS;
    if (result === "failed" && plan.faults.length === 0 && !outlived) wrong();
  }

  /** A text or push is answered only by somebody, and a text without a code is about the newest that is open. */
  #answered(page: PageSeen, answer: "acknowledged" | "declined"): void {
    const said = answer === "acknowledged" ? this.#saidYes(page) : this.#saidNo(page);
    if (!said) this.#court.violate("answered-by-nobody", `${page.label} ${answer}`);
    const byLink = this.#asked(page).some(({ accepts, declines }) => accepts > 0 || declines > 0);
    if (byLink || page.channel !== "sms") return;
    if (this.#answers.isNamed(page)) return;
    const open = this.#answers.textsTo(page.to).filter((text) => this.#isAskedFor(text.page));
    const about = this.#about(page);
    // The log tells of an answer in whole milliseconds: a text of the same one came before it or after.
    const { nowMs } = this.#court;
    const isRight = [nowMs, nowMs + 1].some((untilMs) => {
      const newest = open.findLast(({ askedMs }) => askedMs <= untilMs);
      return newest === undefined || this.#about(newest.page) === about;
    });
    if (open.some((text) => this.#about(text.page) !== about)) this.#court.reached("reply with two open");
    if (!isRight) this.#court.violate("wrong-incident", page.label);
    if (about?.number !== page.incident) this.#court.reached("answer to a text of a call that is over");
  }

  #isAskedFor(page: PageSeen): boolean {
    const incident = this.#about(page);
    return incident !== null && isUnowned(incident);
  }

  // ------------------------------------------------------------------ how it goes on

  /** A rung is left when its window is over, or when nobody of it can say yes any more. */
  #checkStep(incident: IncidentSeen, old: Facts, now: Facts): void {
    const { plan, nowMs } = this.#court;
    const left = now.phase === "exhausted" || now.walk !== old.walk || now.rung !== old.rung;
    if (old.phase !== "paging" || !left || old.owner !== null) return;
    if (nowMs - incident.sinceMs >= plan.ladder.ackTimeoutMs - 1) return;
    const declined = new Set(
      incident.pages.filter((each) => each.result === "declined").map((each) => each.contact),
    );
    const waiting = incident.pages.some(
      (page) =>
        page.walk === old.walk &&
        page.rung === old.rung &&
        page.purpose === "page" &&
        page.result === null &&
        !declined.has(page.contact),
    );
    if (waiting) this.#court.violate("window-cut", `rung ${old.rung} after ${nowMs - incident.sinceMs} ms`);
  }

  /** An owner has said yes themselves, by the channel that is noted; and nobody loses it who is in the room. */
  #checkOwner(incident: IncidentSeen, { contact, channel }: Owner): void {
    this.#court.reached(`owner by ${channel}`);
    const { pages: before = [] } = this.of(incident.callSid, incident.number - 1) ?? {};
    const pages = incident.followUp && channel !== "voice" ? [...before, ...incident.pages] : incident.pages;
    const theirs = pages.filter((each) => each.contact === contact && each.channel === channel);
    if (!theirs.some((page) => this.#answers.saidYes(page)))
      this.#court.violate("owner-without-ack", contact);
  }

  check(): void {
    const { plan, nowMs, startedMs, isDown } = this.#court;
    if (isDown) return;
    const slackMs = plan.crashes ? RETURN_SLACK_MS : DEADLINE_SLACK_MS;
    const { ackTimeoutMs, againAfterMs } = plan.ladder;
    for (const incident of this.#incidents.values()) {
      if (!isOpen(incident)) continue;
      const { phase, owner } = incident.facts;
      const rung = incident.pages.filter(
        (each) => each.channel === "voice" && each.contact === owner?.contact,
      );
      if (phase === "ringing" && rung.every(({ result }) => result !== null))
        this.#court.violate("owner-out-of-reach", owner?.contact);
      const limitMs =
        phase === "paging" ? ackTimeoutMs : phase === "exhausted" ? againAfterMs : MAX_STANDSTILL_MS;
      const spentMs = nowMs - incident.sinceMs;
      // A walk may have to wait for the end of its first window.
      if (nowMs > Math.max(incident.sinceMs + limitMs, startedMs) + slackMs) {
        this.#court.violate("window-overrun", `${phase} for ${spentMs} ms`);
      }
    }
    for (const page of this.pages.all) this.#checkRinging(page);
  }

  #checkRinging(page: PageSeen): void {
    const { leg, result, callSid } = page;
    if (!leg || leg.endedMs !== null) return;
    const incident = this.of(callSid, page.incident);
    const answered = leg.pickedUpMs !== null;
    const { plan } = this.#court;
    const leftMs = incident?.followUp === false ? this.#left.get(callSid) : undefined;
    if (
      leftMs !== undefined &&
      lastedMs(this.#court, Math.max(leftMs, leg.rangMs)) > cancelMs(plan, answered)
    )
      this.#court.violate("rings-for-nobody", page.label);
    // Who says yes late may come in all the same.
    if (result === null || result === "acknowledged" || incident?.letIn.has(page.contact)) return;
    const sinceMs = Math.max(page.resultMs, leg.rangMs, leg.pickedUpMs ?? 0);
    if (lastedMs(this.#court, sinceMs) <= cancelMs(plan, answered)) return;
    this.#court.violate(answered ? "kept-on-line" : "rings-on", `${page.label} ${result}`);
  }

  // ------------------------------------------------------------------ what the people say

  #linkUsed(url: string, body: string, status: number): void {
    const { callSid, label } = grantIn(url);
    const page = this.pages.get(callSid, label);
    const incident = page && this.#about(page);
    if (!page || !incident || body.includes("decline=1")) return;
    const { owner } = incident.facts;
    this.#court.reached(`link ${status}`);
    if (status === 200 ? owner?.contact !== page.contact : status === 409 && owner === null) {
      this.#court.violate("told-wrong", `${label} ${status}, owner ${owner?.contact}`);
    }
    this.#mustBeOwned(page);
  }

  #replyTaken(form: URLSearchParams): void {
    const reply = replyOf(form.get("From") ?? "", form.get("Body") ?? "");
    if (reply.answer !== "acknowledged") return;
    const texts = this.#answers
      .textsTo(reply.number)
      .filter(({ code }) => reply.code === null || code === reply.code);
    const newest = texts.at(-1);
    if (newest && texts.every((text) => isSameIncident(text.page, newest.page)))
      this.#mustBeOwned(newest.page);
  }

  #keyTaken(url: string, form: URLSearchParams): void {
    const key = form.get("Digits");
    const about = legIn(url);
    const page = about && this.pages.get(about.callSid, about.label);
    // Nobody is on the line any more whose key is only told now.
    if (!page || (key !== "1" && key !== "3") || page.leg?.endedMs !== null) return;
    const final = page.result !== null && ["declined", "busy", "voicemail", "failed"].includes(page.result);
    const followUp = this.of(page.callSid, page.incident)?.followUp === true;
    if (!final && !(followUp && key === "3")) this.#mustBeOwned(page);
  }

  #mustBeOwned(page: PageSeen): void {
    const incident = this.#about(page);
    const alive = !this.#over.has(page.callSid) || incident?.followUp === true;
    if (incident && alive && isUnowned(incident)) this.#court.violate("ack-ignored", page.label);
  }

  // ------------------------------------------------------------------ the end

  /** The row tells of every page, as it went; and how each incident has ended. */
  finish(row: CallRow): void {
    if (this.#untold.has(row.callSid)) return;
    const last = this.ofCall(row.callSid).at(-1);
    const { outcome: ended, owner: owned } = last?.facts ?? {};
    if (last?.followUp === false && (ended === "call_lost" || (ended === "exhausted" && owned === null)))
      this.#court.violate("not-followed-up", row.callSid);
    for (const { number, outcome, owner, pages } of row.escalations) {
      const incident = this.of(row.callSid, number);
      this.#court.reached(`outcome ${outcome}`);
      if (outcome === null) this.#court.violate("incident-open", String(number));
      if (outcome === "caller_left" && !this.#left.has(row.callSid))
        this.#court.violate("wrong-outcome", outcome);
      if (incident?.facts.outcome !== outcome) this.#court.violate("row-differs", `outcome ${outcome}`);
      if (incident?.facts.owner?.contact !== owner?.contact)
        this.#court.violate("row-differs", `owner ${owner?.contact}`);
      for (const { label, result } of pages) {
        const seen = this.pages.get(row.callSid, label);
        if (seen?.result !== result) this.#court.violate("row-differs", `${label} ${result}`);
      }
      if ((incident?.pages.length ?? 0) !== pages.length)
        this.#court.violate("row-differs", `${pages.length} pages`);
    }
    for (const page of this.pages.all) {
      const { callSid, label, leg } = page;
      const told = row.escalations.some(({ pages }) => pages.some((each) => each.label === label));
      if (callSid === row.callSid && leg && !told)
        this.#court.violate("row-differs", `${label} is not in it`);
    }
  }
}
