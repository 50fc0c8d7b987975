/** What a ladder asks of its pages and, by effects, of the world. Each returns the context that follows. */
import {
  type LadderContext,
  ladderId,
  type LadderPatch,
  type LivePage,
  type Telling,
  withIncident,
  withOne,
} from "./ladder.facts.ts";
import {
  type CancelReason,
  type Channel,
  MAX_PAGE_RECORDS,
  type PageEffect,
  type PageEffectInputs,
  type PageInput,
  type PageRecord,
} from "./ladder.types.ts";

/** Texts of earlier rungs that may still be acknowledged; of more, the oldest are given up. */
export const MAX_LATE_TEXTS = 200;

/** XState types `enqueue` by each machine's own actions, which do not exist yet where these are made. */
export interface LadderEnqueue {
  assign(patch: LadderPatch): void;
  emit(effect: PageEffect): void;
  sendTo(actor: string, event: object): void;
  stopChild(actor: string): void;
  readonly spawnChild: (src: "page", options: { readonly id: string; readonly input: PageInput }) => void;
}

function apply(enqueue: LadderEnqueue, context: LadderContext, patch: LadderPatch): LadderContext {
  enqueue.assign(patch);
  return { ...context, ...patch };
}

export function ask<N extends "ladder.tellPaged" | "ladder.tellCaller">(
  enqueue: LadderEnqueue,
  context: LadderContext,
  name: N,
  input: PageEffectInputs[N],
): LadderContext {
  const effectCount = context.effectCount + 1;
  const id = `${context.callSid}/${ladderId(context.incident.number)}/${effectCount}/${name}`;
  enqueue.emit({ type: "effect", id, name, input } as PageEffect);
  return apply(enqueue, context, { effectCount });
}

export interface Paged {
  readonly rung: number;
  readonly contact: number;
  readonly contactName: string;
  readonly channel: Channel;
  readonly purpose: PageRecord["purpose"];
  readonly to: string;
}

/** Starts a page of its own actor, and keeps its record. */
export function page(enqueue: LadderEnqueue, context: LadderContext, paged: Paged): LadderContext {
  const { callSid, incident, policy, nextPage, nowMs } = context;
  const { to, ...who } = paged;
  const label = `${paged.channel === "voice" ? "human" : paged.channel}-${nextPage}`;
  const record: PageRecord = {
    ...who,
    label,
    rungName: policy.rungs[paged.rung]?.name ?? "",
    walk: incident.walk,
    startedAtMs: nowMs,
    endedAtMs: null,
    result: null,
  };
  const { ringTimeoutMs, briefingTimeoutMs, joinTimeoutMs } = policy;
  const limits = { ringTimeoutMs, briefingTimeoutMs, joinTimeoutMs };
  enqueue.spawnChild("page", {
    id: label,
    input: { callSid, incident: incident.number, record, to, atMs: nowMs, ...limits },
  });
  // The oldest goes: of the newest somebody may still answer, and what they answer is looked up here.
  const dropped = incident.pages.length < MAX_PAGE_RECORDS ? 0 : 1;
  const kept = {
    pages: [...incident.pages.slice(dropped), record],
    pagesDropped: incident.pagesDropped + dropped,
  };
  return apply(enqueue, context, {
    nextPage: nextPage + 1,
    ...(paged.channel === "sms" ? askedAnew(context, to) : {}),
    pages: { ...context.pages, [label]: livePage(record, to) },
    ...withIncident(context, { ...kept, clear: false }),
  });
}

/**
 * Whoever was told of an owner, who has it no more, is told again when they are known to have been asked again: as if
 * this were their first text.
 */
function askedAnew({ texted, toldNumbers }: LadderContext, to: string): Partial<LadderContext> {
  if (!toldNumbers.includes(to)) return {};
  const isOther = (number: string): boolean => number !== to;
  return { texted: texted.filter(isOther), toldNumbers: toldNumbers.filter(isOther) };
}

function livePage({ label, channel, rung, contact, walk }: PageRecord, to: string): LivePage {
  const unheard = {
    result: null,
    callSid: null,
    answered: false,
    accepted: false,
    acks: 0,
    consult: false,
    unsent: false,
  };
  return { label, channel, rung, contact, walk, to, ...unheard, clear: false };
}

export function cancelPages(
  enqueue: LadderEnqueue,
  context: LadderContext,
  labels: readonly string[],
  why: CancelReason | "declined",
  by: string | null = null,
): void {
  for (const label of labels) enqueue.sendTo(label, { type: "page.cancel", at: context.nowMs, why, by });
}

/** Numbers that were paged by text and are to be told something that they were not told yet. */
export function untold({ telling, texted, toldNumbers }: LadderContext): readonly string[] {
  if (telling === null) return [];
  return texted.filter((to) => !telling.except.includes(to) && !toldNumbers.includes(to));
}

/** One text to each of them; whose page is still on its way is told when it is known to have been sent. */
export function tellPaged(enqueue: LadderEnqueue, context: LadderContext, telling: Telling): LadderContext {
  let now = apply(enqueue, context, { telling });
  for (const to of untold(now)) {
    now = ask(enqueue, now, "ladder.tellPaged", { to, why: telling.why, by: telling.by });
    now = apply(enqueue, now, { toldNumbers: withOne(now.toldNumbers, to) });
  }
  return now;
}

/** Keeps within bounds what may be acknowledged late. */
export function stopOldTexts(enqueue: LadderEnqueue, context: LadderContext): LadderContext {
  const late = Object.values(context.pages).filter(
    (each) => each.channel !== "voice" && each.clear && each.result !== null,
  );
  const old = late.slice(0, Math.max(0, late.length - MAX_LATE_TEXTS)).map((each) => each.label);
  if (old.length === 0) return context;
  for (const label of old) enqueue.stopChild(label);
  const pages = Object.fromEntries(Object.entries(context.pages).filter(([label]) => !old.includes(label)));
  return apply(enqueue, context, { pages });
}
