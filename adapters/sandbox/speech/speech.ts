/** Offline speech synthesis in a worker of its own, with a cache. */
import { errorText, ProviderError } from "../../../engine/errors.ts";
import { systemClock } from "../../../engine/platform/clock.ts";
import type { Clock, Log } from "../../../engine/ports.ts";
import type { Speech } from "../types.ts";
import { AudioCache } from "./audio-cache.ts";
import type { SynthesisReply, SynthesisRequest } from "./protocol.ts";

/** About 17 minutes of speech. */
const DEFAULT_CACHED_BYTES = 8 * 1024 * 1024;
/** Texts waiting for the worker; more are refused at once. */
const MAX_QUEUED = 256;
/** About five minutes of speech. */
const MAX_TEXT_CHARS = 4000;
/** A text takes 4 s at the most on an idle machine; a worker that is silent for longer than this is replaced. */
const SYNTHESIS_TIMEOUT_MS = 60_000;

export interface SpeechCounters {
  readonly synthesised: number;
  readonly cacheHits: number;
  /** Requests that joined a synthesis already under way. */
  readonly joined: number;
  readonly failed: number;
  /** Requests refused because the queue was full. */
  readonly refused: number;
  readonly workersStarted: number;
  readonly cachedBytes: number;
}

export interface SpeechOptions {
  readonly log: Log;
  /** Bytes of μ-law kept, least recently used dropped first; 8 MiB by default. */
  readonly maxCachedBytes?: number;
  readonly clock?: Clock;
  /** Makes the worker that answers the messages of protocol.ts. */
  readonly startWorker?: () => Worker;
}

/**
 * Speech by Flite. `say` rejects with {@link ProviderError} when a text is too long, the queue is full, the
 * synthesis fails or the worker dies; the next request works again. The worker starts with the first text.
 */
export function createSpeech(options: SpeechOptions): Speech & { counters(): SpeechCounters } {
  return new WorkerSpeech(options);
}

interface Job {
  readonly id: number;
  readonly text: string;
  readonly resolve: (ulaw: Uint8Array) => void;
  readonly reject: (error: ProviderError) => void;
}

class WorkerSpeech implements Speech {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #startWorker: () => Worker;
  readonly #cache: AudioCache;
  readonly #pending = new Map<string, Promise<Uint8Array>>();
  readonly #queue: Job[] = [];
  readonly #counts = { synthesised: 0, cacheHits: 0, joined: 0, failed: 0, refused: 0, workersStarted: 0 };
  #current: Job | null = null;
  #worker: Worker | null = null;
  #deadline: unknown = null;
  #lastId = 0;
  #closed = false;

  constructor(options: SpeechOptions) {
    this.#log = options.log;
    this.#clock = options.clock ?? systemClock;
    this.#startWorker =
      options.startWorker ?? (() => new Worker(new URL("./flite-worker.ts", import.meta.url).href));
    this.#cache = new AudioCache(options.maxCachedBytes ?? DEFAULT_CACHED_BYTES);
  }

  /** The array may be shared with other callers: do not write to it. */
  say(text: string): Promise<Uint8Array> {
    const wanted = text.trim();
    if (wanted === "") return Promise.resolve(new Uint8Array(0));
    const cached = this.#cache.get(wanted);
    if (cached) {
      this.#counts.cacheHits++;
      return Promise.resolve(cached);
    }
    const underWay = this.#pending.get(wanted);
    if (underWay) {
      this.#counts.joined++;
      return underWay;
    }
    const refusal = this.#refuse(wanted);
    if (refusal) return Promise.reject(refusal);
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    this.#pending.set(wanted, promise);
    this.#queue.push({ id: ++this.#lastId, text: wanted, resolve, reject });
    this.#next();
    return promise;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const error = new ProviderError("connection_lost", "speech synthesis was closed", false);
    const jobs = [...(this.#current ? [this.#current] : []), ...this.#queue.splice(0)];
    this.#current = null;
    this.#stopWorker();
    for (const job of jobs) this.#fail(job, error);
  }

  counters(): SpeechCounters {
    return { ...this.#counts, cachedBytes: this.#cache.bytes };
  }

  #refuse(text: string): ProviderError | null {
    if (this.#closed) return new ProviderError("connection_lost", "speech synthesis was closed", false);
    if (text.length > MAX_TEXT_CHARS) {
      const problem = `a text of ${text.length} characters is too long to say: at most ${MAX_TEXT_CHARS}`;
      return new ProviderError("rejected_event", problem, false);
    }
    if (this.#queue.length >= MAX_QUEUED) {
      this.#counts.refused++;
      return new ProviderError("overflow", `${MAX_QUEUED} texts are already waiting to be said`, true);
    }
    return null;
  }

  #next(): void {
    if (this.#current || this.#closed) return;
    const job = this.#queue.shift();
    if (!job) return;
    this.#current = job;
    try {
      this.#worker ??= this.#start();
      const request: SynthesisRequest = { id: job.id, text: job.text };
      this.#worker.postMessage(request);
    } catch (error) {
      this.#lost(`could not be started: ${errorText(error)}`);
      return;
    }
    this.#deadline = this.#clock.setTimeout(
      () => this.#lost(`gave no answer within ${SYNTHESIS_TIMEOUT_MS} ms`),
      SYNTHESIS_TIMEOUT_MS,
    );
  }

  #start(): Worker {
    const worker = this.#startWorker();
    this.#counts.workersStarted++;
    // Events of a worker that was already given up say nothing about the one that replaced it.
    const ifCurrent = (problem: string): void => {
      if (this.#worker === worker) this.#lost(problem);
    };
    worker.addEventListener("message", (event: MessageEvent<SynthesisReply>) => {
      if (this.#worker === worker) this.#receive(event.data);
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      ifCurrent(`failed: ${errorText(event.message)}`);
    });
    worker.addEventListener("close", () => ifCurrent("ended"));
    return worker;
  }

  #receive(reply: SynthesisReply): void {
    const job = this.#current;
    if (!job || job.id !== reply.id) return;
    this.#settle();
    if ("error" in reply) {
      this.#fail(job, new ProviderError("server_error", reply.error, false));
    } else if (reply.ulaw.length === 0) {
      this.#fail(job, new ProviderError("server_error", "speech synthesis gave no audio", false));
    } else {
      this.#counts.synthesised++;
      this.#pending.delete(job.text);
      this.#cache.set(job.text, reply.ulaw);
      job.resolve(reply.ulaw);
    }
    this.#next();
  }

  /** The worker is gone or no longer trusted: the text under way fails, the next one gets a new worker. */
  #lost(problem: string): void {
    const job = this.#current;
    this.#settle();
    this.#stopWorker();
    this.#log.warn("speech.worker_lost", { problem });
    if (job) this.#fail(job, new ProviderError("server_error", `the speech worker ${problem}`, true));
    this.#next();
  }

  #settle(): void {
    this.#current = null;
    this.#clock.clearTimeout(this.#deadline);
  }

  #fail(job: Job, error: ProviderError): void {
    this.#counts.failed++;
    this.#pending.delete(job.text);
    job.reject(error);
  }

  #stopWorker(): void {
    const worker = this.#worker;
    this.#worker = null;
    this.#clock.clearTimeout(this.#deadline);
    worker?.terminate();
  }
}
