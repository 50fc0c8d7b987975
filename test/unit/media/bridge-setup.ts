import { Bridge, type BridgeEvents } from "../../../engine/media/bridge.ts";
import type { MediaMetrics } from "../../../engine/media/media-metrics.ts";
import type { Tape } from "../../../engine/media/tape.ts";
import { silentLog } from "../../../engine/platform/log.ts";
import type {
  HeardItem,
  ModelAudioFormat,
  ModelCapabilities,
  ModelSession,
  TranscriptEntry,
} from "../../../engine/ports.ts";
import { setUp as setUpLeg } from "./leg-setup.ts";
import type { FakeCarrierOptions, StallingClock } from "./fake-carrier.ts";

/** A model session that only remembers what it was told. */
export class FakeSession implements ModelSession {
  readonly capabilities: ModelCapabilities;
  readonly appended: string[] = [];
  readonly interrupts: (readonly HeardItem[])[] = [];
  readonly log: string[];
  closed = false;

  constructor(log: string[] = [], audio: ModelAudioFormat = "pcmu") {
    this.log = log;
    this.capabilities = { audio, truncation: true, serverInterrupt: true };
  }

  appendAudio(base64: string): void {
    this.appended.push(base64);
  }

  interrupt(items: readonly HeardItem[]): void {
    this.interrupts.push(items);
    this.log.push("interrupt");
  }

  addText(): void {}
  speakAs(): void {}
  respond(): void {}
  setInstructions(): Promise<boolean> {
    return Promise.resolve(true);
  }
  toolResult(): void {}
  history(): [] {
    return [];
  }
  close(): void {
    this.closed = true;
  }
}

/** A bridge with everything it tells written down, in one order with what goes to carrier and model. */
export function setUpBridge(
  options: {
    events?: Partial<BridgeEvents>;
    holdMaxMs?: number;
    clock?: StallingClock;
    metrics?: MediaMetrics;
    audio?: ModelAudioFormat;
    coachTape?: Tape;
  } = {},
) {
  const first = setUpLeg();
  const { clock } = first;
  const order: string[] = [];
  const transcript: TranscriptEntry[] = [];
  const told: unknown[] = [];
  const note =
    (name: string) =>
    (detail?: unknown): void => {
      order.push(name);
      told.push([name, detail]);
    };
  const events: BridgeEvents = {
    modelReady: note("modelReady"),
    modelReconnecting: note("modelReconnecting"),
    modelWarning: note("modelWarning"),
    modelFailed: note("modelFailed"),
    toolCall: note("toolCall"),
    userSpeech: note("userSpeech"),
    turn: (times) => void told.push(["turn", times]),
    bargedIn: note("bargedIn"),
    transcript: (entry) => {
      order.push("transcript");
      transcript.push(entry);
    },
    drained: note("drained"),
    dtmf: note("dtmf"),
    usage: note("usage"),
    responseDone: note("responseDone"),
    ...options.events,
  };
  const bridge = new Bridge({
    callId: "CA1",
    clock,
    log: silentLog,
    events,
    ...(options.metrics && { metrics: options.metrics }),
    ...(options.coachTape && { coachTape: options.coachTape }),
    ...(options.holdMaxMs === undefined ? {} : { holdMaxMs: options.holdMaxMs }),
  });
  const session = new FakeSession(order, options.audio);
  /** A leg on a carrier of its own that notes what goes over the wire in the common order. */
  const newLeg = (carrierOptions: Partial<FakeCarrierOptions> = {}) => {
    const made = setUpLeg({ ...carrierOptions }, options.metrics ? { metrics: options.metrics } : {}, clock);
    made.carrier.sendResult = (text) => {
      if (!text.includes('"event":"mark"')) order.push(JSON.parse(text).event as string);
      return text.length;
    };
    return made;
  };
  /** Says `bytes` of one item, in a response of its own. */
  const say = (item: string, bytes: Uint8Array, response = `r-${item}`, done = true): void => {
    bridge.responseStarted(response);
    bridge.agentTextDelta({ itemId: item, responseId: response, delta: `text of ${item}` });
    for (let at = 0; at < bytes.length; at += 800) {
      const base64 = bytes.slice(at, at + 800).toBase64();
      bridge.audio({ responseId: response, itemId: item, contentIndex: 0, base64 });
    }
    if (!done) return;
    bridge.audioDone({ itemId: item });
    bridge.responseDone({ responseId: response, status: "completed", usage: null });
  };
  return { clock, bridge, session, order, told, transcript, newLeg, say };
}

/** A call under way: session ready, leg attached, the order empty. */
export function setUpCall(
  carrierOptions: Partial<FakeCarrierOptions> = {},
  options: Parameters<typeof setUpBridge>[0] = {},
) {
  const made = setUpBridge(options);
  const { leg, carrier, wheel } = made.newLeg(carrierOptions);
  made.bridge.attachSession(made.session);
  made.bridge.ready();
  made.bridge.attachLeg(leg);
  made.order.length = 0;
  return { ...made, leg, carrier, wheel };
}

let sequence = 1;

/** One inbound frame as the carrier sends it. */
export function inbound(bytes: Uint8Array, timestampMs: number): string {
  const n = ++sequence;
  return `{"event":"media","sequenceNumber":"${n}","media":{"track":"inbound","chunk":"${n}","timestamp":"${timestampMs}","payload":"${bytes.toBase64()}"},"streamSid":"MZ1"}`;
}
