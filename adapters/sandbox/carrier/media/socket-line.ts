import type { PhoneLine } from "../../types.ts";
import { Microphone } from "./microphone.ts";

/** What a line needs of the phone at its other end. */
export interface LineOwner {
  /** The first frame reached the ear of a phone that was dialling. */
  lineAnswered(line: SocketLine): void;
  hear(frame: Uint8Array): void;
  /** The carrier ended the call. */
  lineEnded(line: SocketLine): void;
}

/** One call of a phone that is connected by WebSocket. */
export class SocketLine implements PhoneLine {
  readonly number: string;
  readonly microphone = new Microphone();
  /** Empty until the carrier has given the call its sid. */
  callSid: string;
  onHangup: () => void = () => undefined;
  onDigit: (digit: string) => void = () => undefined;
  readonly #owner: LineOwner;
  #answered: boolean;
  #over = false;
  #endReason = "";

  /** `answered`: the phone was rung and has answered; otherwise it is dialling. */
  constructor(number: string, callSid: string, answered: boolean, owner: LineOwner) {
    this.number = number;
    this.callSid = callSid;
    this.#answered = answered;
    this.#owner = owner;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Why the carrier ended it. */
  get endReason(): string {
    return this.#endReason;
  }

  read(out: Uint8Array): boolean {
    return !this.#over && this.microphone.read(out);
  }

  /** The first frame tells a dialling phone that it was answered: a carrier lets nothing through before. */
  write(frame: Uint8Array): void {
    if (this.#over) return;
    if (!this.#answered && this.callSid !== "") {
      this.#answered = true;
      this.#owner.lineAnswered(this);
    }
    this.#owner.hear(frame);
  }

  hangUp(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#endReason = reason;
    this.#owner.lineEnded(this);
  }

  /** The phone's side ended it: from now on the line is silent. */
  end(): void {
    this.#over = true;
  }
}
