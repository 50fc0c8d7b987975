/**
 * People, phones and a carrier around a ladder with real pages: effects are answered in any order and twice,
 * callbacks are lost, doubled and reordered, and everybody does as they like. One list of numbers is one
 * world. What must always hold is looked at after every step.
 */
import type { EventOf, UnstampedCallEvent } from "../../machines/events.ts";
import {
  CLOSE_REASONS,
  type CloseReason,
  type Incident,
  type LadderInput,
  type PageEffect,
  type PageRecord,
} from "../../machines/ladder.types.ts";
import { A, B, C, contact, inputOf, LadderRig, type Logics, policyOf, PORTER } from "./ladder.rig.ts";

type Status = EventOf<"leg.status">["status"];
type Answer = EventOf<"human.answered">["answer"];

interface Phone {
  readonly label: string;
  status: "requested" | "ringing" | "answered" | "gone";
  /** The first that the machine was told of what they pressed, or that it is a machine. */
  answer: Answer | null;
  /** Whether its page could know of it: by an answer with its sid, or by a callback, while it waited for one. */
  shown: boolean;
}

interface Move {
  readonly weight: number;
  readonly make: () => void;
}

const TEXTER = contact("texter", { sms: "+15550114" });
const RUNGS = [
  { name: "primary", contacts: [A, PORTER] },
  { name: "secondary", contacts: [B, TEXTER] },
  { name: "fallback", contacts: [C] },
];

function worldInput(pick: number): LadderInput {
  // Some phones ring for longer than their rung's window.
  const ringTimeoutMs = pick % 4 === 0 ? 300_000 : 30_000;
  const policy = policyOf({ rungs: RUNGS, repeat: pick % 3, textCaller: pick % 2 === 0, ringTimeoutMs });
  return inputOf({ policy, followUp: pick % 5 === 4, pauseFirst: pick % 10 === 4 });
}

const START_PAGE = new Set(["page.call", "page.sms", "page.push"]);

export class LadderWorld {
  readonly broken: string[] = [];
  readonly rig: LadderRig;
  readonly #phones = new Map<string, Phone>();
  readonly #callbacks: UnstampedCallEvent[] = [];
  readonly #ids = new Set<string>();
  readonly #lost = new Set<string>();
  readonly #acked = new Set<string>();
  readonly #handedOver = new Set<string>();
  readonly #told = new Set<string>();
  readonly #rungStarts = new Map<string, { readonly atMs: number; released: boolean }>();
  #stepEffects: PageEffect[] = [];
  #before: Incident;
  #closed = false;

  constructor(pick: number, logics?: Logics) {
    this.rig = new LadderRig(worldInput(pick), logics);
    this.rig.onEffect = (effect) => this.#onEffect(effect);
    this.rig.start();
    this.#before = this.rig.incident;
    this.#look();
  }

