/**
 * Drawings, each made by a process of its own that ends with it: a layout takes seconds, and holds up whatever
 * else its thread should do. One is made at a time, few may wait, and the last that were asked for are kept.
 */
import { errorText } from "../errors.ts";
import { runApart } from "../platform/apart.ts";
import type { Clock, Log } from "../ports.ts";
import type { State } from "../../machines/viz/graph.ts";

/** What the process is told on its standard input, as JSON. */
export interface DrawingJob {
  readonly name: string;
  readonly title: string;
  /** Content hash of the machine. */
  readonly hash: string;
  readonly root: State;
}

/** Resolves to the SVG text; rejects when `signal` ends it, or when there is none. */
export type Draw = (job: DrawingJob, signal: AbortSignal) => Promise<string>;

export interface DrawerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the process. */
  readonly draw?: Draw;
}

export class DrawingError extends Error {
  override readonly name = "DrawingError";
  /** As many drawings are to be made as may wait: it can be asked for again. */
  readonly busy: boolean;

  constructor(message: string, busy: boolean) {
    super(message);
    this.busy = busy;
  }
}

/** About 130 kB each. */
const MAX_KEPT = 32;
const MAX_WAITING = 4;
/** How long one may take on a machine that has better things to do, and how long whoever asks waits for it. */
const TIMEOUT_MS = 120_000;
const PATIENCE_MS = 20_000;

export class Drawer {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #draw: Draw;
  /** The one asked for longest ago is first. */
  readonly #kept = new Map<string, string>();
  readonly #pending = new Map<string, Promise<string>>();
  #last: Promise<unknown> = Promise.resolve();
  #running: AbortController | null = null;
  #stopped = false;
  readonly #counters = { drawn: 0, failed: 0, refused: 0 };

  constructor({ clock, log, draw = drawInProcess }: DrawerOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#draw = draw;
  }

  get counters(): Readonly<Record<string, number>> {
    return this.#counters;
  }

  /**
   * The drawing of the machine with this content; whoever asks while it is being made gets the same. One that
   * takes long is made to its end, for whoever asks again.
   *
   * @throws DrawingError when it takes long, when too many wait, or when it went wrong.
   */
  async drawing(job: DrawingJob): Promise<string> {
    const key = `${job.name} ${job.hash}`;
    const kept = this.#kept.get(key);
    if (kept === undefined) return await this.#patiently(this.#pending.get(key) ?? this.#begin(key, job));
    this.#keep(key, kept);
    return kept;
  }

  #begin(key: string, job: DrawingJob): Promise<string> {
    if (this.#pending.size > MAX_WAITING || this.#stopped) {
      this.#counters.refused++;
      throw new DrawingError("too many drawings are being made", true);
    }
    const made = this.#last.then(() => this.#make(job));
    this.#pending.set(key, made);
    this.#last = made.then(
      (svg) => {
        this.#pending.delete(key);
        this.#keep(key, svg);
      },
      () => void this.#pending.delete(key),
    );
    return made;
  }

  async #patiently(made: Promise<string>): Promise<string> {
    const { promise, reject } = Promise.withResolvers<never>();
    const late = new DrawingError("it is still being drawn", true);
    const timer = this.#clock.setTimeout(() => reject(late), PATIENCE_MS);
    try {
      return await Promise.race([made, promise]);
    } finally {
      this.#clock.clearTimeout(timer);
    }
  }

  /** Ends what is under way, and makes no more. */
  stop(): void {
    this.#stopped = true;
    this.#running?.abort();
  }

  async #make(job: DrawingJob): Promise<string> {
    if (this.#stopped) throw new DrawingError("the engine stops", true);
    const running = new AbortController();
    this.#running = running;
    const timer = this.#clock.setTimeout(() => running.abort(), TIMEOUT_MS);
    try {
      const svg = await this.#draw(job, running.signal);
      this.#counters.drawn++;
      return svg;
    } catch (error) {
      this.#counters.failed++;
      this.#log.error("charts.drawing_failed", { machine: job.name, error: errorText(error) });
      throw new DrawingError("the drawing could not be made", false);
    } finally {
      this.#clock.clearTimeout(timer);
      this.#running = null;
    }
  }

  #keep(key: string, svg: string): void {
    this.#kept.delete(key);
    this.#kept.set(key, svg);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MAX_KEPT && oldest !== undefined) this.#kept.delete(oldest);
  }
}

function drawInProcess(job: DrawingJob, signal: AbortSignal): Promise<string> {
  return runApart(new URL("./draw.ts", import.meta.url), JSON.stringify(job), signal);
}
