import { errorText } from "../../../../engine/errors.ts";
import { type Network, systemNetwork } from "../../../../engine/platform/network.ts";
import type { Clock, Ids, Log } from "../../../../engine/ports.ts";
import { FRAME_BYTES, FRAME_MS, type AudioEndpoint } from "../../types.ts";
import type { StreamTapFrame } from "../types.ts";
import { DelayLine } from "./delay-line.ts";
import { Playout } from "./playout.ts";
import { CONNECTED_MESSAGE, MessageWriter, parseServerMessage, signUpgrade } from "./stream-messages.ts";
import { connectionRefusal, StreamCode, StreamSocket } from "./stream-socket.ts";
import { taintOfFrame, type TaintTable } from "./taint.ts";

export interface StreamClosed {
  /**
   * `server`: it closed the socket. `carrier`: the call was over. `failed`: never connected, or the socket
   * broke.
   */
  readonly by: "server" | "carrier" | "failed";
  /** Twilio's error code of the stream; `null` when nothing went wrong. */
  readonly errorCode: number | null;
}

export interface StreamLegOptions {
  /** `ws://` or `wss://`, without a query: Twilio supports none. */
  readonly url: string;
  /** The `<Parameter>`s. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly accountSid: string;
  readonly callSid: string;
  readonly authToken: string;
  /** Default: the machine's own. */
  readonly network?: Network;
  readonly ids: Ids;
  readonly clock: Clock;
  readonly log: Log;
  /** Added to each direction. Default 0. */
  readonly oneWayDelayMs?: number;
  /** Each message, in either direction, takes up to this much longer; order is kept. Default 0. */
  readonly jitterMs?: number;
  /** Share of marks that never come back, 0..1; a function is asked for each mark. Default 0. */
  readonly markLossRate?: number | (() => number);
  readonly tap?: ((frame: StreamTapFrame) => void) | undefined;
  /** Marks what it plays. */
  readonly taints?: TaintTable | undefined;
  /** Frames of 20 ms in each media message to the server; Twilio's have one. Default 1. */
  readonly framesPerMessage?: number | undefined;
  /** Of `<Start>`: the server is only told, and whatever it says is invalid. Default: both ways. */
  readonly oneWay?: boolean;
  /** Default 5000. */
  readonly connectTimeoutMs?: number;
  onStarted(streamSid: string): void;
  /** Exactly once, unless the leg was never connected; possibly from inside `stop` or `drop`. */
  onClosed(reason: StreamClosed): void;
  /** Each of Twilio's warning codes at most once per stream. */
  onWarning(code: number): void;
  /** The truth about what was heard: each piece of audio as it is played, 1..160 bytes, the array reused. */
  onPlayed?(ulaw: Uint8Array): void;
}

/** Counters of one stream; bytes are μ-law at 8 kHz (8 per ms). */
export interface StreamStats {
  readonly acceptedBytes: number;
  readonly playedBytes: number;
  readonly clearedBytes: number;
  readonly heldBytes: number;
  /** Discarded because ten minutes were held (31931). */
  readonly overflowBytes: number;
  readonly marksReceived: number;
  readonly marksEchoed: number;
  readonly marksLost: number;
  readonly marksRefused: number;
  readonly marksOutstanding: number;
  readonly clears: number;
  readonly invalidMessages: number;
  readonly warnings: number;
  readonly framesSent: number;
  /** Frames heard while there was no open stream to send them on. */
  readonly framesUnsent: number;
  /** Discarded because the server read too slowly (31930). */
  readonly framesDiscarded: number;
  /** Messages and closes that the delay lines hold now. */
  readonly inTransit: number;
  /** Messages that a full delay line handed on before their time. */
  readonly releasedEarly: number;
}

/**
 * A tick that comes later than this after the last one was skipped by the ticker: the timeline has a gap
 * there.
 */
const TIMELINE_SLACK_MS = 200;

type Phase = "idle" | "connecting" | "open" | "stopping" | "closed";

/**
 * The carrier's side of a media stream. Of a bidirectional one (`<Connect><Stream>`) it is one more endpoint in the
 * conference: it says what the server sent, in real time, and what it hears goes to the server at once. Of a one-way
 * one it only hears.
 */
