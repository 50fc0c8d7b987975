import { StreamLeg, type StreamClosed } from "../media/stream-leg.ts";
import type { Call } from "../call/call.ts";
import type { Core } from "../types.ts";
import type { StreamNoun } from "../twiml/document.ts";

type StreamEvent = "stream-started" | "stream-stopped" | "stream-error";

interface Live {
  readonly call: Call;
  readonly noun: StreamNoun;
  readonly leg: StreamLeg;
  readonly oneWay: boolean;
}

const STOP_TIMEOUT_MS = 1000;

/** The media streams that are open now. */
export class Streams {
  readonly #core: Core;
  readonly #live = new Set<Live>();
  #onIdle: () => void = () => undefined;

  constructor(core: Core) {
    this.#core = core;
    core.faults.onMediaDrop = (callSid) => this.#drop(callSid);
  }

  get size(): number {
    return this.#live.size;
  }

  live(): readonly { readonly streamSid: string; readonly callSid: string; readonly stats: object }[] {
    return [...this.#live].map(({ call, leg }) => ({
      streamSid: leg.streamSid,
      callSid: call.sid,
      stats: leg.stats(),
    }));
  }

  /** The one-way streams of a call. */
  forksOf(call: Call): readonly Pick<Live, "noun" | "leg">[] {
    return [...this.#live].filter((each) => each.call === call && each.oneWay);
  }

  /** Connects to the stream's server at `url`; `onClosed` is called once, when it is over or never came about. */
  open(
    call: Call,
    noun: StreamNoun,
    url: string,
    onClosed: (closed: StreamClosed) => void,
    oneWay = false,
  ): StreamLeg {
    const core = this.#core;
    const leg = new StreamLeg({
      url,
      oneWay,
      parameters: noun.parameters,
      accountSid: core.accountSid,
      callSid: call.sid,
      authToken: core.options.authToken,
      network: core.network,
      ids: core.ids,
      clock: core.clock,
      log: core.log,
      oneWayDelayMs: core.faults.mediaDelayMs,
      framesPerMessage: core.options.framesPerMessage,
      tap: core.options.tap,
      taints: core.taints?.table,
      onPlayed: (ulaw) => core.options.onPlayed?.(leg.streamSid, ulaw),
      jitterMs: core.faults.mediaJitterMs,
      markLossRate: () => core.faults.markLossRate,
      onStarted: () => this.#report(call, noun, leg, "stream-started", null),
      onClosed: (closed) => {
        this.#live.delete(entry);
        if (this.#live.size === 0) this.#onIdle();
        this.#closed(call, noun, leg, closed);
        onClosed(closed);
      },
      onWarning: (code) => core.alerts.raise(code, `media stream ${leg.streamSid}`, call.sid),
    });
    const entry: Live = { call, noun, leg, oneWay };
    this.#live.add(entry);
    core.tally.add("stream.opened");
    leg.connect();
    return leg;
  }

  /** Ends every stream properly; sockets that do not close soon are cut. Resolves when none is left. */
  async stop(): Promise<void> {
    if (this.#live.size === 0) return;
    const over = Promise.withResolvers<void>();
    this.#onIdle = over.resolve;
    const { clock } = this.#core;
    const timer = clock.setTimeout(() => this.#drop(null), STOP_TIMEOUT_MS);
    for (const { leg } of this.#live) leg.stop();
    if (this.#live.size > 0) await over.promise;
    clock.clearTimeout(timer);
  }

  #closed(call: Call, noun: StreamNoun, leg: StreamLeg, closed: StreamClosed): void {
    this.#core.tally.add(`stream.closed.${closed.by}`);
    if (closed.errorCode !== null) {
      this.#core.alerts.raise(closed.errorCode, `media stream ${leg.streamSid} ended`, call.sid);
    }
    if (closed.by === "failed") this.#report(call, noun, leg, "stream-error", String(closed.errorCode ?? ""));
    else this.#report(call, noun, leg, "stream-stopped", null);
  }

  #report(call: Call, noun: StreamNoun, leg: StreamLeg, event: StreamEvent, error: string | null): void {
    if (noun.statusCallback === null) return;
    const fields: [string, string][] = [
      ["AccountSid", this.#core.accountSid],
      ["CallSid", call.sid],
      ["StreamSid", leg.streamSid],
      ["StreamName", noun.name ?? leg.streamSid],
      ["StreamEvent", event],
      ["Timestamp", new Date(this.#core.clock.now()).toISOString()],
    ];
    if (error !== null) fields.push(["StreamError", error]);
    this.#core.callbacks.send({
      target: { url: noun.statusCallback, method: noun.statusCallbackMethod },
      fields,
      product: "voice",
      event,
      callSid: call.sid,
    });
  }

  #drop(callSid: string | null): void {
    for (const { call, leg } of this.#live) {
      if (callSid === null || call.sid === callSid || call.parentSid === callSid) leg.drop();
    }
  }
}
