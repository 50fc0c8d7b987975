import { FRAME_BYTES, type AudioEndpoint } from "../../types.ts";
import type { Line } from "../types.ts";

/** More than this many frames in one direction are not kept: the oldest goes. */
const MAX_FRAMES = 3;

interface Kept {
  readonly frame: Uint8Array;
  taint: number;
}

/** One end of a {@link wire}: what is written to it is read at the other end. */
export class WireEnd implements Line {
  #peer: WireEnd | null = null;
  #spliced: AudioEndpoint | null = null;
  #over = false;
  readonly #arrived: Kept[] = [];
  readonly #spare: Kept[] = [];
  /** Of the frame last read, and of the one to be written next. */
  #readTaint = 0;
  #writeTaint = 0;
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
    const kept = this.#arrived.shift();
    if (!kept) return false;
    out.set(kept.frame);
    this.#readTaint = kept.taint;
    this.#spare.push(kept);
    return true;
  }

  get taint(): number {
    const peer = this.#peer;
    return peer && peer.#spliced ? (peer.#spliced.taint ?? 0) : this.#readTaint;
  }

  write(frame: Uint8Array): void {
    const peer = this.#peer;
    if (!peer) return;
    if (peer.#spliced) peer.#spliced.write(frame);
    else peer.#keep(frame, this.#writeTaint);
  }

  onTaint(mask: number): void {
    const peer = this.#peer;
    this.#writeTaint = mask;
    if (peer && peer.#spliced) peer.#spliced.onTaint?.(mask);
  }

  hangUp(): void {
    const peer = this.#peer;
    if (this.#over || !peer) return;
    this.#over = true;
    peer.#over = true;
    peer.onHangup();
  }

  #keep(frame: Uint8Array, taint: number): void {
    const slot = (this.#arrived.length >= MAX_FRAMES ? this.#arrived.shift() : this.#spare.pop()) ?? {
      frame: new Uint8Array(FRAME_BYTES),
      taint: 0,
    };
    slot.frame.set(frame);
    slot.taint = taint;
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
