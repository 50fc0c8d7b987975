/**
 * One WebSocket to the provider: the key travels in a header, and the URL may be `ws:` for an emulator. Nothing
 * thrown by a handler leaves this file, and after `close()` nothing is called.
 */
import { ProviderError, errorText } from "../../engine/errors.ts";
import type { ClientSocket, Network } from "../../engine/platform/network.ts";
import { closeError, upgradeError } from "./errors.ts";

/**
 * Caller audio is dropped above this. One call makes about 15 KB/s of μ-law or 70 KB/s of PCM16, and 15 s of it
 * that were held for the model come at once.
 */
export const AUDIO_BUFFER_LIMIT_BYTES = 2 * 1024 * 1024;
/** The limit above may be exceeded by this much. */
const AUDIO_ASK_EVERY_BYTES = 16 * 1024;
/** Control events must not be lost: a socket with this much unsent is given up instead. */
export const CONTROL_BUFFER_LIMIT_BYTES = 4 * 1024 * 1024;
/** Counted in UTF-16 units, which for the provider's JSON is bytes. */
export const INBOUND_LIMIT_CHARS = 16 * 1024 * 1024;

export interface SocketHandlers {
  opened(): void;
  text(text: string): void;
  /** A frame that cannot be an event: binary or too large. */
  garbage(problem: string): void;
  pong(): void;
  /** The socket is gone, or never opened. Called once. */
  lost(error: ProviderError): void;
  /** A handler above threw: a bug, reported instead of killing the process. */
  threw(error: unknown): void;
}

export class RealtimeSocket {
  readonly #handlers: SocketHandlers;
  readonly #ws: ClientSocket | null;
  #over = false;
  #opened = false;
  /** Bytes of audio sent since it was looked up how much of them still waits. */
  #unasked = 0;
  #failureText = "";

  constructor(network: Network, url: string, apiKey: string, handlers: SocketHandlers) {
    this.#handlers = handlers;
    this.#ws = this.#connect(network, url, apiKey);
  }

  /** Sends a control event. */
  send(text: string): boolean {
    const ws = this.#ws;
    if (this.#over || !ws || ws.readyState !== WebSocket.OPEN) return false;
    if (ws.bufferedAmount > CONTROL_BUFFER_LIMIT_BYTES) {
      const problem = `${ws.bufferedAmount} bytes are unsent: the connection to OpenAI is stalled`;
      this.#lose(new ProviderError("connection_lost", problem, true));
      return false;
    }
    ws.send(text);
    return true;
  }

  /**
   * Hot path. `overflow`: not sent, too much is waiting already. What waits is looked up only after some more
   * was sent: asking costs as much as a tenth of the sending.
   */
  sendAudio(text: string): "sent" | "closed" | "overflow" {
    const ws = this.#ws;
    if (this.#over || !this.#opened || !ws) return "closed";
    this.#unasked += text.length;
    if (this.#unasked > AUDIO_ASK_EVERY_BYTES) {
      if (ws.readyState !== WebSocket.OPEN) return "closed";
      if (ws.bufferedAmount + text.length > AUDIO_BUFFER_LIMIT_BYTES) return "overflow";
      this.#unasked = 0;
    }
    ws.send(text);
    return "sent";
  }

  ping(): void {
    if (!this.#over && this.#ws?.readyState === WebSocket.OPEN) this.#ws.ping();
  }

  /** Idempotent. A healthy peer still gets what was sent and code 1000; a dead one keeps nothing open here. */
  close(): void {
    if (this.#over) return;
    this.#over = true;
    const ws = this.#ws;
    if (!ws) return;
    try {
      if (ws.readyState === WebSocket.OPEN) ws.close(1000);
      ws.terminate();
    } catch (error) {
      this.#handlers.threw(error);
    }
  }

  #connect(network: Network, url: string, apiKey: string): ClientSocket | null {
    try {
      const ws = network.connect(url, { Authorization: `Bearer ${apiKey}` });
      ws.addEventListener("open", () =>
        this.#guard(() => {
          this.#opened = true;
          this.#handlers.opened();
        }),
      );
      ws.addEventListener("message", (event) => this.#onMessage(event.data));
      ws.addEventListener("pong", () => this.#guard(() => this.#handlers.pong()));
      ws.addEventListener("error", (event) => {
        this.#failureText = (event as ErrorEvent).message ?? "";
      });
      ws.addEventListener("close", (event) => this.#onClose(event.code, event.reason));
      return ws;
    } catch (error) {
      // An unusable URL or header throws at once; the caller does not yet hold this object.
      queueMicrotask(() => this.#lose(upgradeError(errorText(error))));
      return null;
    }
  }

  #onMessage(data: unknown): void {
    if (this.#over) return;
    try {
      if (typeof data !== "string") this.#handlers.garbage("a binary frame");
      else if (data.length > INBOUND_LIMIT_CHARS) this.#handlers.garbage(`a frame of ${data.length} bytes`);
      else this.#handlers.text(data);
    } catch (error) {
      this.#handlers.threw(error);
    }
  }

  #onClose(code: number, reason: string): void {
    this.#lose(this.#opened ? closeError(code, reason) : upgradeError(this.#failureText));
  }

  #lose(error: ProviderError): void {
    this.#guard(() => {
      this.close();
      this.#handlers.lost(error);
    });
  }

  #guard(fn: () => void): void {
    if (this.#over) return;
    try {
      fn();
    } catch (error) {
      this.#handlers.threw(error);
    }
  }
}
