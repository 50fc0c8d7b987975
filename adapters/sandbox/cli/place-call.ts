/** Places one call into a running sandbox and follows it to its end; many may run in one process. */
import { errorText } from "../../../engine/errors.ts";
import type { Clock, Log, Speaker } from "../../../engine/ports.ts";
import { FrameTicker } from "../phone/frame-ticker.ts";
import { connectPhone, type Phone, type PhoneCounters, type PhoneEvent } from "../phone/phone.ts";
import type { Recording } from "../phone/recorder.ts";
import type { Speech } from "../types.ts";
import { type CallRowJson, createEngineApi, type EngineApi, type SandboxInfo } from "./engine-api.ts";
import { connectFeed, type EngineFeed, type FeedMessage } from "./engine-feed.ts";
import { People } from "./people.ts";
import { playScript } from "./script-player.ts";
import { type Actor, describeStep, type Step, textsOf } from "./script.ts";
import { Watch } from "./watch.ts";

const HANG_UP_TIMEOUT_MS = 5000;
/** Wrap-up may take a few seconds after the line is dead. */
const ENDED_TIMEOUT_MS = 15_000;
/** Messages kept until the call's sid is known. */
const MAX_EARLY_MESSAGES = 500;
const MAX_KEPT_MESSAGES = 2000;

/** A script that lets a rung pass takes long with a longer window than this. */
const LONG_WINDOW_MS = 15_000;
const SHORT_LADDER = "TANDEM_CONFIG=docs/examples/short-ladder.json bun run engine";

/** What happened in the call, with the time since it was placed. */
export type CallEvent = { readonly atMs: number } & (
  | { readonly type: "dialing"; readonly from: string; readonly to: string }
  | { readonly type: "answered"; readonly callSid: string }
  | { readonly type: "hung-up"; readonly reason: string }
  | { readonly type: "step"; readonly step: string }
  /** Of the phone of somebody on call; `text` is that of an SMS. */
  | { readonly type: "phone"; readonly who: Actor; readonly event: string; readonly text?: string }
  /** What a step of the script has found. */
  | { readonly type: "finding"; readonly text: string }
  | { readonly type: "warning"; readonly problem: string }
  | FeedMessage
);

export interface TranscriptLine {
  readonly speaker: Speaker;
  readonly text: string;
  readonly heardText?: string;
}

export interface CallResult {
  /** The script was played to its end and the call ended with a row in the state `ended`. */
  readonly ok: boolean;
  /** What went wrong, in a sentence; `null` when nothing did. */
  readonly problem: string | null;
  readonly callSid: string | null;
  /** Why the carrier said that the call ended. */
  readonly endReason: string | null;
  readonly durationMs: number;
  /** States of the call machine, oldest first; each differs from the one before. */
  readonly states: readonly string[];
  readonly transcript: readonly TranscriptLine[];
  readonly row: CallRowJson | null;
  /** What the caller said and heard; with `record` only. */
  readonly recording: Recording | null;
  readonly phone: PhoneCounters | null;
}

export interface PlaceCallOptions {
  /** `http://127.0.0.1:8080`. */
  readonly engineUrl: string;
  readonly token?: string;
  /** Of the caller, E.164. */
  readonly from: string;
  /** The agent's number by default. */
  readonly to?: string;
  readonly steps: readonly Step[];
  readonly speech: Speech;
  readonly clock: Clock;
  readonly log: Log;
  readonly record?: boolean;
  /** Of the whole call; 300 s by default. */
  readonly timeoutMs?: number;
  /** Hangs up when aborted. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: CallEvent) => void;
  /** For many calls in one process: shared instead of one for each call. */
  readonly feed?: EngineFeed;
  readonly ticker?: FrameTicker;
}

/**
 * Resolves when the call is over and everything it opened is closed. Rejects with `ConfigError` or
 * `CarrierError` when it could not be placed at all: no engine, no sandbox, no carrier, a text that cannot be said.
 */
export async function placeCall(options: PlaceCallOptions): Promise<CallResult> {
  const api = createEngineApi({
    engineUrl: options.engineUrl,
    clock: options.clock,
    ...(options.token === undefined ? {} : { token: options.token }),
  });
  const sandbox = await api.sandbox();
  // Said from the cache later, so that no pause in the call is due to synthesis.
  await Promise.all(textsOf(options.steps).map((text) => options.speech.say(text)));
  const feed = options.feed ?? (await connectFeed({ ...options, api }));
  const call = new PlacedCall(options, api, sandbox, feed);
  try {
    return await call.run();
  } finally {
    await call.close();
    if (!options.feed) feed.close();
  }
}

