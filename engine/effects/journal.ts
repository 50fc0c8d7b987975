/**
 * The journal of effects: what is asked of the outside world is written down before and after. An engine that
 * comes back finds what had been begun, and looks whether it was done before it does it (again).
 *
 * The caller in danger goes before the book-keeping: an effect waits a bounded time for its intent to be durable,
 * and then runs all the same.
 */
import type { CallError } from "../../machines/context.ts";
import type { PageEffectInputs } from "../../machines/ladder.types.ts";
import { answerData, answerOfData, type EffectAnswer, type NamedEffect } from "../call/effect-answer.ts";
import { canonical } from "../platform/canonical.ts";
import { errorText, OUTCOME_UNKNOWN } from "../errors.ts";
import { DurationBuckets } from "../platform/duration-buckets.ts";
import type { Clock, JournalEntry, Log, Store } from "../ports.ts";
import { Claims, type Ring } from "./claims.ts";

type Data = Readonly<Record<string, unknown>>;

export interface JournalOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** How long an effect waits for its intent. */
  readonly waitMs?: number;
  /** How long one does that may be done twice, and whose delay a caller hears. */
  readonly urgentWaitMs?: number;
}

const WAIT_MS = 500;
const URGENT_WAIT_MS = 50;
const MAX_LOST = 20;
const LAG_BOUNDS_MS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

/** Who is rung, texted or added exists twice when it is done twice; all else only sets a value or ends something. */
const CREATES: ReadonlySet<string> = new Set([
  "carrier.addAi",
  "page.call",
  "page.sms",
  "page.push",
  "page.tell",
  "ladder.tellPaged",
  "ladder.tellCaller",
  // Nobody waits for these.
  "postcall.extract",
  "postcall.deliver",
]);
const OUTSIDE = /^(carrier|page|ladder|postcall)\./;
/** Take back what is under way, and have no result: an engine that comes back does them again, after that. */
const UNANSWERED: ReadonlySet<string> = new Set(["page.withdraw"]);
/** Suffix of the id under which a request is noted as it is about to be sent. */
const REQUEST = "/request";

/** How one effect is carried out. */
export interface Turn {
  /** Wall clock: nothing that this effect has made is older. */
  readonly sinceMs: number;
  /** An engine before had begun it: it may have been done. */
  readonly resumed: boolean;
  /** What was noted as it was about to be asked for, by that engine or by this one; `null`: it did not get that far. */
  readonly request: Data | null;
  /** To be awaited before the world is asked for anything. `request` is noted, so that it can be found. */
  ready(request?: Data): Promise<void>;
  note(what: "found" | "repeated"): void;
}

/** For what is not journaled. */
export function plainTurn(clock: Clock): Turn {
  const note = (): void => undefined;
  return { sinceMs: clock.now(), resumed: false, request: null, ready: () => Promise.resolve(), note };
}

/** - `answer`: of an effect that is in the journal with its result; - `pending`: it will be answered anyway. */
export type Begun = { readonly turn: Turn } | { readonly answer: EffectAnswer } | "pending";

export class Journal {
  readonly #options: Required<JournalOptions>;
  readonly #resumed = new Map<string, CallJournal>();
  /** What results have named, of all calls. */
  readonly claims = new Claims();
  /** From an intent being written to its being durable. */
  readonly lag = new DurationBuckets(LAG_BOUNDS_MS);
  /** Effects that have no result yet. */
  open = 0;
  /** Results by effect, for {@link Journal.results}. */
  readonly #results = new Map<string, { readonly name: string; readonly result: string; count: number }>();
  readonly counters = {
    intents: 0,
    resumed: 0,
    found: 0,
    repeated: 0,
    dead: 0,
    late: 0,
    unjournaled: 0,
    refused: 0,
    taken: 0,
  };

  constructor(options: JournalOptions) {
    this.#options = { waitMs: WAIT_MS, urgentWaitMs: URGENT_WAIT_MS, ...options };
  }

  /** The journal of a call: what {@link Journal.resume} has read, or an empty one. */
  of(callSid: string): CallJournal {
    const resumed = this.#resumed.get(callSid);
    this.#resumed.delete(callSid);
    return resumed ?? new CallJournal(this, callSid, []);
  }

