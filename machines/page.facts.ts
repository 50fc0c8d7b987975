/**
 * What a page knows, and how events add to it. Pure, idempotent and order-tolerant: a callback may come
 * late, twice, never, or before the answer to the request that caused it; a call's status only moves forward.
 */
import type { CALL_STATUSES, CallEvent, EventOf } from "./events.ts";
import {
  type CancelReason,
  CLOSE_REASONS,
  type LadderMessage,
  type PageEffectName,
  type PageInput,
  type PageResult,
  type PageState,
} from "./ladder.types.ts";
import { passTimer, type Timer, timerFrom } from "./timer.ts";

export type PageEvent = CallEvent | Extract<LadderMessage, { readonly type: "page.cancel" }>;

/** How far the page's call has come; it never goes back. */
const RANK = { asked: 0, dialing: 1, ringing: 2, answered: 3, gone: 4 } as const;
export type PageCallStatus = keyof typeof RANK;

export interface PageContext extends PageInput {
  readonly label: string;
  /** Time of the latest event. */
  readonly nowMs: number;
  /** What became of the request that pages them; `unknown`: it may have reached them, or not. */
  readonly request: "asked" | "made" | "unknown" | "failed";
  /** Sid of the call that pages them; `callSid` is the caller's. */
  readonly legSid: string | null;
  readonly status: PageCallStatus;
  readonly result: PageResult | null;
  readonly acks: number;
  readonly consult: boolean;
  /** They pressed the key that declines, or are a machine: no key counts after that. */
  readonly refused: boolean;
  readonly cancelled: { readonly why: CancelReason | "declined"; readonly by: string | null } | null;
  /** The incident is over: nothing that is answered from now on counts. */
  readonly over: boolean;
  /** Id of the latest request to end the call, and whether it has failed. */
  readonly endingId: string | null;
  readonly endingFailed: boolean;
  readonly hangUps: number;
  readonly clear: boolean;
  readonly timer: Timer;
  readonly effectCount: number;
  /** What its ladder was told last. */
  readonly told: PageState;
}

type Patch = { -readonly [K in keyof PageContext]?: PageContext[K] };

export function initialPage(input: PageInput): PageContext {
  const facts: Omit<PageContext, "told"> = {
    ...input,
    label: input.record.label,
    nowMs: input.atMs,
    request: "asked",
    legSid: null,
    status: "asked",
    result: null,
    acks: 0,
    consult: false,
    refused: false,
    cancelled: null,
    over: false,
    endingId: null,
    endingFailed: false,
    hangUps: 0,
    clear: false,
    timer: timerFrom(input.atMs, 0),
    effectCount: 0,
  };
  return { ...facts, told: pageState(facts) };
}

const isText = (context: PageContext): boolean => context.record.channel !== "voice";

export const effectId = (context: PageContext, ordinal: number, name: PageEffectName): string =>
  `${context.callSid}/${context.label}/${ordinal}/${name}`;

/** What a page asks for before anything else. */
export const requestOf = ({ record }: PageContext): "page.call" | "page.sms" | "page.push" =>
  record.channel === "voice" ? "page.call" : `page.${record.channel}`;

/** The facts that `event` adds. Events about other pages are not for this one, and are left out by its ladder. */
export function recordPage(context: PageContext, event: PageEvent): Patch {
  const nowMs = Math.max(context.nowMs, event.at);
  return { nowMs, ...recordFact(context, event) };
}

function recordFact(context: PageContext, event: PageEvent): Patch {
  switch (event.type) {
    case "page.cancel":
      return cancel(context, event);
    case "page.acknowledged":
      return context.over ? {} : { result: "acknowledged", acks: context.acks + 1 };
    case "page.declined":
      return { result: context.result ?? "declined" };
    case "page.undelivered":
      return { result: context.result ?? "failed" };
    case "human.answered":
      return answer(context, event.answer);
    case "leg.status":
      return recordStatus(context, event);
    case "effect.done":
      return recordDone(context, event);
    case "effect.failed":
      return recordFailure(context, event);
    case "deadline":
      return { timer: passTimer(context.timer, event.at) };
    default:
      return {};
  }
}

function forward(context: PageContext, status: PageCallStatus): PageCallStatus {
  return RANK[status] > RANK[context.status] ? status : context.status;
}

/** Whoever hears the briefing when their window closes may hear it to its end, and still accept. */
function cancel(context: PageContext, event: Extract<PageEvent, { readonly type: "page.cancel" }>): Patch {
  const { why, by } = event;
  const over = context.over || CLOSE_REASONS.some((each) => each === why);
  if (context.result !== null || (why === "window" && context.status === "answered")) return { over };
  return { over, cancelled: { why, by }, result: why === "window" ? "timed-out" : "cancelled" };
}

/** Results of a call that its person may not know of yet when they press the key that accepts. */
const UNHEARD: ReadonlySet<PageResult> = new Set<PageResult>(["cancelled", "timed-out", "no-answer"]);

function answer(context: PageContext, given: EventOf<"human.answered">["answer"]): Patch {
  const status = forward(context, "answered");
  const { result } = context;
  if (given === "declined" || given === "voicemail") {
    return { status, refused: true, result: result ?? given };
  }
  if (result === null) {
    return { status, result: "acknowledged", acks: 1, consult: given === "consult" };
  }
  const counts = UNHEARD.has(result) && !context.refused && !context.over;
  return counts ? { status, acks: 1 } : { status };
}

const ENDED: Readonly<Partial<Record<(typeof CALL_STATUSES)[number], PageResult>>> = {
  completed: "no-answer",
  busy: "busy",
  failed: "failed",
  "no-answer": "no-answer",
  canceled: "cancelled",
};

function recordStatus(context: PageContext, { callSid, status }: EventOf<"leg.status">): Patch {
  const known = { legSid: context.legSid ?? callSid };
  const ended = ENDED[status];
  if (ended !== undefined) return { ...known, status: "gone", result: context.result ?? ended };
  const now = status === "in-progress" ? "answered" : status === "ringing" ? "ringing" : "dialing";
  return { ...known, status: forward(context, now) };
}

function recordDone(context: PageContext, event: EventOf<"effect.done">): Patch {
  if (event.name === "page.hangUp") return { status: "gone" };
  if (event.id !== effectId(context, 1, requestOf(context))) return {};
  if (isText(context)) return { request: "made" };
  const legSid = context.legSid ?? event.callSid ?? null;
  return legSid === null
    ? { request: "unknown" }
    : { legSid, request: "made", status: forward(context, "dialing") };
}

function recordFailure(context: PageContext, event: EventOf<"effect.failed">): Patch {
  if (event.id === context.endingId) return { endingFailed: true };
  if (event.id !== effectId(context, 1, requestOf(context))) return {};
  // The request failed, but the call has shown itself: it is up all the same.
  if (context.status !== "asked") return {};
  const failed = { request: "failed", result: context.result ?? "failed" } as const;
  return isText(context) ? failed : { ...failed, status: "gone" };
}

/** What the ladder is to know. */
export function pageState(context: Omit<PageContext, "told">): PageState {
  const { label, result, acks, consult, clear, request } = context;
  return {
    label,
    result,
    callSid: context.legSid,
    answered: context.status === "answered",
    accepted: acks > 0,
    acks,
    consult,
    unsent: request === "failed",
    clear,
  };
}

export function hasNews(context: PageContext): boolean {
  const { told } = context;
  const now = pageState(context);
  return (Object.keys(now) as (keyof PageState)[]).some((key) => now[key] !== told[key]);
}
