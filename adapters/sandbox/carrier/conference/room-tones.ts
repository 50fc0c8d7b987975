import type { AudioEndpoint } from "../../types.ts";
import { FRAME_BYTES } from "../../types.ts";
import { beep, ringback } from "../media/tones.ts";

/** The note that a room hears when somebody comes or goes. */
export function joinTone(): Uint8Array {
  return beep();
}

/** A leg that is still being called, as the room hears it: ringback, over and over. */
export class RingingTone implements AudioEndpoint {
  #at = 0;

  read(out: Uint8Array): boolean {
    const cycle = ringback();
    out.set(cycle.subarray(this.#at, this.#at + FRAME_BYTES));
    this.#at = (this.#at + FRAME_BYTES) % cycle.length;
    return true;
  }

  write(): void {
    // Nobody listens at a phone that rings.
  }
}