  get #incident(): Incident {
    return this.rig.incident;
  }

  #say(what: string): void {
    this.broken.push(what);
  }

  #onEffect(effect: PageEffect): void {
    if (this.#ids.has(effect.id)) this.#say(`${effect.id} was asked for twice`);
    this.#ids.add(effect.id);
    this.#stepEffects.push(effect);
    if (effect.name === "page.call") {
      const { label } = effect.input;
      this.#phones.set(label, { label, status: "requested", answer: null, shown: false });
    }
    // Whoever is paged anew may be told anew.
    if (effect.name === "page.sms") this.#told.delete(effect.input.to);
    if (effect.name !== "ladder.tellPaged") return;
    if (this.#told.has(effect.input.to)) this.#say(`${effect.input.to} was told twice`);
    this.#told.add(effect.input.to);
  }

  /** One thing happens. */
  step(pick: number): void {
    const moves = this.#moves(pick);
    const total = moves.reduce((sum, move) => sum + move.weight, 0);
    let rest = pick % total;
    for (const move of moves) {
      rest -= move.weight;
      if (rest >= 0) continue;
      move.make();
      break;
    }
    this.#look();
  }

  /** The incident is closed, and everything that is still to come comes. */
  finish(pick: number): void {
    if (this.rig.status === "active") this.#close(pick);
    this.#look();
    for (let turn = 0; turn < 300 && this.rig.status === "active"; turn++) {
      const [effect] = this.rig.pending.values();
      if (effect && (pick + turn) % 3 > 0) this.#answer(effect, pick + turn);
      else if (this.#callbacks.length > 0) this.#deliver(pick + turn);
      else this.#passNext();
      this.#look();
    }
    if (this.rig.status !== "done") this.#say(`it never came to an end: ${this.rig.status}`);
    this.#lookBack();
  }

  #moves(pick: number): readonly Move[] {
    const some = Math.floor(pick / 1000);
    const moves: Move[] = [{ weight: 12, make: () => this.#passNext() }];
    moves.push({ weight: 4, make: () => void this.rig.later(Math.min(some % 20_000, this.#untilNext())) });
    for (const effect of this.rig.pending.values()) {
      moves.push({ weight: 8, make: () => this.#answer(effect, some) });
    }
    for (const phone of this.#phones.values()) {
      const made = phone.status !== "requested" || this.rig.livePages.includes(phone.label);
      if (made && phone.status !== "gone")
        moves.push({ weight: 6, make: () => this.#phoneGoesOn(phone, some) });
    }
    if (this.#callbacks.length > 0) moves.push({ weight: 16, make: () => this.#deliver(some) });
    const texts = this.#incident.pages.filter((page) => page.channel !== "voice");
    const text = texts[some % Math.max(1, texts.length)];
    if (text) moves.push({ weight: 3, make: () => this.#answerText(text, some) });
    const leg = this.#incident.phase === "joining" ? this.#incident.owner?.label : null;
    if (leg) moves.push({ weight: 12, make: () => this.#arrive(leg, some) });
    moves.push({ weight: 1, make: () => this.#close(some) });
    return moves;
  }

  #untilNext(): number {
    return Math.max(0, Math.min(...[...this.rig.deadlines].map((due) => due.atMs)) - this.rig.nowMs);
  }

  #passNext(): void {
    const [next] = [...this.rig.deadlines].toSorted((a, b) => a.atMs - b.atMs);
    if (!next) return;
    const { phase, walk, rung, outcome } = this.#incident;
    this.rig.pass(next.name, next.of);
    const now = this.#incident;
    const same = phase === now.phase && walk === now.walk && rung === now.rung && outcome === now.outcome;
    if (next.name !== "page" && same) this.#say(`the deadline ${next.name} passed, and nothing came of it`);
  }

  #answer(effect: PageEffect, some: number): void {
    if (effect.name === "page.call") this.#answerCall(effect, effect.input.label, some);
    else if (some % 4 === 0) this.rig.failed(effect);
    else {
      const phone = "label" in effect.input ? this.#phones.get(effect.input.label) : undefined;
      if (phone && (effect.name === "page.hangUp" || effect.name === "page.tell"))
        this.#goes(phone, "completed");
      this.rig.done(effect);
      // An answer may come twice: once from the engine, once more after a restart.
      if (some % 7 === 0) this.rig.done(effect);
    }
  }

  #answerCall(effect: PageEffect, label: string, some: number): void {
    const phone = this.#phones.get(label);
    if (!phone) return;
    const made = phone.status !== "requested";
    // A request that was taken back long ago is not carried out any more.
    const alive = this.rig.livePages.includes(label);
    if (!made && (some % 4 === 0 || !alive)) {
      phone.status = "gone";
      this.rig.failed(effect);
    } else if (some % 4 === 1) {
      // The outcome is unknown: it may ring, or never have been made.
      if (!made) phone.status = some % 8 === 1 ? "ringing" : "gone";
      this.rig.done(effect, null);
    } else {
      if (!made) phone.status = "ringing";
      phone.shown ||= alive;
      this.rig.done(effect);
    }
  }

  #goes(phone: Phone, status: Status): void {
    if (phone.status !== "gone") this.#calls(phone.label, status);
    phone.status = "gone";
  }

  #calls(label: string, status: Status): void {
    this.#callbacks.push({ type: "leg.status", label, callSid: `CA-${label}`, status });
  }

  #phoneGoesOn(phone: Phone, some: number): void {
    if (phone.status === "requested") {
      phone.status = "ringing";
      this.#calls(phone.label, "ringing");
    } else if (phone.status === "ringing") {
      const [end] = (["busy", "no-answer", "failed"] as const).slice(some % 3);
      if (end !== undefined && some % 3 === 0) this.#goes(phone, end);
      else {
        phone.status = "answered";
        this.#calls(phone.label, "in-progress");
      }
    } else if (some % 6 === 0) this.#goes(phone, "completed");
    else
      this.#presses(
        phone,
        (["accepted", "consult", "declined", "voicemail", "accepted"] as const)[some % 5] ?? "accepted",
      );
  }

  #presses(phone: Phone, answer: Answer): void {
    phone.answer ??= answer;
    this.rig.presses(phone.label, answer);
  }

  /** Any callback, which is kept, or lost. */
  #deliver(some: number): void {
    const index = some % this.#callbacks.length;
    const [event] = some % 9 === 0 ? this.#callbacks.slice(index) : this.#callbacks.splice(index, 1);
    if (!event || some % 5 === 0) return;
    const phone = "label" in event ? this.#phones.get(event.label ?? "") : undefined;
    if (phone && this.rig.livePages.includes(phone.label)) phone.shown = true;
    this.rig.happens(event);
  }

  #answerText({ label }: PageRecord, some: number): void {
    const before = this.#incident;
    const alive = this.rig.livePages.includes(label);
    if (some % 3 === 0) {
      this.rig.happens({ type: "page.declined", label });
      return;
    }
    if (alive) this.#acked.add(label);
    this.rig.acks(label);
    const free = before.owner === null && before.phase !== "over";
    if (alive && free && this.#incident.owner === null) this.#say(`${label} said yes, and does not own it`);
  }

  #arrive(label: string, some: number): void {
    if (some % 3 === 0) {
      this.#lost.add(label);
      const phone = this.#phones.get(label);
      if (phone) this.#goes(phone, "completed");
      this.rig.happens({ type: "owner.lost", label });
    } else this.rig.happens({ type: "owner.joined", label });
  }

  #close(pick: number): void {
    const why = CLOSE_REASONS[pick % CLOSE_REASONS.length] as CloseReason;
    this.#closed = true;
    this.rig.happens({ type: "ladder.close", why });
  }

  /** What must hold after every step. */
  #look(): void {
    const before = this.#before;
    const now = this.#incident;
    const effects = this.#stepEffects;
    this.#before = now;
    this.#stepEffects = [];
    if (this.rig.errors.length > 0) this.#say(`an actor failed: ${String(this.rig.errors[0])}`);
    this.#lookAtOwner(before, now);
    this.#lookAtPaging(now, effects);
    this.#lookAtRungs(before, now);
  }

  #lookAtOwner(before: Incident, now: Incident): void {
    const { owner } = now;
    if (before.owner && before.owner.pageLabel !== owner?.pageLabel)
      this.#lookAtLoss(before, before.owner.label);
    if (before.phase === "owned" && owner?.pageLabel !== before.owner?.pageLabel)
      this.#say("an incident that was owned changed hands");
    if (!owner) return;
    if (owner.label !== null) {
      this.#handedOver.add(owner.label);
      const key = this.#phones.get(owner.label)?.answer;
      if (key !== "accepted" && key !== "consult") this.#say(`${owner.label} joins without a key: ${key}`);
    }
    // In a follow-up nobody joins: they are thanked, and their call ends.
    if (owner.channel === "voice") this.#handedOver.add(owner.pageLabel);
    const voice = owner.channel === "voice" ? this.#phones.get(owner.pageLabel)?.answer : null;
    if (voice === "voicemail" || voice === "declined") this.#say(`${owner.pageLabel} owns it by ${voice}`);
    if (owner.channel !== "voice" && !this.#acked.has(owner.pageLabel))
      this.#say(`${owner.pageLabel} never said yes`);
    const open = now.pages.filter((page) => page.result === null && page.label !== owner.label);
    const others = open.filter((page) => page.contactName !== owner.contactName || page.channel !== "voice");
    if (others.length > 0) this.#say(`${others[0]?.label} goes on beside an owner`);
    if (open.length > 1) this.#say(`${owner.contactName} is rung twice at once`);
  }

  /** Somebody else may own it only once the one before cannot come any more. */
  #lookAtLoss(before: Incident, label: string | null): void {
    if (before.phase === "joining" && label !== null && !this.#lost.has(label))
      this.#say(`${label} lost it on the way`);
    if (before.phase !== "ringing") return;
    const ring = before.pages.findLast(
      (page) => page.channel === "voice" && page.contactName === before.owner?.contactName,
    );
    if (this.rig.record(ring?.label ?? "")?.result === null) this.#say("the owner is rung, and lost it");
  }

  #lookAtPaging(now: Incident, effects: readonly PageEffect[]): void {
    for (const effect of effects.filter((each) => START_PAGE.has(each.name))) {
      const { label } = effect.input as { readonly label: string };
      const record = this.rig.record(label);
      const ring = record?.purpose === "ring" && record.contactName === now.owner?.contactName;
      if (now.owner !== null && !ring) this.#say(`${effect.name} for ${label} while there is an owner`);
      if (this.#closed && now.phase === "over") this.#say(`${effect.name} for ${label} after the end`);
    }
  }

  /** A rung's successor waits for its window, unless nobody of it can say yes, or an owner was lost. */
  #lookAtRungs(before: Incident, now: Incident): void {
    const key = `${before.walk}/${before.rung}`;
    const start = this.#rungStarts.get(key);
    if (start && now.owner) start.released = true;
    const next = `${now.walk}/${now.rung}`;
    if (now.phase === "paging" && !this.#rungStarts.has(next)) {
      this.#rungStarts.set(next, { atMs: this.rig.nowMs, released: false });
    }
    const left =
      before.phase === "paging" && (now.phase === "exhausted" || next !== key) && now.owner === null;
    if (!left || !start || start.released) return;
    const early = this.rig.nowMs < start.atMs + worldInput(0).policy.ackTimeoutMs;
    const pages = now.pages.filter((page) => `${page.walk}/${page.rung}` === key && page.purpose === "page");
    const open = pages.filter((page) => page.result === null || page.result === "timed-out");
    if (early && open.length > 0) this.#say(`rung ${key} was left before its window closed`);
  }

  /** What must hold when all is over. */
  #lookBack(): void {
    const { outcome, clear, phase } = this.#incident;
    if (outcome === null || !clear) this.#say(`it ended ${phase} without an outcome, or not clear`);
    const unsettled = this.#incident.pages.filter((page) => page.result === null);
    if (unsettled.length > 0) this.#say(`${unsettled[0]?.label} has no result`);
    for (const { label, status, shown } of this.#phones.values()) {
      if (status === "gone" || !shown || this.#handedOver.has(label)) continue;
      if (status === "requested") continue;
      const tries = this.rig.asked("page.hangUp", label).length;
      if (tries < 2) this.#say(`${label} is still up, and was hung up ${tries} times`);
    }
  }
}

/** What was broken in the world of these numbers; `seen` is given each phase and each page's result. */
export function walk(
  picks: readonly number[],
  logics?: Logics,
  seen: (what: string) => void = () => undefined,
): readonly string[] {
  const world = new LadderWorld(picks[0] ?? 0, logics);
  for (const pick of picks) {
    if (world.rig.status !== "active" || world.broken.length > 0) break;
    world.step(pick);
    seen(world.rig.incident.phase);
  }
  if (world.broken.length === 0) world.finish(picks.at(-1) ?? 0);
  const { pages, outcome } = world.rig.incident;
  for (const page of pages) seen(`${page.purpose} by ${page.channel}: ${page.result}`);
  seen(`outcome: ${outcome}`);
  return world.broken;
}
