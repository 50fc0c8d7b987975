/**
 * The incidents of all calls, as the people see them who were paged: what their page is worth now, and what
 * becomes of their answer. Those of calls that have ended are remembered for a day, for late answers.
 */
import { isLabel, type UnstampedCallEvent } from "../../machines/events.ts";
import { contactOf, isSamePerson, isUnanswered } from "../../machines/ladder.facts.ts";
import type { Incident, LadderPolicy, PageRecord, PageResult } from "../../machines/ladder.types.ts";
import type { Claims } from "../effects/claims.ts";
import type { CallJournal } from "../effects/journal.ts";
import type { Clock } from "../ports.ts";
import type { EscalationsView, PageView, Standing, TextedPage } from "./escalations-view.ts";
import { IncidentCodes } from "./incident-codes.ts";
import { isSameText, type Text, TextedPages } from "./texted-pages.ts";

export interface EscalationsOptions {
  readonly clock: Clock;
  /** The agent's name. */
  readonly agent: string;
  /** The live call of this sid, or what goes on after it without the caller. */
  readonly host: (callSid: string) => EscalationHost | null;
  /** Whose each ring is. */
  readonly claims: Claims;
}

/** Who takes the events of a call's incidents. */
export interface EscalationHost {
  deliver(event: UnstampedCallEvent, key?: string): void;
  legWanted(label: string): boolean;
  readonly callerIsHere: boolean;
}

/** What is kept of a call's pages beside its actors. */
export interface PagesSaved {
  readonly texts: readonly (Text & { readonly to: string })[];
  readonly codes: readonly { readonly incident: number; readonly code: string }[];
}

interface Remembered {
  readonly from: string;
  readonly policy: Pick<LadderPolicy, "rungs">;
  incidents: readonly Incident[];
  /** - `live`; - `following`: the caller has left, and somebody is still sought; - `over`. */
  phase: "live" | "following" | "over";
  /** The newest texts that page, oldest first. */
  texts: PagesSaved["texts"];
}

const REMEMBERED_MS = 24 * 3_600_000;
const MAX_REMEMBERED = 10_000;
/** Per call. */
const MAX_TEXTS_SAVED = 100;
/** How a phone's page ends for good: nobody is on the line who could still take it. */
const FINAL: ReadonlySet<PageResult> = new Set<PageResult>(["declined", "busy", "voicemail", "failed"]);
const E164_LIKE = /^\+\d+$/;

export class Escalations implements EscalationsView {
  readonly #options: EscalationsOptions;
  /** Calls that have, or had, an incident. */
  readonly #calls = new Map<string, Remembered>();
  /** When each call that is over ended, oldest first. */
  readonly #ended = new Map<string, number>();
  readonly #codes: IncidentCodes;
  readonly #texted: TextedPages;
  readonly counters = { callsForgotten: 0, textsForgotten: 0 };

  constructor(options: EscalationsOptions) {
    this.#options = options;
    this.#codes = new IncidentCodes(options.clock.now());
    this.#texted = new TextedPages(options.clock, () => void this.counters.textsForgotten++);
  }

  /** The incidents of a live call, or of one that is followed up, have changed. */
  update(
    callSid: string,
    { from, policy }: Pick<Remembered, "from" | "policy">,
    incidents: readonly Incident[],
  ): void {
    const known = this.#calls.get(callSid);
    if (known) known.incidents = incidents;
    else this.#calls.set(callSid, { from, policy, incidents, phase: "live", texts: [] });
  }

  /** For an engine that is to go on with the call, or with what follows it. */
  saved(callSid: string): PagesSaved {
    const { incidents = [], texts = [] } = this.#calls.get(callSid) ?? {};
    const codes = incidents.flatMap(({ number }) => {
      const code = this.#codes.known(callSid, number);
      return code === null ? [] : [{ incident: number, code }];
    });
    return { texts, codes };
  }

