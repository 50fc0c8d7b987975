import type { JitterBufferSize } from "../../../../engine/ports.ts";
import type { AudioEndpoint } from "../../types.ts";
import { FRAME_BYTES } from "../../types.ts";
import { DirectPlayer } from "../media/direct.ts";
import { SILENT_FRAME } from "../media/tones.ts";
import type { Core, Line } from "../types.ts";
import { TappedLine } from "./tapped-line.ts";
import { WireEnd } from "./wire.ts";

/**
 * The audio of one call. At any time its line is with exactly one of: the player (`<Say>`, or silence), a
 * bridge to a media stream, or a conference.
 */
export class CallMedia {
  readonly #core: Core;
  #line: Line | null = null;
  /** The same, as everybody but a spliced bridge has it. */
  #tapped: TappedLine | null = null;
  #player: DirectPlayer | null = null;
  #ticking: { tick(): void } | null = null;
  #closed = false;
  #onDigit: ((digit: string) => void) | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  attach(line: Line): void {
    this.#line = line;
    line.onDigit = (digit) => this.#onDigit?.(digit);
    const { taints } = this.#core;
    if (taints && line.number !== undefined) line.onTaint = taints.ear(line.number);
    this.#tapped = new TappedLine(line);
    this.#player = new DirectPlayer(this.#tapped);
    this.#tick(this.#player);
  }

  /** Keys that the far end presses go to `fn` alone, until the result is called or somebody else listens. */
  onDigits(fn: (digit: string) => void): () => void {
    this.#onDigit = fn;
    return () => {
      if (this.#onDigit === fn) this.#onDigit = null;
    };
  }

  /** Plays to the far end; `done` is not called when it is stopped by the result. */
  play(ulaw: Uint8Array, done: () => void): () => void {
    const player = this.#player;
    player?.play(ulaw, done);
    return () => player?.stop();
  }

  /**
   * What the far end says goes to `tap` too, whoever hears it meanwhile, until the result is called. `null`: the far
   * end is no phone.
   */
  tap(tap: Pick<AudioEndpoint, "write">): (() => void) | null {
    return this.#line instanceof WireEnd ? null : (this.#tapped?.tap(tap) ?? null);
  }

  /** Joins the line with `endpoint` until the result is called. */
  bridge(endpoint: AudioEndpoint): () => void {
    const line = this.#line;
    if (!line || !this.#tapped || this.#closed) return () => undefined;
    if (line instanceof WireEnd) {
      this.#tick(null);
      line.splice(endpoint);
    } else this.#tick(new Bridge(this.#tapped, endpoint, this.#core.taints !== null));
    return () => {
      if (line instanceof WireEnd) line.splice(null);
      this.#restore();
    };
  }

  /**
   * Hands the line to a conference, buffered as told, or with `null` to another call, as the network asks.
   * `null` when the call has none any more.
   */
  lend(buffer: JitterBufferSize | null): AudioEndpoint | null {
    if (!this.#line || this.#closed) return null;
    this.#tick(null);
    this.#line.sizeBuffer?.(buffer);
    return this.#tapped;
  }

  takeBack(): void {
    this.#line?.sizeBuffer?.(null);
    this.#restore();
  }

  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#tick(null);
    this.#onDigit = null;
    const line = this.#line;
    if (!line) return;
    line.onHangup = () => undefined;
    line.onDigit = () => undefined;
    if (line instanceof WireEnd) line.splice(null);
    line.hangUp(reason);
  }

  #restore(): void {
    if (!this.#closed) this.#tick(this.#player);
  }

  #tick(next: { tick(): void } | null): void {
    if (this.#ticking === next) return;
    if (this.#ticking) this.#core.ticker.remove(this.#ticking);
    this.#ticking = next;
    if (next) this.#core.ticker.add(next);
  }
}

/** Two endpoints that hear each other and nobody else. */
class Bridge {
  readonly #a: AudioEndpoint;
  readonly #b: AudioEndpoint;
  readonly #traced: boolean;
  readonly #frame = new Uint8Array(FRAME_BYTES);

  constructor(a: AudioEndpoint, b: AudioEndpoint, traced: boolean) {
    this.#a = a;
    this.#b = b;
    this.#traced = traced;
  }

  tick(): void {
    this.#pass(this.#a, this.#b);
    this.#pass(this.#b, this.#a);
  }

  #pass(from: AudioEndpoint, to: AudioEndpoint): void {
    const said = from.read(this.#frame);
    if (this.#traced) to.onTaint?.(said ? (from.taint ?? 0) : 0);
    to.write(said ? this.#frame : SILENT_FRAME);
  }
}
