/**
 * Each effect is done once (design §9, 5), by the books of the carrier and of those who are texted and pushed: in
 * worlds in which engines end, and another cannot know what the one before has done but by looking.
 */
import type { JournalEntry } from "../../engine/ports.ts";
import type { Court } from "./court.ts";
import type { CarrierCall } from "./pages.ts";
import { legIn } from "./pages.ts";

/** Suffix of the id under which the journal keeps the words of a text. */
const REQUEST = "/request";

/** What somebody on call, or the caller, gets. */
const REACHES = /^(page\.(call|sms|push)|ladder\..*)$/;

interface Effect {
  readonly id: string;
  readonly callSid: string;
  readonly name: string;
  readonly label: string | null;
  request: { readonly to: string; readonly body: string } | null;
  state: JournalEntry["state"];
  /** What it has made, by the engine's word. */
  madeSid: string | null;
}

export class EffectRules {
  readonly #court: Court;
  readonly #effects = new Map<string, Effect>();
  /** By call and label, the sids of the legs that the carrier has made. */
  readonly #legs = new Map<string, Set<string>>();
  /** By number and words, how often somebody has got them. */
  readonly #texts = new Map<string, number>();
  /** By id. */
  readonly #pushes = new Map<string, number>();
  readonly #over = new Set<string>();
  readonly #stopped = new Set<string>();
  readonly #pushed = new Map<string, string>();

  constructor(court: Court) {
    this.#court = court;
  }

  /** The world is over, and with it what goes on after a call. */
  stopped(callSid: string): void {
    this.#stopped.add(callSid);
  }

  over(callSid: string): void {
    this.#over.add(callSid);
  }

  /** It is committed. */
  journal({ callSid, effectId, name, state, data }: JournalEntry): void {
    if (effectId.endsWith(REQUEST)) {
      const effect = this.#effects.get(effectId.slice(0, -REQUEST.length));
      if (effect && name !== "page.call") effect.request = data as unknown as NonNullable<Effect["request"]>;
      return;
    }
    const known = this.#effects.get(effectId);
    if (state === "intent") {
      const { label = null } = (data["input"] ?? {}) as { readonly label?: string };
      const begun = { id: effectId, callSid, name, label, request: null, madeSid: null };
      if (!known) this.#effects.set(effectId, { ...begun, state });
    } else if (known) {
      known.state = state;
      if (typeof data["callSid"] === "string") known.madeSid = data["callSid"];
    }
  }

  /** The calls that the carrier has now. A leg is known by the address for its progress. */
  see(calls: readonly CarrierCall[]): void {
    for (const { sid, statusCallback } of calls) {
      const about = legIn(statusCallback ?? "");
      if (!about) continue;
      const key = `${about.callSid}/${about.label}`;
      const sids = this.#legs.get(key) ?? new Set();
      this.#legs.set(key, sids.add(sid));
      if (sids.size > 1) this.#court.violate("done-twice", `${sids.size} legs of ${about.label}`);
    }
  }

  /** Somebody has got a text. */
  texted(to: string, body: string): void {
    const key = `${to} ${body}`;
    const times = (this.#texts.get(key) ?? 0) + 1;
    this.#texts.set(key, times);
    const asked = [...this.#effects.values()].filter(
      ({ request }) => request !== null && request.to === to && request.body === body,
    );
    // Others are answers to texts.
    if (asked.length > 0 && times > asked.length) this.#court.violate("done-twice", `"${body}"`);
  }

  /**
   * Somebody has got a push. No receiver can be asked for it, so it may come again when an engine died that had had
   * no answer: under the id it had, by which they tell, and never when it was noted as done.
   */
  pushed(id: string, label: string, deaths: number): void {
    const times = (this.#pushes.get(id) ?? 0) + 1;
    this.#pushes.set(id, times);
    if (times > 1) this.#court.reached("push repeated");
    const before = this.#pushed.get(label) ?? id;
    this.#pushed.set(label, before);
    if (before !== id) this.#court.violate("done-twice", `push ${label} as ${before} and ${id}`);
    if (this.#effects.get(id)?.state === "done") this.#court.violate("done-twice", `push ${label} is done`);
    if (times > 1 + deaths) this.#court.violate("done-twice", `push ${label} ${times} times`);
  }

  /**
   * No page is lost: what was begun has come to something, and what is said to be done was. What ends a leg may be
   * under way when its call is over.
   */
  finish(): void {
    for (const [{ id }, lost] of this.#lost()) this.#court.violate("effect-lost", `${id}: ${lost}`);
  }

  /** Of which nothing is known yet, and that something must come to. */
  get open(): number {
    return [...this.#lost()].filter(([{ state }]) => state === "intent").length;
  }

  *#lost(): Generator<readonly [Effect, string]> {
    for (const effect of this.#effects.values()) {
      // What the end of the world breaks off is nobody's fault.
      if (this.#stopped.has(effect.callSid) || !REACHES.test(effect.name)) continue;
      const lost = this.#isLost(effect);
      if (lost !== null) yield [effect, lost];
    }
  }

  #isLost({ id, callSid, name, label, state, request, madeSid }: Effect): string | null {
    const isOver = this.#over.has(callSid);
    const leg = this.#legs.get(`${callSid}/${label}`);
    if (state === "intent") {
      // Nobody goes on with a call that is over: what tells how it went may be under way when its engine dies. So may
      // the request for a ring whose answer is late, when its own callbacks have told all of it meanwhile.
      const isTold = name.startsWith("ladder.") || (name === "page.call" && leg !== undefined);
      return isOver && isTold ? null : "it has no result";
    }
    if (state !== "done") return null;
    if (name === "page.call" && madeSid !== null) {
      return leg?.has(madeSid) === true ? null : "there was no such call";
    }
    const textsFail = this.#court.plan.faults.some(({ kind }) => kind === "texts");
    const arrived = request === null || textsFail || this.#texts.has(`${request.to} ${request.body}`);
    return arrived && (name !== "page.push" || this.#pushes.has(id)) ? null : "nobody got it";
  }
}