  /** Goes on where another engine was. It may have sent a text whose code it had no time to save. */
  resume(callSid: string, { texts, codes }: PagesSaved, journal: Pick<CallJournal, "requested">): void {
    const noted = journal.requested("page.sms").flatMap(({ input: { incident }, request: { code } }) => {
      return typeof incident === "number" && typeof code === "string" ? [{ incident, code }] : [];
    });
    for (const { incident, code } of [...codes, ...noted]) this.#codes.resume(callSid, incident, code);
    for (const { to, ...text } of texts) this.#texted.add(to, text);
    const call = this.#calls.get(callSid);
    if (call) call.texts = texts;
  }

  /** Of this call, oldest first; none of one that is forgotten. */
  incidents(callSid: string): readonly Incident[] {
    return this.#calls.get(callSid)?.incidents ?? [];
  }

  /** Of the calls that are not over: those with somebody who is sought, or was. */
  *open(): Generator<{
    readonly callSid: string;
    readonly following: boolean;
    readonly incidents: readonly Incident[];
  }> {
    for (const [callSid, { phase, incidents }] of this.#calls) {
      if (phase !== "over") yield { callSid, following: phase === "following", incidents };
    }
  }

  /** The caller has left; somebody is still sought. */
  following(callSid: string): void {
    const call = this.#calls.get(callSid);
    if (call) call.phase = "following";
  }

  /** Nothing more will happen in this call. */
  over(callSid: string): void {
    const call = this.#calls.get(callSid);
    if (!call || call.phase === "over") return;
    call.phase = "over";
    for (const { number } of call.incidents) this.#codes.release(callSid, number);
    this.#ended.set(callSid, this.#options.clock.now());
    this.#forget();
  }

  page(callSid: string, label: string): PageView | null {
    const call = this.#calls.get(callSid);
    for (const [index, incident] of (call?.incidents ?? []).entries()) {
      const page = incident.pages.find((each) => each.label === label);
      if (!call || !page) continue;
      const { of, as } = sinceThen(call, page, { of: incident, next: call.incidents[index + 1] });
      return this.#view(callSid, call, of, as);
    }
    return null;
  }

  deliver(callSid: string, event: UnstampedCallEvent, key?: string): boolean {
    // It comes from a URL of ours, but whoever can sign one may leave it out, or write another.
    if ("label" in event && !isLabel(event.label)) return false;
    const { host: hostOf, claims } = this.#options;
    const host = hostOf(callSid);
    // A leg's own callbacks are the only ones to tell for sure whose it is.
    if (event.type === "leg.status") claims.add(event.callSid, `${callSid}/${event.label}`);
    host?.deliver(event, key);
    return host !== null;
  }

  /**
   * Each attempt makes it the newest: an earlier one may have come to nothing. `beforeMs`: when an engine before has
   * tried, if this one has not yet.
   */
  texted(
    to: string,
    page: { readonly callSid: string; readonly label: string; readonly incident: number },
    beforeMs: number | null,
  ): void {
    if (beforeMs !== null && this.#texted.to(to).some((each) => isSameText(each, page))) return;
    const code = this.code(page.callSid, page.incident);
    const text = { ...page, code, atMs: beforeMs ?? this.#options.clock.now() };
    this.#texted.add(to, text);
    const call = this.#calls.get(page.callSid);
    if (!call) return;
    const others = call.texts.filter((each) => !isSameText(each, page));
    const texts = [...others, { to, ...text }].toSorted((a, b) => a.atMs - b.atMs);
    call.texts = texts.slice(-MAX_TEXTS_SAVED);
  }

  pagesTo(number: string): readonly TextedPage[] {
    return this.#texted.to(number).map((text) => {
      const { incident = text.incident, standing = "over" } = this.page(text.callSid, text.label) ?? {};
      return { ...text, incident, standing };
    });
  }

  code(callSid: string, incident: number): string {
    return this.#codes.of(callSid, incident);
  }

