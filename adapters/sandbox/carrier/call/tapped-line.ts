import type { AudioEndpoint } from "../../types.ts";
import { SILENT_FRAME } from "../media/tones.ts";
import type { Line } from "../types.ts";

/** A line whose mouth is heard elsewhere as well: each frame that is taken from it goes to every tap, silence too. */
export class TappedLine implements AudioEndpoint {
  readonly #line: Line;
  readonly #taps = new Set<Pick<AudioEndpoint, "write">>();

  constructor(line: Line) {
    this.#line = line;
  }

  /** Until the result is called. */
  tap(tap: Pick<AudioEndpoint, "write">): () => void {
    this.#taps.add(tap);
    return () => void this.#taps.delete(tap);
  }

  read(out: Uint8Array): boolean {
    const said = this.#line.read(out);
    if (this.#taps.size > 0) this.#pass(said ? out : SILENT_FRAME);
    return said;
  }

  write(frame: Uint8Array): void {
    this.#line.write(frame);
  }

  #pass(frame: Uint8Array): void {
    for (const tap of this.#taps) tap.write(frame);
  }

  get taint(): number {
    return this.#line.taint ?? 0;
  }

  onTaint(mask: number): void {
    this.#line.onTaint?.(mask);
  }
}
