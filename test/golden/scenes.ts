/** How calls stand when their engine is gone: what the golden snapshots are made of. */
import {
  accepts,
  callerJoins,
  type Calls,
  beginCall,
  escalate,
  gone,
  handedOver,
  makeCalls,
  ringing,
  streaming,
} from "../unit/call/calls-setup.ts";
import { settle } from "../unit/call/support.ts";
import { foundName, KeptRows, ScriptedExtractor } from "../support/fake-after-call.ts";
import type { ExtractorAnswer } from "../../engine/extractor-port.ts";

/** Two rungs, one of which has a text; and a short pause when both were in vain. */
export const DEPLOYMENT = {
  postCall: { attempts: 3, retryAfterMs: 60_000, webhook: { url: "https://rows.example/hook" } },
  limits: { maxCallMs: 3_600_000 },
  escalation: {
    ackTimeoutMs: 30_000,
    againAfterMs: 60_000,
    rungs: [
      { name: "primary", contacts: [{ name: "nurse", voice: "+15550100", sms: "+15550100" }] },
      { name: "secondary", contacts: [{ name: "Dr. Lee", voice: "+15550101" }] },
    ],
  },
};

async function onLadder(calls: Calls, advanceMs: number): Promise<void> {
  const { session } = await streaming(calls);
  session.deliver(escalate(null));
  await settle();
  for (let rest = advanceMs; rest > 0; rest -= 1000) {
    calls.clock.advance(Math.min(1000, rest));
    await settle();
  }
}

export interface Scene {
  /** State of the call's machine; `ended`: somebody is sought without the caller. */
  readonly state: string;
  readonly play: (calls: Calls) => Promise<unknown>;
}

export const SCENES: Readonly<Record<string, Scene>> = {
  arriving: { state: "arriving", play: async (calls) => await callerJoins(calls, beginCall(calls)) },
  streaming: { state: "streaming", play: streaming },
  "first-rung": { state: "escalating", play: (calls) => onLadder(calls, 0) },
  "second-rung": { state: "escalating", play: (calls) => onLadder(calls, 35_000) },
  exhausted: { state: "streaming", play: (calls) => onLadder(calls, 65_000) },
  joining: {
    state: "escalating",
    play: async (calls) => {
      const { session } = await ringing(calls);
      await accepts(calls, session);
    },
  },
  coaching: { state: "coaching", play: handedOver },
  removed: { state: "removed", play: gone },
  "follow-up": {
    state: "ended",
    play: async (calls) => {
      await onLadder(calls, 65_000);
      for (const session of calls.supervisor.all()) session.deliver({ type: "caller.gone", reason: "left" });
      await settle();
      calls.clock.advance(61_000);
      await settle();
    },
  },
};

/** What the caller of each has said, and what is found in it. */
export const FOUND = foundName("Ann Lee", 0, 11);

/** A call is over, and its row is not complete. */
async function over(calls: Calls): Promise<void> {
  const { session } = await streaming(calls);
  calls.model.sessions.at(-1)?.sink.userText({ itemId: "item-1", text: "My name is Ann Lee." });
  session.deliver({ type: "caller.gone", reason: "dial_ended" });
  await settle();
}

export interface AfterScene {
  /** State of what follows the call. */
  readonly value: string;
  readonly answers: readonly ExtractorAnswer[];
  readonly statuses: readonly number[];
}

const FAILED: ExtractorAnswer = { ok: false, problem: "timeout", status: 0 };

/** What follows a call, by how far it is. */
export const AFTER_SCENES: Readonly<Record<string, AfterScene>> = {
  "post-call-extracting": { value: "extracting", answers: [], statuses: [] },
  "post-call-extraction-paused": { value: "extractionPaused", answers: [FAILED], statuses: [] },
  "post-call-delivery-paused": { value: "deliveryPaused", answers: [FOUND], statuses: [503] },
};

export async function snapshotAfter({ answers, statuses }: AfterScene) {
  const extractor = new ScriptedExtractor();
  const sender = new KeptRows();
  extractor.answers.push(...answers);
  sender.statuses.push(...statuses);
  const calls = makeCalls({ deployment: DEPLOYMENT, extractor, sender });
  await over(calls);
  return await onlySnapshot(calls);
}

/** The snapshot of a scene. */
export async function snapshotOf({ play }: Scene) {
  const calls = makeCalls({ deployment: DEPLOYMENT });
  await play(calls);
  return await onlySnapshot(calls);
}

async function onlySnapshot(calls: Calls) {
  const [snapshot] = await calls.store.unfinishedSnapshots();
  if (!snapshot) throw new Error("the scene left no snapshot");
  return snapshot;
}