  /**
   * Reads what an engine that died has left of a call. To be done for all calls before any goes on: what is
   * known to belong to one must not be taken for another's. Rejects with `StoreError`.
   */
  async resume(callSid: string): Promise<void> {
    const entries = await this.#options.store.journal(callSid);
    const rung = new Map<string, string>();
    for (const { effectId, name, state, atMs, data } of entries) {
      const { to } = (data["input"] ?? {}) as Partial<PageEffectInputs["page.call"]>;
      if (name === "page.call" && state === "intent" && to !== undefined) rung.set(effectId, to);
      const number = rung.get(effectId);
      this.claim(data["callSid"], number === undefined ? null : { to: number, atMs });
    }
    this.#resumed.set(callSid, new CallJournal(this, callSid, entries));
  }

  /** For {@link CallJournal}. */
  get clock(): Clock {
    return this.#options.clock;
  }

  /** How effects on the outside world ended, since start. */
  get results(): readonly { readonly name: string; readonly result: string; readonly count: number }[] {
    return [...this.#results.values()];
  }

  ended(name: string, result: JournalEntry["state"]): void {
    const key = `${name}/${result}`;
    const entry = this.#results.get(key) ?? { name, result, count: 0 };
    entry.count++;
    this.#results.set(key, entry);
  }

  claim(sid: unknown, ring: Ring | null = null): void {
    if (typeof sid !== "string") return;
    if (ring) this.claims.addRing(sid, ring);
    else this.claims.add(sid);
  }

  append(entry: JournalEntry): void {
    this.#options.store.appendJournal([entry]);
  }

  warn(event: string, effect: NamedEffect): void {
    const { id, name } = effect;
    this.#options.log.warn(event, { effectId: id, name });
  }

  /**
   * Resolves when what was appended is durable, or has had its time; at once while nothing can be written. A page
   * that is not sent is worse than one that an engine which dies meanwhile may lead another to repeat.
   */
  async durable(effect: NamedEffect): Promise<void> {
    const { store, clock, log, waitMs, urgentWaitMs } = this.#options;
    const creates = CREATES.has(effect.name);
    const unjournaled = (): void => {
      this.counters.unjournaled++;
      if (creates) this.warn("journal.unjournaled", effect);
    };
    if (store.failing !== null) {
      unjournaled();
      return;
    }
    const beganMs = clock.monotonicMs();
    const written = store.durable().then(
      () => this.lag.record(clock.monotonicMs() - beganMs),
      (error: unknown) => {
        if (store.failing !== null) {
          unjournaled();
          return;
        }
        this.counters.refused++;
        log.error("journal.refused", { effectId: effect.id, name: effect.name, problem: errorText(error) });
      },
    );
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      const give = (): void => {
        this.counters.late++;
        // What may be done twice is only counted: it happens whenever many calls come at once.
        if (creates) this.warn("journal.late", effect);
        resolve();
      };
      timer = clock.setTimeout(give, creates ? waitMs : urgentWaitMs);
    });
    await Promise.race([written, late]);
    clock.clearTimeout(timer);
  }
}

/** The effects of one call. */
export class CallJournal {
  readonly #journal: Journal;
  readonly #callSid: string;
  /** What an engine before has written, by effect: what it asked for, and what came of it. */
  readonly #known = new Map<string, { readonly intent: JournalEntry; result: JournalEntry | null }>();
  readonly #requests = new Map<string, Data>();
  readonly #running = new Set<string>();
  readonly #lost: CallError[] = [];
  #handedOver = false;

  constructor(journal: Journal, callSid: string, entries: readonly JournalEntry[]) {
    this.#journal = journal;
    this.#callSid = callSid;
    for (const entry of entries) this.#load(entry);
  }