  /** `null` before anybody was texted. */
  knownCode(callSid: string, incident: number): string | null {
    return this.#codes.known(callSid, incident);
  }

  legWanted(callSid: string, label: string): boolean {
    return this.#options.host(callSid)?.legWanted(label) ?? false;
  }

  callerIsHere(callSid: string): boolean {
    return this.#options.host(callSid)?.callerIsHere ?? false;
  }

  #view(callSid: string, call: Remembered, incident: Incident, page: PageRecord): PageView {
    const standing = standingOf(call, incident, page);
    const followUp = call.phase !== "live";
    return {
      callSid,
      incident: incident.number,
      label: page.label,
      channel: page.channel,
      contactName: page.contactName,
      rungName: page.rungName,
      agent: this.#options.agent,
      reason: incident.reason,
      urgency: incident.urgency,
      standing,
      ownerName: incident.owner?.contactName ?? null,
      followUp,
      rings: !followUp && hasPhone(incident, page),
      came: standing === "yours" && incident.owner?.label != null,
      unmet: isUnmet(incident),
      callerNumber: followUp && standing === "yours" && E164_LIKE.test(call.from) ? call.from : null,
    };
  }

  #forget(): void {
    const before = this.#options.clock.now() - REMEMBERED_MS;
    for (const [callSid, endedAtMs] of this.#ended) {
      if (endedAtMs > before && this.#ended.size <= MAX_REMEMBERED) return;
      this.#ended.delete(callSid);
      this.#calls.delete(callSid);
      if (endedAtMs > before) this.counters.callsForgotten++;
    }
  }
}

/** The caller left, or was lost, before anybody came: somebody may be sought on. */
const isUnmet = (incident: Incident): boolean => incident.phase === "over" && isUnanswered(incident);

/**
 * A text or link of a call whose caller is gone is as good for the follow-up: for the page of it that went to the same
 * person in the same way, or for itself while there is none. Not so a key: whoever pressed it is on no phone of this.
 */
function sinceThen(
  { policy }: Remembered,
  page: PageRecord,
  { of, next }: { readonly of: Incident; readonly next: Incident | undefined },
): { readonly of: Incident; readonly as: PageRecord } {
  const askedStill = contactOf({ policy }, page)?.name === page.contactName;
  if (!next || !isUnmet(of) || page.channel === "voice" || !askedStill) return { of, as: page };
  const again = next.pages.findLast(
    ({ channel, rung, contact }) =>
      channel === page.channel && rung === page.rung && contact === page.contact,
  );
  return { of: next, as: again ?? page };
}

function standingOf(call: Remembered, incident: Incident, page: PageRecord): Standing {
  const { owner } = incident;
  // Whoever said yes and was not there yet when it was called off, or the caller left, has nothing any more.
  if (incident.phase === "over") return "over";
  if (owner) return isOwners(call, incident, page) ? "yours" : "taken";
  if (call.phase === "over") return "over";
  // A text can be answered again and late. On the phone a key may be pressed before its page's end is heard of.
  return page.channel === "voice" && page.result !== null && FINAL.has(page.result) ? "over" : "open";
}

/**
 * Somebody may stand on several rungs. Of the phones only the one that brings the owner rings on, and it may do so
 * for a page of another rung.
 */
function isOwners({ policy }: Remembered, { owner, phase }: Incident, page: PageRecord): boolean {
  if (owner === null) return false;
  if (page.channel === "voice" && phase === "ringing" && page.result === null) return true;
  if (owner.label === page.label) return true;
  if (owner.contactName !== page.contactName) return false;
  const samePlace = owner.rung === page.rung && owner.contact === page.contact;
  return samePlace || isSamePerson({ policy }, owner, page);
}

/** All channels of a contact are paged at once, and whoever has a number for texts alone is rung there. */
function hasPhone(incident: Incident, { rung, contact }: PageRecord): boolean {
  return incident.pages.some(
    (each) => each.rung === rung && each.contact === contact && each.channel !== "push",
  );
}
