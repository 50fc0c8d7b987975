/**
 * Goes along a path of a phone's page on the sandbox: each event is an act, and what would come by itself is
 * held until the path has it. After each the engine's page must be in the state where the path is.
 */
import type { PageEvent } from "../../../machines/page.facts.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import type { Driven } from "./driven.ts";
import { LABEL, nameOf, type PagePath, RING_MS } from "./page-paths.ts";
import { legStatus, LIST_CALLS, REFUSED, talking } from "./plan.ts";
import { DOCTOR, NURSE, type Phone, type Setup } from "./setting.ts";
import type { Fate, Hold } from "./wires.ts";

const ACTOR = `ladder-1/${LABEL}`;
/** The nurse's text comes between. */
const DOCTORS_ACTOR = "ladder-1/human-3";
/** A window that is over only when the path has that. */
const LONG_MS = 300_000;
const WINDOW_MS = 8000;
/** Over before the request for the call is answered. */
const SHORT_MS = 2000;
/** From picking up until a key is heard. */
const LISTENING_MS = 500;
/** Has to wait for its turn for longer than a request is awaited, and is then taken back. */
const LATER: Fate = { refused: 429, retryAfterS: 20 };

export function pageSetup({ steps }: PagePath): Setup {
  const closes = steps.findIndex(({ event }) => event.type === "page.cancel" && event.why === "window");
  const ackTimeoutMs = closes < 0 ? LONG_MS : closes === 0 ? SHORT_MS : WINDOW_MS;
  return {
    rungs: [[{ ...NURSE, sms: NURSE.voice }, DOCTOR]],
    escalation: { ackTimeoutMs, ringTimeoutMs: RING_MS },
  };
}

export function drivePage(call: Driven, path: PagePath): void {
  const stage = new PageStage(call, path);
  for (const { event, value } of path.steps) {
    stage.does(event);
    const now = stage.valueAfter(event);
    if (JSON.stringify(now) === JSON.stringify(value)) continue;
    const [is, should] = [JSON.stringify(now), JSON.stringify(value)];
    throw new Error(`after ${nameOf(event)} the page is in ${is}, not in ${should}`);
  }
}

class PageStage {
  readonly #call: Driven;
  readonly #news = new Map<string, Hold>();
  #answer: Hold | null = null;
  /** Requests that end the nurse's call. */
  #ending: Hold | null = null;
  #phone: Phone | null = null;
  /** How far the log has been read. */
  #read = 0;

  constructor(call: Driven, { steps }: PagePath) {
    this.#call = call;
    const events = steps.map(({ event }) => event);
    for (const status of ["initiated", "ringing", "in-progress", "busy", "no-answer", "completed"]) {
      this.#news.set(status, call.wires.hold(...legStatus(LABEL, `${status} `)));
    }
    const request = ["POST", "/Calls.json", `To=${NURSE.voice} `] as const;
    // Whatever was sent is answered before its deadline: only what has to wait for its turn is not.
    const sent = events[0]?.type !== "deadline";
    // What is not answered cannot be looked up, either.
    call.wires.rule(LIST_CALLS, REFUSED);
    if (sent) this.#answer = call.wires.holdAnswer(...request);
    else call.wires.rule(request, LATER);
    talking(call).operator("escalate");
    if (!sent) return;
    this.#phone = call.rings(NURSE.voice);
    this.#ending = call.wires.hold("POST", `/Calls/${this.#phone.callSid}.json`);
  }

  does(event: PageEvent): void {
    switch (event.type) {
      case "effect.done":
      case "effect.failed":
        this.#answers(event);
        return;
      case "leg.status":
        this.#hears(event.status);
        return;
      case "human.answered":
        this.#call.waits(LISTENING_MS);
        this.#phone?.presses(event.answer === "accepted" ? "1" : "2");
        return;
      case "page.cancel":
        if (event.why === "handled") this.#doctorAccepts();
        if (event.why === "declined") this.#call.waits(300).texts(NURSE.voice, "2");
        return;
      default:
        // A deadline: time goes on, and what is asked for meanwhile has to wait.
        this.#passes(event, LATER);
    }
  }

  #answers(event: Extract<PageEvent, { readonly type: "effect.done" | "effect.failed" }>): void {
    const done = event.type === "effect.done";
    if (event.name !== "page.call") this.#passes(event, done ? "pass" : REFUSED);
    // Without a sid it is held until nobody waits for it any more.
    else if (!done) this.#answer?.release(REFUSED);
    else if (event.callSid !== null) this.#answer?.release();
  }

  #hears(status: string): void {
    if (status === "in-progress") this.#phone?.picksUp();
    if (status === "busy") this.#phone?.busy();
    if (status === "completed") this.#phone?.hangsUp();
    this.#news.get(status)?.release();
  }

  #doctorAccepts(): void {
    const doctor = this.#call.rings(DOCTOR.voice).picksUp();
    this.#call.until("voice.briefing", DOCTORS_ACTOR).waits(LISTENING_MS);
    doctor.presses("1");
  }

  /** Until the event has come, such is the fate of what would end the nurse's call. */
  #passes(event: PageEvent, fate: Fate): void {
    const ending = this.#ending;
    this.#call.until(() => {
      if (ending && ending.size > 0) ending.next(fate);
      return this.#find(event) !== null;
    });
  }

  /** The state that the engine's page came to with this event, once it has come. */
  valueAfter(event: PageEvent): unknown {
    this.#call.until(() => this.#find(event) !== null, `${ACTOR}: ${nameOf(event)}`);
    const found = this.#find(event);
    this.#read = found?.next ?? this.#read;
    return found?.value;
  }

  #find(event: PageEvent): { readonly value: unknown; readonly next: number } | null {
    const { entries } = this.#call;
    for (let at = this.#read; at < entries.length; at++) {
      const entry = entries[at];
      // An event from outside is logged with its fields before what the actors made of it.
      const isIt = event.type === "page.cancel" || (entry?.kind === "event" && fits(entry, event));
      if (!isIt) continue;
      const step = entries.findIndex(
        ({ kind, name, data }, index) =>
          index >= at && kind === "step" && name === ACTOR && data["event"] === event.type,
      );
      return step < 0 ? null : { value: entries[step]?.data["value"], next: step + 1 };
    }
    return null;
  }
}

const TELLING = ["name", "status", "answer"] as const;

/** The same event, but for its time and its sids. */
function fits({ name, data }: AuditEntry, event: PageEvent): boolean {
  const wanted = event as unknown as Readonly<Record<string, unknown>>;
  // The status of a request that failed is not the path's business.
  const fields = TELLING.filter((field) => field !== "status" || event.type === "leg.status");
  const isOurs = data["label"] === LABEL || data["of"] === LABEL;
  return name === event.type && isOurs && fields.every((field) => data[field] === wanted[field]);
}
