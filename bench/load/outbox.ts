import type { Socket } from "bun";

/** More than this is not kept for a peer that does not read: whole messages are dropped, and its call comes short. */
const MAX_WAITING_BYTES = 512 * 1024;

/** Writes to a raw socket, which takes only what the kernel has room for. */
export class Outbox {
  #socket: Socket<unknown> | null = null;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;

  attach(socket: Socket<unknown>): void {
    this.#socket = socket;
  }

  /** `message` may be used again by the caller when this returns. */
  write(message: Uint8Array): void {
    const socket = this.#socket;
    if (!socket) return;
    if (this.#waitingBytes > 0) {
      this.#keep(message, 0);
      return;
    }
    const written = Math.max(0, socket.write(message));
    if (written < message.length) this.#keep(message, written);
  }

  /** The kernel has room again. */
  drain(): void {
    const socket = this.#socket;
    while (socket && this.#waiting.length > 0) {
      const next = this.#waiting[0] as Buffer;
      const written = Math.max(0, socket.write(next));
      this.#waitingBytes -= written;
      if (written < next.length) {
        this.#waiting[0] = next.subarray(written);
        return;
      }
      this.#waiting.shift();
    }
  }

  /** Nothing can be written any more. */
  close(): void {
    this.#socket = null;
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #keep(message: Uint8Array, from: number): void {
    // The rest of a message that has begun must follow, whatever waits already.
    if (from === 0 && this.#waitingBytes + message.length > MAX_WAITING_BYTES) return;
    this.#waiting.push(Buffer.from(message.subarray(from)));
    this.#waitingBytes += message.length - from;
  }
}
