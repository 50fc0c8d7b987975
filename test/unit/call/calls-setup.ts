/** Calls on fake ports and a virtual clock: real sessions, effects and media legs, and no sockets. */
import type { ChainedEntry } from "../../../engine/platform/hash-chain.ts";
import { callLogicOn } from "../../../engine/call/deadline.ts";
import type { CallSession } from "../../../engine/call/call-session.ts";
import { CarrierEffects } from "../../../engine/call/effects.ts";
import { LegKeys } from "../../../engine/call/leg-keys.ts";
import { createLiveIndex, type FeedMessage } from "../../../engine/call/live-index.ts";
import { createPaging } from "../../../engine/call/paging.ts";
import { VoiceMetrics } from "../../../engine/call/voice-metrics.ts";
import { Supervisor } from "../../../engine/call/supervisor.ts";
import { LEG_TAPES_BYTES } from "../../../engine/call/tracks.ts";
import { createUrls } from "../../../engine/call/urls.ts";
import { createWording } from "../../../engine/call/wording.ts";
import { Journal } from "../../../engine/effects/journal.ts";
import { TapeBudget } from "../../../engine/media/tape.ts";
import { PostCalls } from "../../../engine/postcall/post-calls.ts";
import type { KeptRows, ScriptedExtractor } from "../../support/fake-after-call.ts";
import type { DeploymentInput } from "../../../engine/config/deployment.ts";
import type { SpeechModel } from "../../../engine/ports.ts";
import type { UnstampedCallEvent } from "../../../machines/events.ts";
import { FAKE_ACCOUNT, InstantCarrier, MemoryStore, SilentModel } from "../../support/fake-ports.ts";
import { MemoryRecordings } from "../../support/fake-recordings.ts";
import { KeptPushes } from "../../support/kept-pushes.ts";
import { StallingClock } from "../media/fake-carrier.ts";
import { setUp } from "../media/leg-setup.ts";
import { CALL_SID, CONFERENCE_SID, deploymentOf, keptLog, settle, START_MS } from "./support.ts";

export const ORIGIN = "https://voice.example";
export const CALLER = "+15550177";

export interface CallsOptions {
  readonly deployment?: DeploymentInput;
  readonly model?: SpeechModel;
  readonly clock?: StallingClock;
  readonly onCallEnded?: (callSid: string) => void;
  /** Who reads what was said, and who gets the rows; nobody by default. */
  readonly extractor?: ScriptedExtractor;
  readonly sender?: KeptRows;
  /** Another engine goes on with what this one leaves; `true` by default. */
  readonly followed?: boolean;
  readonly onEntry?: (entry: ChainedEntry) => void;
  /** Of an engine that was there before. */
  readonly world?: { readonly carrier: InstantCarrier; readonly store: MemoryStore };
}

export function makeCalls(options: CallsOptions = {}) {
  const clock = options.clock ?? new StallingClock(START_MS);
  const deployment = deploymentOf(options.deployment);
  const { log, lines } = keptLog(clock);
  const { carrier, store } = options.world ?? { carrier: new InstantCarrier(), store: new MemoryStore() };
  const silent = new SilentModel();
  const recordings = new MemoryRecordings();
  const index = createLiveIndex();
  const feed: FeedMessage[] = [];
  const over: string[] = [];
  const legKeys = new LegKeys(FAKE_ACCOUNT.authToken);
  const urls = createUrls(ORIGIN);
  const pushes = new KeptPushes();
  const journal = new Journal({ store, clock, log });
  const paging = createPaging({
    journal,
    claims: journal.claims,
    clock,
    log,
    store,
    carrier,
    pushes,
    urls,
    deployment,
    number: FAKE_ACCOUNT.number,
    ackUrl: (callSid, label) => urls.ack(`${callSid}-${label}`),
    feed: (message) => void feed.push(message),
    call: (callSid) => supervisor.get(callSid),
    ...(options.onEntry && { onEntry: options.onEntry }),
  });
  const voiceMetrics = new VoiceMetrics();
  const postCalls = new PostCalls({
    clock,
    log,
    store,
    journal,
    deployment,
    feed: (message) => void feed.push(message),
    extractor: options.extractor ?? null,
    sender: options.sender ?? null,
    followed: options.followed ?? true,
  });
  const supervisor: Supervisor = new Supervisor({
    ...paging,
    postCalls,
    clock,
    log,
    store,
    journal,
    recordings,
    legTapes: new TapeBudget(LEG_TAPES_BYTES),
    model: options.model ?? silent,
    voiceMetrics,
    provider: "sandbox",
    logic: callLogicOn(clock),
    effects: new CarrierEffects({ carrier, clock, urls, legKeys, deployment, ...FAKE_ACCOUNT }),
    deployment,
    wording: createWording(deployment.agent),
    index,
    feed: (message) => void feed.push(message),
    ...(options.onEntry && { onEntry: options.onEntry }),
    legKeys,
    usedTokens: () => ({ "ai-1": 1 }),
    onCallEnded: (callSid) => {
      over.push(callSid);
      options.onCallEnded?.(callSid);
    },
  });
  return {
    clock,
    deployment,
    log,
    lines,
    carrier,
    model: silent,
    recordings,
    store,
    journal,
    index,
    feed,
    over,
    legKeys,
    urls,
    pushes,
    supervisor,
    voiceMetrics,
    postCalls,
    ...paging,
  };
}

