import { errorText } from "../../../../engine/errors.ts";
import type { Clock, Log } from "../../../../engine/ports.ts";
import { FRAME_BYTES, type Hearing, type PhoneLine, type RingHandle, type RingOutcome } from "../../types.ts";
import type { StoredSms } from "./inboxes.ts";
import { MAX_UTTERANCE_BYTES, parsePhoneCommand, type PhoneCommand } from "./phone-commands.ts";
import type { PhoneTally } from "./phone-tally.ts";
import { SocketLine, type LineOwner } from "./socket-line.ts";
import { TokenBucket } from "../../../../engine/platform/token-bucket.ts";

/** The socket, as far as it is used here; a `ServerWebSocket` of Bun is one. */
export interface PhoneSocket {
  send(data: string | Uint8Array): number;
  close(code: number, reason: string): void;
  getBufferedAmount(): number;
}

/** What a connected phone needs of the hub. */
export interface PhoneDesk {
  /** `null`, or why the number cannot be had. */
  claim(number: string, by: PhoneConnection): string | null;
  /** The connection is over: nothing may ring it any more. */
  gone(connection: PhoneConnection): void;
  dial(line: PhoneLine, to: string): { readonly callSid: string };
  /** The line of a machine that answers for this number. */
  voicemail(number: string): PhoneLine;
  sendSms(from: string, to: string, body: string): void;
}

interface Ringing {
  readonly callSid: string;
  readonly onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void;
}

/**
 * More unsent audio than this (2 s) is no conversation: newer frames are dropped until the phone has read it.
 */
const EAR_LIMIT_BYTES = 100 * FRAME_BYTES;

/** One phone connected by WebSocket: a person with a browser, or a program. One call at a time. */
export class PhoneConnection implements LineOwner {
  /** The number it is rung under, if any. */
  number: string | null = null;
  readonly #socket: PhoneSocket;
  readonly #desk: PhoneDesk;
  readonly #clock: Clock;
  readonly #hearing: Hearing;
  readonly #log: Log;
  readonly #tally: PhoneTally;
  readonly #commands: TokenBucket;
  readonly #strikes: TokenBucket;
  #ringing: Ringing | null = null;
  #line: SocketLine | null = null;
  #closed = false;

  constructor(options: {
    readonly socket: PhoneSocket;
    readonly desk: PhoneDesk;
    readonly clock: Clock;
    readonly hearing: Hearing;
    readonly log: Log;
    readonly tally: PhoneTally;
  }) {
    this.#socket = options.socket;
    this.#desk = options.desk;
    this.#clock = options.clock;
    this.#hearing = options.hearing;
    this.#log = options.log;
    this.#tally = options.tally;
    this.#commands = new TokenBucket(options.clock, 100, 50);
    this.#strikes = new TokenBucket(options.clock, 20, 0.2);
  }

  get engaged(): boolean {
    return this.#line !== null || this.#ringing !== null;
  }

  /** From the socket. Never throws. */
  message(data: string | Uint8Array): void {
    if (this.#closed) return;
    if (typeof data !== "string") {
      this.#speak(data);
      return;
    }
    if (!this.#commands.take()) {
      this.#strike("too many messages: at most 50 a second are taken");
      return;
    }
    const command = parsePhoneCommand(data);
    if ("problem" in command) this.#strike(command.problem);
    else this.#guard(() => this.#obey(command));
  }

  /** The socket is gone. */
  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ringing = null;
    this.#desk.gone(this);
    this.#endLine();
  }

  /** Ends the connection from this side. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#socket.close(code, reason);
    this.closed();
  }

  /** Rings; must not be called while `engaged`. */
  ring(
    info: { readonly callSid: string; readonly from: string },
    onOutcome: Ringing["onOutcome"],
  ): RingHandle {
    const ringing: Ringing = { callSid: info.callSid, onOutcome };
    this.#ringing = ringing;
    this.#tell({ type: "incoming", callSid: info.callSid, from: info.from });
    return {
      cancel: () => {
        if (this.#ringing !== ringing) return;
        this.#ringing = null;
        this.#tell({ type: "cancelled", callSid: info.callSid });
      },
    };
  }

  deliverSms({ messageSid, from, to, body }: StoredSms): void {
    this.#tell({ type: "sms", messageSid, from, to, body });
    this.#tally.smsDelivered++;
  }

  /** Tells the person that something could not be done. */
  complain(message: string): void {
    this.#tally.errors++;
    this.#tell({ type: "error", message });
  }

  lineAnswered(line: SocketLine): void {
    this.#tell({ type: "answered", callSid: line.callSid });
  }

  hear(frame: Uint8Array): void {
    if (this.#closed) return;
    if (this.#socket.getBufferedAmount() > EAR_LIMIT_BYTES || this.#socket.send(frame) === 0) {
      this.#tally.earDropped++;
    } else this.#tally.earFrames++;
  }

  lineEnded(line: SocketLine): void {
    // A call that is over before it has its sid is told of by `#dial`: its beginning comes first.
    if (this.#line !== line || line.callSid === "") return;
    this.#forgetLine();
    this.#tell({ type: "ended", callSid: line.callSid, reason: line.endReason });
  }

  #obey(command: PhoneCommand): void {
    switch (command.type) {
      case "dial":
        return this.#dial(command.from, command.to);
      case "register":
        return this.#register(command.number);
      case "answer":
        return this.#answer();
      case "decline":
        return this.#refuse("declined");
      case "busy":
        return this.#refuse("busy");
      case "voicemail":
        return this.#toVoicemail();
      case "digits":
        return this.#press(command.digits);
      case "utterance":
        return this.#utterance(command.text, command.audio);
      case "sms":
        return this.#sms(command.to, command.body);
      case "hangup":
        return this.#hangUp();
    }
  }

  #register(number: string): void {
    const problem = this.#desk.claim(number, this);
    if (problem !== null) this.complain(problem);
  }

  #dial(from: string, to: string): void {
    if (this.engaged) return this.complain("dial: this phone is in a call already; hang up first");
    // A phone that only dials can be rung and written to under its number too, unless that number is taken.
    if (this.number === null) this.#desk.claim(from, this);
    const line = new SocketLine(from, "", false, this);
    this.#line = line;
    try {
      line.callSid = this.#desk.dial(line, to).callSid;
    } catch (error) {
      line.end();
      this.#forgetLine();
      return this.complain(errorText(error));
    }
    this.#tell({ type: "dialing", callSid: line.callSid });
    if (line.over) this.lineEnded(line);
  }