class PlacedCall {
  readonly #options: PlaceCallOptions;
  readonly #api: EngineApi;
  readonly #sandbox: SandboxInfo;
  readonly #feed: EngineFeed;
  readonly #unsubscribe: () => void;
  readonly #ticker: FrameTicker;
  readonly #startMs: number;
  /** While the call is on. */
  readonly #watch: Watch;
  /** Until the engine is done with it. */
  readonly #aftermath: Watch;
  readonly #states: string[] = [];
  readonly #transcript: TranscriptLine[] = [];
  readonly #early: FeedMessage[] = [];
  readonly #phones: Phone[] = [];
  #callSid: string | null = null;
  #endReason: string | null = null;
  /** Why the call was broken off from here. */
  #brokenOff: string | null = null;

  constructor(options: PlaceCallOptions, api: EngineApi, sandbox: SandboxInfo, feed: EngineFeed) {
    this.#options = options;
    this.#api = api;
    this.#sandbox = sandbox;
    this.#feed = feed;
    this.#ticker = options.ticker ?? new FrameTicker(options);
    this.#watch = new Watch(options.clock);
    this.#aftermath = new Watch(options.clock);
    this.#startMs = options.clock.monotonicMs();
    this.#unsubscribe = feed.subscribe(
      (message) => this.#onFeed(message),
      () => this.#aftermath.poke(),
    );
  }

  async run(): Promise<CallResult> {
    const { clock, signal } = this.#options;
    const timeoutMs = this.#options.timeoutMs ?? 300_000;
    const record = this.#records || this.#options.record === true;
    const caller = await this.#connect(this.#options.from, record, (event) => this.#onCaller(event));
    let closeTimer: unknown = null;
    const breakOff = (why: string): void => {
      if (this.#brokenOff !== null) return;
      this.#brokenOff = why;
      this.#watch.stop();
      caller.hangUp();
      // A carrier that does not even confirm the end is left without it.
      closeTimer = clock.setTimeout(() => caller.close(), HANG_UP_TIMEOUT_MS);
    };
    const onAbort = () => breakOff("interrupted");
    const timer = clock.setTimeout(() => breakOff(`not over within ${timeoutMs} ms`), timeoutMs);
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted) onAbort();
    try {
      return await this.#converse(caller);
    } finally {
      clock.clearTimeout(timer);
      clock.clearTimeout(closeTimer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Closes every connection of its own. */
  async close(): Promise<void> {
    this.#unsubscribe();
    for (const phone of this.#phones) phone.close();
    await Promise.all(this.#phones.map((phone) => phone.closed));
  }

  async #converse(caller: Phone): Promise<CallResult> {
    const to = this.#options.to ?? this.#sandbox.number;
    this.#emit({ type: "dialing", from: caller.number, to });
    let problem: string | null;
    try {
      if (this.#brokenOff === null) this.#adopt(await caller.dial(to));
      problem = this.#callSid === null ? null : await this.#play(caller, this.#callSid);
    } catch (error) {
      problem = `the call was not answered: ${errorText(error)}`;
    }
    await this.#hangUp(caller);
    const row = this.#callSid === null ? null : await this.#finish(this.#callSid);
    problem = this.#brokenOff ?? problem;
    if (this.#callSid !== null && row?.state !== "ended") {
      problem ??= row
        ? `the engine's row of the call is ${row.state}, not ended`
        : "the engine has no row of it";
    }
    return {
      ok: problem === null,
      problem,
      callSid: this.#callSid,
      endReason: this.#endReason,
      durationMs: Math.round(this.#options.clock.monotonicMs() - this.#startMs),
      states: this.#states,
      transcript: this.#transcript,
      row,
      recording: this.#options.record ? caller.recording() : null,
      phone: caller.counters(),
    };
  }

  #play(caller: Phone, callSid: string): Promise<string | null> {
    this.#emit({ type: "answered", callSid });
    const windowMs = this.#sandbox.ackTimeoutMs;
    if (windowMs > LONG_WINDOW_MS && this.#options.steps.some((step) => step.do === "ignore")) {
      const window = `here a rung of the ladder has ${windowMs / 1000} s before the next one is called`;
      this.#warn(`${window}; for 8 s: ${SHORT_LADDER}`);
    }
    return playScript(this.#options.steps, {
      callSid,
      caller,
      sandbox: this.#sandbox,
      people: new People({
        onCall: this.#sandbox.people,
        carrierUrl: this.#sandbox.carrierUrl,
        clock: this.#options.clock,
        connect: (who, number, onEvent) =>
          this.#connect(number, this.#records, (event) => this.#onPhone(who, event, onEvent)),
      }),
      api: this.#api,
      speech: this.#options.speech,
      clock: this.#options.clock,
      watch: this.#watch,
      states: this.#states,
      transcript: this.#transcript,
      onStep: (step) => this.#emit({ type: "step", step: describeStep(step) }),
      onFinding: (text) => this.#emit({ type: "finding", text }),
    });
  }

  /** A whisper is looked for in what was heard. */
  get #records(): boolean {
    return this.#options.steps.some((step) => step.do === "check-whisper");
  }

  #onPhone(who: Actor, event: PhoneEvent, onEvent: (event: PhoneEvent) => void): void {
    onEvent(event);
    if (event.type !== "closed") {
      const text = event.type === "sms" ? { text: event.body } : {};
      this.#emit({ type: "phone", who, event: event.type, ...text });
    }
    this.#watch.poke();
  }

  async #connect(number: string, record: boolean, onEvent: (event: PhoneEvent) => void): Promise<Phone> {
    const phone = await connectPhone({
      carrierUrl: this.#sandbox.carrierUrl,
      number,
      clock: this.#options.clock,
      log: this.#options.log,
      ticker: this.#ticker,
      record,
      onEvent,
      onFrame: () => this.#watch.poke(),
    });
    this.#phones.push(phone);
    return phone;
  }

  async #hangUp(caller: Phone): Promise<void> {
    if (caller.state === "idle" || caller.state === "closed") return;
    caller.hangUp();
    const left = () => caller.state === "idle" || caller.state === "closed";
    const outcome = await this.#aftermath.until(left, HANG_UP_TIMEOUT_MS);
    if (outcome === "timeout")
      this.#warn(`the carrier did not confirm the end within ${HANG_UP_TIMEOUT_MS} ms`);
  }

  async #finish(callSid: string): Promise<CallRowJson | null> {
    const ended = () => this.#states.at(-1) === "ended" || this.#feed.lost;
    const outcome = await this.#aftermath.until(ended, ENDED_TIMEOUT_MS);
    if (this.#feed.lost) this.#warn("the engine's live feed was lost");
    if (outcome === "timeout") {
      this.#warn(`the engine did not say within ${ENDED_TIMEOUT_MS} ms that the call has ended`);
    }
    return this.#api.finalRow(callSid);
  }

  #onCaller(event: PhoneEvent): void {
    if (event.type === "dialing") this.#adopt(event.callSid);
    if (event.type === "error") this.#warn(`the carrier says: ${event.message}`);
    if (event.type === "ended" || event.type === "closed") {
      const reason = event.type === "ended" ? event.reason : event.problem;
      if (this.#endReason === null) this.#emit({ type: "hung-up", reason });
      this.#endReason ??= reason;
      this.#watch.stop();
    }
    this.#watch.poke();
    this.#aftermath.poke();
  }

  /** The feed may know the call before its sid has come back from the carrier. */
  #adopt(callSid: string): void {
    if (this.#callSid !== null) return;
    this.#callSid = callSid;
    for (const message of this.#early.splice(0)) this.#onFeed(message);
  }

  #onFeed(message: FeedMessage): void {
    if (this.#callSid === null) {
      if (this.#early.length < MAX_EARLY_MESSAGES) this.#early.push(message);
      return;
    }
    if (message.callSid !== this.#callSid) return;
    if (message.type === "state") this.#enter(message.state);
    if (message.type === "transcript" && this.#transcript.length < MAX_KEPT_MESSAGES) {
      const { speaker, text, heardText } = message;
      this.#transcript.push({ speaker, text, ...(heardText === undefined ? {} : { heardText }) });
    }
    this.#emit(message);
    this.#watch.poke();
    this.#aftermath.poke();
  }

  /** The engine also tells of changes within a state. */
  #enter(state: string): void {
    if (state === this.#states.at(-1)) return;
    // The newest is always kept: it says whether the call has ended.
    if (this.#states.length >= MAX_KEPT_MESSAGES) this.#states.pop();
    this.#states.push(state);
  }

  #warn(problem: string): void {
    this.#emit({ type: "warning", problem });
  }

  #emit(event: DistributiveOmit<CallEvent, "atMs">): void {
    const atMs = Math.round(this.#options.clock.monotonicMs() - this.#startMs);
    this.#options.onEvent?.({ atMs, ...event } as CallEvent);
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