export type Calls = ReturnType<typeof makeCalls>;

export function beginCall({ supervisor }: Pick<Calls, "supervisor">, callSid = CALL_SID): CallSession {
  const begun = supervisor.begin({
    callSid,
    conferenceName: `af-${callSid}`,
    from: CALLER,
    to: FAKE_ACCOUNT.number,
  });
  if (typeof begun === "string") throw new Error(`the call was refused: ${begun}`);
  return begun;
}

export const joined = (
  label: string,
  callSid = CALL_SID,
  conferenceSid = CONFERENCE_SID,
): UnstampedCallEvent => ({ type: "participant.joined", label, callSid, conferenceSid });

/** The caller is in the room, as the carrier sees it and as it tells us. */
export async function callerJoins({ carrier }: Calls, session: CallSession): Promise<void> {
  const { callSid } = session;
  const conference = `af-${callSid}`;
  const made = await carrier.createParticipant({ conference, to: "", from: CALLER, label: "caller" });
  carrier.requests.length = 0;
  session.deliver(joined("caller", callSid, made.conferenceSid));
  await settle();
}

export const escalate = (to: string | null = "+15550100"): UnstampedCallEvent => ({
  type: "op.escalate",
  to,
  reason: "chest pain",
  urgency: "high",
});

/** Opens a stream of an AI leg, as the gateway does. `taken` is whether the call wanted it. */
export function openStream(session: CallSession, clock: StallingClock, label = "ai-1", streamSid = "MZ1") {
  const { leg, carrier: socket } = setUp({}, {}, clock);
  const taken = session.streamStarted({ label, streamSid, streamCallSid: "CA1", leg });
  const close = (): void => {
    session.streamClosed({ label, streamSid, reason: "socket" });
    leg.dispose();
  };
  return { taken, leg, socket, close };
}

/** A caller and the AI who talk. */
export async function streaming(calls: Calls, callSid = CALL_SID) {
  const session = beginCall(calls, callSid);
  await callerJoins(calls, session);
  const stream = openStream(session, calls.clock);
  await settle();
  return { session, stream };
}

/** The sid that the carrier gave to a page's call. */
export function legSid({ store }: Pick<Calls, "store">, label = "human-1", callSid = CALL_SID): string {
  const made = (store.logs.get(callSid) ?? []).find(
    ({ kind, data }) => kind === "result" && data["name"] === "page.call" && data["label"] === label,
  );
  return made?.data["callSid"] as string;
}

/** Somebody picks up and presses a key. */
export async function accepts(calls: Calls, session: CallSession, label = "human-1"): Promise<void> {
  const callSid = legSid(calls, label, session.callSid);
  session.deliver({ type: "leg.status", label, callSid, status: "in-progress" });
  session.deliver({ type: "human.answered", label, answer: "accepted" });
  await settle();
}

/** Somebody picks up, presses a key and comes into the room. */
export async function joins(calls: Calls, session: CallSession, label = "human-1"): Promise<void> {
  await accepts(calls, session, label);
  const { conferenceSid } = session.row();
  session.deliver(joined(label, legSid(calls, label, session.callSid), conferenceSid ?? undefined));
  await settle();
}

/** A person is being rung. */
export async function ringing(calls: Calls) {
  const scene = await streaming(calls);
  scene.session.deliver(escalate());
  await settle();
  return scene;
}

/** The human is in the room and the AI whispers, or has left, as the deployment says. */
export async function handedOver(calls: Calls) {
  const scene = await ringing(calls);
  await joins(calls, scene.session);
  return scene;
}

/** Removed by the operator, and gone. */
export async function gone(calls: Calls) {
  const scene = await handedOver(calls);
  scene.session.deliver({ type: "op.remove" });
  await settle();
  scene.stream.close();
  await settle();
  return scene;
}