export class StreamLeg implements AudioEndpoint {
  readonly streamSid: string;
  readonly #options: StreamLegOptions;
  readonly #writer: MessageWriter;
  readonly #playout: Playout;
  readonly #outgoing: DelayLine<string | null>;
  readonly #incoming: DelayLine<string | null | number>;
  readonly #warned = new Set<number>();
  #phase: Phase = "idle";
  #socket: StreamSocket | null = null;
  /** The frames of the message that is being filled. */
  readonly #heard: Uint8Array;
  #heardBytes = 0;
  #startedMs = 0;
  #timestampMs = 0;
  #marksReceived = 0;
  #marksEchoed = 0;
  #marksLost = 0;
  #clears = 0;
  #invalidMessages = 0;
  #framesSent = 0;
  #framesUnsent = 0;
  #taint = 0;

  constructor(options: StreamLegOptions) {
    this.#options = options;
    this.#heard = new Uint8Array((options.framesPerMessage ?? 1) * FRAME_BYTES);
    this.streamSid = options.ids.sid("MZ");
    const { accountSid, callSid, clock } = options;
    this.#writer = new MessageWriter({ accountSid, callSid, streamSid: this.streamSid });
    this.#playout = new Playout((name) => this.#echo(name));
    const delay = {
      delayMs: options.oneWayDelayMs ?? 0,
      jitterMs: options.jitterMs ?? 0,
      random: () => options.ids.random(),
    };
    this.#outgoing = new DelayLine(clock, delay, (text) => this.#depart(text));
    this.#incoming = new DelayLine(clock, delay, (item) => this.#arrived(item));
  }

  /** Connects once; what comes of it is told by `onStarted` or `onClosed`, never from inside this call. */
  connect(): void {
    if (this.#phase !== "idle") return;
    this.#phase = "connecting";
    const { url, authToken, clock } = this.#options;
    const refusal = connectionRefusal(url);
    if (refusal !== null) {
      queueMicrotask(() => this.#finish({ by: "failed", errorCode: refusal }));
      return;
    }
    this.#socket = new StreamSocket({
      url,
      network: this.#options.network ?? systemNetwork,
      signature: signUpgrade(authToken, url),
      clock,
      connectTimeoutMs: this.#options.connectTimeoutMs ?? 5_000,
      onOpen: () => this.#guard(() => this.#opened()),
      onMessage: (text) => this.#guard(() => this.#received(text)),
      onClosed: (code) => this.#guard(() => this.#socketClosed(code)),
      onFailed: (errorCode) => this.#guard(() => this.#finish({ by: "failed", errorCode })),
      onSlowReader: () => this.#guard(() => this.#warn(StreamCode.slowReader)),
    });
  }