  #load(entry: JournalEntry): void {
    const { effectId, state, data } = entry;
    if (effectId.endsWith(REQUEST)) this.#requests.set(effectId, data);
    else if (state === "intent") this.#known.set(effectId, { intent: entry, result: null });
    else {
      const known = this.#known.get(effectId);
      if (known) known.result = entry;
    }
  }

  /** What was begun and has no result, in the order of time: to be run again as `resumed`. */
  get unfinished(): readonly NamedEffect[] {
    const open = [...this.#known.values()].filter(({ result }) => result === null);
    return open.map(({ intent }) => ({
      id: intent.effectId,
      name: intent.name,
      input: (intent.data["input"] ?? {}) as object,
    }));
  }

  /** Of each effect of this name that was about to be asked for: what it is to do, and what was noted then. */
  requested(name: string): readonly { readonly input: Data; readonly request: Data }[] {
    return [...this.#known.values()].flatMap(({ intent: { effectId, name: its, data } }) => {
      const request = its === name && this.#requests.get(effectId + REQUEST);
      return request ? [{ input: (data["input"] ?? {}) as Data, request }] : [];
    });
  }

  /**
   * Writes the intent, in the step that asks for the effect. An actor that was restored from before an effect
   * may ask for it once more, under the same id: it is answered as it was.
   */
  begin(effect: NamedEffect, resumed = false): Begun {
    if (!OUTSIDE.test(effect.name)) return { turn: plainTurn(this.#journal.clock) };
    const { counters } = this.#journal;
    const known = this.#known.get(effect.id);
    if (known && !resumed) {
      if (sameInput(known.intent, effect)) {
        if (known.result === null) return "pending";
        const { effectId: id, name, data } = known.result;
        return { answer: answerOfData({ id, name }, data, this.#journal.clock.now()) };
      }
      // Its events came otherwise this time. It cannot be written under an id that is taken.
      counters.taken++;
      this.#journal.warn("journal.id_taken", effect);
      return { turn: plainTurn(this.#journal.clock) };
    }
    counters[resumed ? "resumed" : "intents"]++;
    if (!UNANSWERED.has(effect.name)) {
      this.#running.add(effect.id);
      this.#journal.open++;
    }
    if (!resumed) this.#append(effect, "intent", { input: effect.input });
    return { turn: this.#turn(effect, resumed ? (known?.intent ?? null) : null) };
  }

  #turn(effect: NamedEffect, intent: JournalEntry | null): Turn {
    const journal = this.#journal;
    const requests = this.#requests;
    const requestId = effect.id + REQUEST;
    let durable: Promise<void> | null = null;
    return {
      sinceMs: intent?.atMs ?? journal.clock.now(),
      resumed: intent !== null,
      get request() {
        return requests.get(requestId) ?? null;
      },
      ready: (request) => {
        // Another engine will find out what has been done, and do the rest.
        if (this.#handedOver) return new Promise(() => undefined);
        // What was noted before is asked for again as it is.
        if (request !== undefined && !requests.has(requestId)) {
          requests.set(requestId, request);
          this.#append({ ...effect, id: requestId }, "done", request);
          durable = null;
        }
        return (durable ??= journal.durable(effect));
      },
      note: (what) => {
        journal.counters[what]++;
        journal.warn(`journal.${what}`, effect);
      },
    };
  }

  /** Pages of which nobody knows whether they went out. */
  get lost(): readonly CallError[] {
    return this.#lost;
  }

  /**
   * Another engine goes on: nothing is begun any more, and nothing has a result. What is broken off as the engine
   * stops would be taken for failed.
   */
  handOver(): void {
    this.#handedOver = true;
    this.#journal.open -= this.#running.size;
    this.#running.clear();
  }

  /** Writes what came of an effect. */
  settle(answer: EffectAnswer): void {
    const { id, name } = answer;
    if (!this.#running.delete(id)) return;
    const dead = isDead(answer);
    const failed = answer.type === "effect.failed" ? "failed" : "done";
    if (dead) this.#bury(answer);
    this.#journal.ended(name, dead ? "dead" : failed);
    this.#journal.open--;
    if (answer.type === "effect.done") this.#journal.claim(answer.callSid);
    const entry = this.#append({ id, name, input: {} }, dead ? "dead" : failed, answerData(answer));
    const known = this.#known.get(id);
    if (known) known.result = entry;
  }

  #bury({ name, at }: EffectAnswer): void {
    this.#journal.counters.dead++;
    // What the call itself asks for, it notes itself.
    if (name.startsWith("carrier.") || this.#lost.length >= MAX_LOST) return;
    const message = "nobody knows whether it was done";
    this.#lost.push({ atMs: at, code: `${name}.${OUTCOME_UNKNOWN}`, message });
  }

  #append({ id, name }: NamedEffect, state: JournalEntry["state"], data: Data): JournalEntry {
    const atMs = this.#journal.clock.now();
    const entry = { callSid: this.#callSid, effectId: id, name, state, atMs, data };
    this.#journal.append(entry);
    return entry;
  }
}

/** A ring whose making nobody knows of may ring all the same, and is answered so: its own callbacks tell. */
function isDead(answer: EffectAnswer): boolean {
  if (answer.type === "effect.failed") return answer.code === OUTCOME_UNKNOWN;
  return answer.name === "page.call" && answer.callSid === null;
}

function sameInput(intent: JournalEntry, effect: NamedEffect): boolean {
  const { input = null } = intent.data;
  return intent.name === effect.name && canonical(input).text === canonical(effect.input).text;
}
