/** A handset's connection to the sandbox carrier: one socket, made anew by itself when it is lost. */
import { type PhoneCommand, type PhoneNotice, parsePhoneNotice } from "../../phone/phone-messages.ts";
import type { Clock } from "../../../../engine/ports.ts";
import { FRAME_BYTES } from "../../types.ts";

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5000;
/** A second of frames that the socket has not taken: later ones are dropped and counted. */
const MAX_BUFFERED_BYTES = 50 * (FRAME_BYTES + 8);

export interface LinkHandler {
  opened(): void;
  lost(): void;
  notice(notice: PhoneNotice): void;
  /** 160 bytes of μ-law; the array is the handler's. */
  frame(frame: Uint8Array): void;
}

export class PhoneLink {
  readonly #clock: Clock;
  readonly #handler: LinkHandler;
  #socket: WebSocket | null = null;
  #retryMs = FIRST_RETRY_MS;
  #timer: unknown = null;
  framesDropped = 0;

  constructor(clock: Clock, handler: LinkHandler) {
    this.#clock = clock;
    this.#handler = handler;
  }

  get open(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Does nothing when it is connected already, or about to be. */
  connect(): void {
    if (this.#socket || this.#timer !== null) return;
    const socket = new WebSocket(`ws://${location.host}/sandbox/phone`);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      this.#retryMs = FIRST_RETRY_MS;
      this.#handler.opened();
    });
    socket.addEventListener("message", (event: MessageEvent<string | ArrayBuffer>) =>
      this.#receive(event.data),
    );
    // An error is followed by a close.
    socket.addEventListener("close", () => this.#lost(socket));
  }

  /** Ends it, and does not connect again. */
  close(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close(1000);
  }

  /** `false`: there is no connection. */
  send(command: PhoneCommand): boolean {
    if (!this.open) return false;
    this.#socket?.send(JSON.stringify(command));
    return true;
  }

  speak(frame: Uint8Array): void {
    const socket = this.#socket;
    if (!socket || !this.open || socket.bufferedAmount > MAX_BUFFERED_BYTES) this.framesDropped++;
    else socket.send(frame as Uint8Array<ArrayBuffer>);
  }

  #receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      if (data.byteLength === FRAME_BYTES) this.#handler.frame(new Uint8Array(data));
      return;
    }
    const notice = parsePhoneNotice(data);
    if (notice) this.#handler.notice(notice);
  }

  #lost(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = null;
      this.connect();
    }, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    this.#handler.lost();
  }
}
