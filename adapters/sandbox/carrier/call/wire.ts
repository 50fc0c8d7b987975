import { FRAME_BYTES, type AudioEndpoint } from "../../types.ts";
import type { Line } from "../types.ts";

/** More than this many frames in one direction are not kept: the oldest goes. */
const MAX_FRAMES = 3;

/** One end of a {@link wire}: what is written to it is read at the other end. */
export class WireEnd implements Line {
  #peer: WireEnd | null = null;
  #spliced: AudioEndpoint | null = null;
  #over = false;
  readonly #arrived: Uint8Array[] = [];
  readonly #spare: Uint8Array[] = [];
  onHangup: () => void = () => undefined;
  onDigit: (digit: string) => void = () => undefined;

  join(peer: WireEnd): void {
    this.#peer = peer;
  }

  /** Puts `endpoint` in the place of this end, so that the other end talks to it without a frame's delay. */
  splice(endpoint: AudioEndpoint | null): void {
    this.#spliced = endpoint;
    this.#arrived.length = 0;
  }

  read(out: Uint8Array): boolean {
    const peer = this.#peer;
    if (peer && peer.#spliced) return peer.#spliced.read(out);
    const frame = this.#arrived.shift();
    if (!frame) return false;
    out.set(frame);
    this.#spare.push(frame);
    return true;
  }

  write(frame: Uint8Array): void {
    const peer = this.#peer;
    if (!peer) return;
    if (peer.#spliced) peer.#spliced.write(frame);
    else peer.#keep(frame);
  }

  hangUp(): void {
    const peer = this.#peer;
    if (this.#over || !peer) return;
    this.#over = true;
    peer.#over = true;
    peer.onHangup();
  }

  #keep(frame: Uint8Array): void {
    const slot =
      (this.#arrived.length >= MAX_FRAMES ? this.#arrived.shift() : this.#spare.pop()) ??
      new Uint8Array(FRAME_BYTES);
    slot.set(frame);
    this.#arrived.push(slot);
  }
}

/** The connection between the two halves of a call that ends inside the carrier (an App, an own number). */
export function wire(): { readonly near: WireEnd; readonly far: WireEnd } {
  const near = new WireEnd();
  const far = new WireEnd();
  near.join(far);
  far.join(near);
  return { near, far };
}
