/** A telephone of the sandbox: a client of the carrier's phone WebSocket, with a mouth and an ear. */
import { CarrierError, errorText } from "../../../engine/errors.ts";
import { ULAW_SILENCE } from "../../../engine/media/g711.ts";
import type { Clock, Log } from "../../../engine/ports.ts";
import { FRAME_BYTES } from "../types.ts";
import { EarMonitor } from "./ear-monitor.ts";
import { FrameTicker } from "./frame-ticker.ts";
import { Mouth, type SpeakOutcome } from "./mouth.ts";
import { parsePhoneNotice, type PhoneCommand, type PhoneNotice } from "./phone-messages.ts";
import { Recorder, type Recording } from "./recorder.ts";

const CONNECT_TIMEOUT_MS = 5000;
const CLOSE_TIMEOUT_MS = 1000;
/** What the carrier takes in one `utterance`: one minute, in whole frames, and so much text. */
const MAX_UTTERANCE_BYTES = 60 * 8000;
const MAX_UTTERANCE_CHARS = 5000;
/** One second of frames not yet taken by the socket: later ones are dropped and counted. */
const MAX_BUFFERED_BYTES = 50 * (FRAME_BYTES + 8);

export type PhoneEvent = PhoneNotice | { readonly type: "closed"; readonly problem: string };
export type PhoneState = "idle" | "dialing" | "incoming" | "answering" | "in-call" | "closed";

export interface PhoneOptions {
  /** Base address of the sandbox carrier: `http://127.0.0.1:PORT`. */
  readonly carrierUrl: string;
  /** The phone's own number, E.164. */
  readonly number: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Shared by many phones of one process; its own by default. */
  readonly ticker?: FrameTicker;
  /** Called for every message of the carrier, and once when the connection is gone. */
  readonly onEvent?: (event: PhoneEvent) => void;
  /** Called for every frame heard (160 bytes of μ-law, valid during the call). */
  readonly onFrame?: (frame: Uint8Array) => void;
  /** Keep what is said and heard in a call. */
  readonly record?: boolean;
  readonly maxRecordMs?: number;
}

export interface PhoneCounters {
  readonly framesSent: number;
  readonly framesHeard: number;
  /** Microphone frames not sent because the socket was backed up. */
  readonly framesDropped: number;
  /** Microphone frames never made because the process was held up. */
  readonly framesSkipped: number;
  /** Messages that were not of the protocol. */
  readonly malformed: number;
}

/** Connects a phone. Rejects with {@link CarrierError} when the carrier cannot be reached. */
export function connectPhone(options: PhoneOptions): Promise<Phone> {
  const { promise, resolve, reject } = Promise.withResolvers<Phone>();
  const url = `${options.carrierUrl.replace(/^http/, "ws").replace(/\/+$/, "")}/sandbox/phone`;
  const socket = new WebSocket(url);
  const refuse = (problem: string): void => {
    options.clock.clearTimeout(timer);
    socket.terminate();
    reject(carrierError(`no connection to the sandbox carrier at ${url}: ${problem}`, "phone.connect"));
  };
  const timer = options.clock.setTimeout(
    () => refuse(`no answer within ${CONNECT_TIMEOUT_MS} ms`),
    CONNECT_TIMEOUT_MS,
  );
  socket.onerror = (event) => refuse(errorText((event as ErrorEvent).message || "connection failed"));
  socket.onclose = (event) => refuse(`closed with ${event.code}`);
  socket.onopen = () => {
    options.clock.clearTimeout(timer);
    resolve(new Phone(socket, options));
  };
  return promise;
}

/** One phone, in at most one call at a time. Made by {@link connectPhone}. No method throws. */
export class Phone {
  readonly number: string;
  readonly ear = new EarMonitor();
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;
  readonly #options: PhoneOptions;
  readonly #ticker: FrameTicker;
  readonly #mouth: Mouth;
  readonly #silence = new Uint8Array(FRAME_BYTES).fill(ULAW_SILENCE);
  readonly #counts = { framesSent: 0, framesHeard: 0, framesDropped: 0, framesSkipped: 0, malformed: 0 };
  #state: PhoneState = "idle";
  #callSid: string | null = null;
  #hangingUp = false;
  #recorder: Recorder | null = null;
  #stopTicking: (() => void) | null = null;
  #dialed: { resolve: (callSid: string) => void; reject: (error: CarrierError) => void } | null = null;
  #closeTimer: unknown = null;
  #resolveClosed: () => void = () => undefined;

  constructor(socket: WebSocket, options: PhoneOptions) {
    this.number = options.number;
    this.#socket = socket;
    this.#options = options;
    this.#ticker = options.ticker ?? new FrameTicker(options);
    this.#mouth = new Mouth((text, ulaw) => this.#announce(text, ulaw));
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.#guard(() => this.#receive(event.data as string | ArrayBuffer));
    socket.onerror = () => undefined;
    socket.onclose = (event) => this.#guard(() => this.#gone(`connection closed with ${event.code}`));
  }

  get state(): PhoneState {
    return this.#state;
  }

  /** The call that is placed, ringing or on; the last one after its end. */
  get callSid(): string | null {
    return this.#callSid;
  }

  get speaking(): boolean {
    return this.#mouth.speaking;
  }

  /** Places a call; resolves with its sid when it is answered, rejects with {@link CarrierError} if it is not. */
  dial(to: string): Promise<string> {
    if (this.#state !== "idle") {
      return Promise.reject(carrierError(`the phone cannot dial while it is ${this.#state}`, "phone.dial"));
    }
    this.#state = "dialing";
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#dialed = { resolve, reject };
    this.#send({ type: "dial", from: this.number, to });
    return promise;
  }

  /** Gets the calls and SMS to its number from now on. */
  register(): void {
    this.#send({ type: "register", number: this.number });
  }