  /** Tells the server of a key pressed on the far end: one of `0-9*#`. */
  dtmf(digit: string): void {
    if (this.#phase === "open") this.#outgoing.push(this.#writer.dtmf(digit));
  }

  /** The call is over: sends `stop` and closes. */
  stop(): void {
    if (this.#phase === "open") {
      this.#phase = "stopping";
      this.#outgoing.push(this.#writer.stop());
      this.#outgoing.push(null);
      return;
    }
    if (this.#phase !== "stopping") this.#finish({ by: "carrier", errorCode: null });
  }

  /** Fault injection: the socket dies without `stop` or a closing handshake. */
  drop(): void {
    this.#finish({ by: "failed", errorCode: StreamCode.brokenPipe });
  }

  read(out: Uint8Array): boolean {
    if (this.#phase !== "open") return false;
    const played = this.#playout.play(out);
    const { taints } = this.#options;
    if (taints) this.#taint = taintOfFrame(taints, out, played);
    if (played > 0) this.#options.onPlayed?.(played === out.length ? out : out.subarray(0, played));
    return played > 0;
  }

  get taint(): number {
    return this.#taint;
  }

  write(frame: Uint8Array): void {
    if (this.#phase !== "open") {
      this.#framesUnsent++;
      return;
    }
    this.#framesSent++;
    const heard = this.#heard;
    if (heard.length === frame.length) {
      this.#outgoing.push(this.#writer.media(frame, this.#nextTimestampMs()));
      return;
    }
    heard.set(frame, this.#heardBytes);
    this.#heardBytes += frame.length;
    if (this.#heardBytes < heard.length) return;
    this.#heardBytes = 0;
    this.#outgoing.push(this.#writer.media(heard, this.#nextTimestampMs()));
  }

  stats(): StreamStats {
    return {
      acceptedBytes: this.#playout.acceptedBytes,
      playedBytes: this.#playout.playedBytes,
      clearedBytes: this.#playout.clearedBytes,
      heldBytes: this.#playout.heldBytes,
      overflowBytes: this.#playout.overflowBytes,
      marksReceived: this.#marksReceived,
      marksEchoed: this.#marksEchoed,
      marksLost: this.#marksLost,
      marksRefused: this.#playout.refusedMarks,
      marksOutstanding: this.#playout.outstandingMarks,
      clears: this.#clears,
      invalidMessages: this.#invalidMessages,
      warnings: this.#warned.size,
      framesSent: this.#framesSent,
      framesUnsent: this.#framesUnsent,
      framesDiscarded: this.#socket?.discarded ?? 0,
      inTransit: this.#outgoing.size + this.#incoming.size,
      releasedEarly: this.#outgoing.early + this.#incoming.early,
    };
  }

  #opened(): void {
    if (this.#phase !== "connecting") return;
    this.#phase = "open";
    this.#startedMs = this.#options.clock.monotonicMs();
    this.#outgoing.push(CONNECTED_MESSAGE);
    this.#outgoing.push(this.#writer.start(this.#options.parameters));
    this.#options.onStarted(this.streamSid);
  }

  /** The timeline runs by frames, so that it has no jitter, and leaps where ticks were left out. */
  #nextTimestampMs(): number {
    const lengthMs = (this.#heard.length / FRAME_BYTES) * FRAME_MS;
    const sinceMs = this.#options.clock.monotonicMs() - this.#startedMs;
    const elapsedMs = Math.max(0, Math.floor(sinceMs - lengthMs + FRAME_MS));
    const behind = elapsedMs - this.#timestampMs > TIMELINE_SLACK_MS;
    const timestampMs = this.#writer.chunks === 0 || behind ? elapsedMs : this.#timestampMs;
    this.#timestampMs = timestampMs + lengthMs;
    return timestampMs;
  }

  /** From the socket: a text message, or `null` for a binary one. */
  #received(text: string | null): void {
    if (text !== null) this.#options.tap?.({ streamSid: this.streamSid, direction: "in", text });
    this.#incoming.push(text);
  }

  /** From the outgoing line: a message, or `null` to close. */
  #depart(text: string | null): void {
    if (text !== null) {
      this.#options.tap?.({ streamSid: this.streamSid, direction: "out", text });
      this.#socket?.send(text);
    } else if (!this.#socket?.close()) this.#finish({ by: "carrier", errorCode: null });
  }

  /** From the incoming line: a text message, `null` for a binary one, or a close code. */
  #arrived(item: string | null | number): void {
    if (typeof item === "number") {
      if (this.#phase === "stopping") {
        this.#finish({ by: "carrier", errorCode: null });
        return;
      }
      const errorCode = item === 1006 ? StreamCode.brokenPipe : StreamCode.serverClosed;
      this.#finish({ by: "server", errorCode });
      return;
    }
    if (this.#phase !== "open") return;
    const isRead = item !== null && this.#options.oneWay !== true;
    const message = isRead ? parseServerMessage(item, this.streamSid) : null;
    if (message === null) {
      this.#invalidMessages++;
      this.#warn(StreamCode.invalidMessage);
    } else if (message.event === "media") {
      if (!this.#playout.media(message.ulaw)) this.#warn(StreamCode.bufferFull);
    } else if (message.event === "mark") {
      this.#marksReceived++;
      this.#playout.mark(message.name);
    } else {
      this.#clears++;
      this.#playout.clear();
    }
  }

  #echo(name: string): void {
    const { markLossRate = 0 } = this.#options;
    const lossRate = typeof markLossRate === "function" ? markLossRate() : markLossRate;
    if (lossRate > 0 && this.#options.ids.random() < lossRate) {
      this.#marksLost++;
      return;
    }
    this.#marksEchoed++;
    this.#outgoing.push(this.#writer.mark(name));
  }

  #warn(code: number): void {
    if (this.#warned.has(code)) return;
    this.#warned.add(code);
    this.#options.onWarning(code);
  }

  #socketClosed(code: number): void {
    if (this.#phase === "stopping") this.#finish({ by: "carrier", errorCode: null });
    else this.#incoming.push(code);
  }

  #finish(reason: StreamClosed): void {
    const was = this.#phase;
    this.#phase = "closed";
    if (was === "closed" || was === "idle") return;
    this.#outgoing.clear();
    this.#incoming.clear();
    this.#socket?.terminate();
    this.#options.onClosed(reason);
  }

  /** Nothing may be thrown out of a socket handler: it would end the process. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#options.log.error("sandbox.stream.handler_failed", { error: errorText(error) });
    }
  }
}