  #answer(): void {
    const ringing = this.#ringing;
    if (!ringing || this.number === null) return this.complain("answer: nobody is calling");
    this.#ringing = null;
    const line = new SocketLine(this.number, ringing.callSid, true, this);
    this.#line = line;
    this.lineAnswered(line);
    ringing.onOutcome("answered", line);
  }

  #refuse(outcome: "declined" | "busy"): void {
    const ringing = this.#ringing;
    if (!ringing) return this.complain("decline or busy: nobody is calling");
    this.#ringing = null;
    ringing.onOutcome(outcome, null);
  }

  /** The machine takes the call off this phone, which is free again at once. */
  #toVoicemail(): void {
    const ringing = this.#ringing;
    if (!ringing || this.number === null) return this.complain("voicemail: nobody is calling");
    this.#ringing = null;
    ringing.onOutcome("voicemail", this.#desk.voicemail(this.number));
  }

  #press(digits: string): void {
    const line = this.#line;
    if (!line) return this.complain("digits: this phone is not in a call");
    for (const digit of digits) {
      if (!line.over) line.onDigit(digit);
    }
  }

  #utterance(text: string, audio: string): void {
    const ulaw = Uint8Array.fromBase64(audio);
    if (ulaw.length === 0 || ulaw.length > MAX_UTTERANCE_BYTES) {
      return this.#strike(`utterance.audio: must be 1 to ${MAX_UTTERANCE_BYTES} bytes of μ-law`);
    }
    this.#hearing.note(text, ulaw);
    this.#tally.utterances++;
  }

  #sms(to: string, body: string): void {
    if (this.number === null) return this.complain("sms: register a number first");
    this.#desk.sendSms(this.number, to, body);
  }

  #hangUp(): void {
    if (this.#ringing) return this.#refuse("declined");
    const line = this.#line;
    if (!line) return this.complain("hangup: this phone is not in a call");
    this.#tell({ type: "ended", callSid: line.callSid, reason: "hangup" });
    this.#endLine();
  }

  #speak(frame: Uint8Array): void {
    if (frame.length !== FRAME_BYTES) {
      return this.#strike(
        `binary message of ${frame.length} bytes: frames are ${FRAME_BYTES} bytes of μ-law`,
      );
    }
    this.#tally.micFrames++;
    this.#line?.speak(frame, this.#clock.monotonicMs());
  }

  /** The phone's side ended the call: tells the carrier. */
  #endLine(): void {
    const line = this.#line;
    if (!line) return;
    line.end();
    this.#forgetLine();
    this.#guard(() => line.onHangup());
  }

  #forgetLine(): void {
    if (!this.#line) return;
    const { overflow, stale, late, trimmed, compressions, concealed } = this.#line.microphone;
    this.#tally.micDropped += overflow + stale + late;
    this.#tally.micTrimmed += trimmed;
    this.#tally.micCompressions += compressions;
    this.#tally.micConcealed += concealed;
    this.#line = null;
  }

  /** Complains of a message that no working phone sends; too many of them end the connection. */
  #strike(message: string): void {
    if (this.#strikes.take()) return this.complain(message);
    this.#tally.closedForAbuse++;
    this.close(1008, "too many refused messages");
  }

  #tell(notice: Readonly<Record<string, string>>): void {
    if (!this.#closed) this.#socket.send(JSON.stringify(notice));
  }

  /** Nothing may be thrown out of a socket handler: it would end the process. */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#tally.callbackErrors++;
      this.#log.error("sandbox.phone.callback_failed", { error: errorText(error) });
    }
  }
}