  answer(): void {
    if (this.#state !== "incoming") return;
    this.#state = "answering";
    this.#send({ type: "answer" });
  }

  /** Refuses an incoming call. */
  refuse(how: "decline" | "busy"): void {
    if (this.#state !== "incoming") return;
    this.#state = "idle";
    this.#send({ type: how });
  }

  /** Presses keys of `0-9*#`. */
  press(digits: string): void {
    this.#send({ type: "digits", digits });
  }

  sendSms(to: string, body: string): void {
    this.#send({ type: "sms", to, body });
  }

  /**
   * Says μ-law after what is already being said. With `text` the sandbox's speech model understands it.
   * Rejects only with `overflow`, when 64 clips already wait.
   */
  speak(ulaw: Uint8Array, text?: string): Promise<SpeakOutcome> {
    if (this.#state === "closed") return Promise.resolve("cut");
    return this.#mouth.speak(ulaw, text);
  }

  stopSpeaking(): void {
    this.#mouth.stop();
  }

  /** Ends the call, or refuses an incoming one; without a call it does nothing. `ended` follows. */
  hangUp(): void {
    if (this.#state === "incoming") return this.refuse("decline");
    if (this.#hangingUp || this.#state === "idle" || this.#state === "closed") return;
    this.#hangingUp = true;
    this.#send({ type: "hangup" });
  }

  /** What was said and heard in the last or present call; empty without `record`. */
  recording(): Recording {
    return this.#recorder?.take() ?? new Recorder(0).take();
  }

  counters(): PhoneCounters {
    return { ...this.#counts };
  }

  /** Hangs up and disconnects; {@link closed} resolves. */
  close(): void {
    if (this.#state === "closed" || this.#closeTimer !== null) return;
    this.hangUp();
    this.#socket.close(1000);
    this.#closeTimer = this.#options.clock.setTimeout(() => {
      this.#socket.terminate();
      this.#gone("connection did not close in time");
    }, CLOSE_TIMEOUT_MS);
  }

  #receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      this.#hear(new Uint8Array(data));
      return;
    }
    const notice = parsePhoneNotice(data);
    if (!notice) {
      this.#counts.malformed++;
      this.#options.log.warn("phone.malformed_message", { bytes: data.length });
      return;
    }
    this.#apply(notice);
    this.#options.onEvent?.(notice);
  }

  #apply(notice: PhoneNotice): void {
    switch (notice.type) {
      case "dialing":
        this.#callSid = notice.callSid;
        break;
      case "answered":
        this.#callSid = notice.callSid;
        this.#enterCall();
        this.#dialed?.resolve(notice.callSid);
        this.#dialed = null;
        break;
      case "incoming":
        this.#callSid = notice.callSid;
        this.#state = "incoming";
        break;
      case "cancelled":
        if (this.#state === "incoming" || this.#state === "answering") this.#state = "idle";
        break;
      case "ended":
        this.#leaveCall(`the call ended: ${notice.reason}`);
        break;
      case "error":
        // While dialing an error is the answer; in a call it is about a single message.
        if (this.#dialed) this.#leaveCall(notice.message);
        break;
      case "sms":
        break;
    }
  }

  #enterCall(): void {
    if (this.#state === "in-call") return;
    this.#state = "in-call";
    if (this.#options.record) this.#recorder = new Recorder(this.#options.maxRecordMs);
    this.#stopTicking = this.#ticker.subscribe((skipped) => this.#tick(skipped));
  }

  #leaveCall(why: string): void {
    if (this.#state !== "closed") this.#state = "idle";
    this.#hangingUp = false;
    this.#stopTicking?.();
    this.#stopTicking = null;
    this.#mouth.stop();
    this.#dialed?.reject(carrierError(why, "phone.dial"));
    this.#dialed = null;
  }

  /** The carrier takes a minute of audio at a time; pieces of a longer clip carry the text of the whole. */
  #announce(text: string, ulaw: Uint8Array): void {
    for (let at = 0; at < ulaw.length; at += MAX_UTTERANCE_BYTES) {
      const audio = Buffer.from(ulaw.subarray(at, at + MAX_UTTERANCE_BYTES)).toString("base64");
      this.#send({ type: "utterance", text: text.slice(0, MAX_UTTERANCE_CHARS), audio });
    }
  }

  #tick(skipped: number): void {
    if (skipped > 0) {
      this.#counts.framesSkipped += skipped;
      this.#recorder?.skip(skipped);
    }
    const frame = this.#mouth.next() ?? this.#silence;
    this.#recorder?.say(frame);
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.#counts.framesDropped++;
      return;
    }
    this.#socket.send(frame);
    this.#counts.framesSent++;
  }

  #hear(frame: Uint8Array): void {
    if (frame.length !== FRAME_BYTES) {
      this.#counts.malformed++;
      return;
    }
    // Frames come only in a call, so the first one is as good as the message that says so.
    if (this.#state === "answering") this.#enterCall();
    if (this.#state !== "in-call") return;
    this.#counts.framesHeard++;
    this.ear.push(frame);
    this.#recorder?.hear(frame);
    this.#options.onFrame?.(frame);
  }

  #gone(problem: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#options.clock.clearTimeout(this.#closeTimer);
    this.#leaveCall(problem);
    this.#resolveClosed();
    this.#options.onEvent?.({ type: "closed", problem });
  }

  #send(command: PhoneCommand): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  /** A throw in a socket handler would end the process. */
  #guard(handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#options.log.error("phone.handler_failed", { problem: errorText(error) });
    }
  }
}

function carrierError(message: string, operation: string): CarrierError {
  return new CarrierError(message, { status: 0, code: 0, retryable: true, ambiguous: false, operation });
}
