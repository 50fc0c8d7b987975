/** All calls of one run: starts them, measures them, ends them. */
import { InvariantError, errorText, invariant } from "../../engine/errors.ts";
import { pause } from "../../engine/platform/clock.ts";
import { seededIds } from "../../engine/platform/ids.ts";
import type { Clock } from "../../engine/ports.ts";
import { churn } from "./churn.ts";
import { distribution } from "./distribution.ts";
import type { EchoWindow } from "./echo.ts";
import { Histogram } from "../../engine/platform/histogram.ts";
import { LoadCall } from "./load-call.ts";
import { ACCOUNT_SID, MiniTwilio } from "./mini-twilio.ts";
import { type LineBehaviour, ModelLine } from "./model-line.ts";
import { listenAsModel } from "./model-socket.ts";
import type {
  ChurnPlan,
  Churned,
  GeneratorOptions,
  GeneratorReady,
  SpeechWindow,
  Offer,
  Started,
  Target,
  Window,
} from "./protocol.ts";
import { type SpeechTally, SpeechTurns } from "./speech-turns.ts";
import { Ticker } from "./ticker.ts";
import { serveTwilioRest } from "./twilio-rest.ts";

/** The model's socket of a call must be there by then. */
const LINE_LIMIT_MS = 10_000;
const END_LIMIT_MS = 5_000;
const FAILED_BELOW = 0.9;

export class LoadRun implements LineBehaviour {
  readonly clock: Clock;
  readonly ids: ReturnType<typeof seededIds>;
  readonly calls: LoadCall[] = [];
  readonly twilio: MiniTwilio;
  onEnded: ((call: LoadCall, by: "caller" | "agent") => void) | null = null;
  problem: string | null = null;
  readonly #options: GeneratorOptions;
  readonly #lateness = new Histogram();
  readonly #window: EchoWindow = { latency: new Histogram(), timed: true };
  readonly #ticker: Ticker;
  readonly #tally: SpeechTally = {
    clear: new Histogram(),
    truncationError: new Histogram(),
    bargeIns: 0,
    withoutClear: 0,
    withoutTruncation: 0,
    staleMs: 0,
    turns: 0,
  };
  readonly #modelPort: number;
  readonly #restPort: number;
  readonly #lines = new Map<ModelLine, LoadCall | null>();
  /** Calls whose model socket has yet to come, in the order in which they were placed. */
  readonly #awaiting: { readonly call: LoadCall; readonly bound: () => void }[] = [];
  #lineCount = 0;
  #callCount = 0;
  #echoing = true;

  constructor(options: GeneratorOptions, clock: Clock) {
    this.#options = options;
    this.clock = clock;
    this.ids = seededIds(options.seed);
    this.#ticker = new Ticker(clock, this.#lateness);
    this.twilio = new MiniTwilio({
      clock,
      ids: this.ids,
      onEnded: (call, by) => {
        this.#remove(call);
        this.onEnded?.(call, by);
      },
      onProblem: (problem) => (this.problem ??= problem),
    });
    const model = listenAsModel((socket) => {
      const nowS = Math.floor(clock.now() / 1000);
      const number = ++this.#lineCount;
      const line = new ModelLine({ socket, number, format: options.format, behaviour: this, nowS });
      this.#bind(line);
      return line;
    });
    this.#modelPort = model.port;
    this.#restPort = serveTwilioRest(this.twilio).port ?? 0;
  }

  get tally(): SpeechTally {
    return this.#tally;
  }

  ports(): GeneratorReady {
    return { modelPort: this.#modelPort, restPort: this.#restPort };
  }

  // ------------------------------------------------------------------ commands

  async start(calls: number, target: Target): Promise<Started> {
    let refused = 0;
    let failed = 0;
    for (let i = 0; i < calls; i++) {
      const outcome = await this.place(target);
      if (outcome === "refused") refused++;
      else if (outcome === "failed") failed++;
    }
    const started = calls - refused - failed;
    return { started, refused, failed, live: this.calls.length, problem: this.problem };
  }

  /** One more call, up to its audio flowing both ways. */
  async place(target: Target): Promise<LoadCall | "refused" | "failed"> {
    const call = this.#newCall();
    const bound = Promise.withResolvers<void>();
    const waiting = { call, bound: () => bound.resolve() };
    this.#awaiting.push(waiting);
    try {
      if (target.kind === "twilio") {
        const placed = await this.twilio.place(call, target.origin);
        if (placed === "refused") return "refused";
      } else {
        const parameters = { callSid: call.callSid };
        const where = {
          hostname: "127.0.0.1",
          port: target.port,
          path: "/media",
          signature: null,
          parameters,
        };
        await call.open(where, this.ids.sid("MZ"));
      }
      if (this.#options.mode !== "bounce") {
        await this.#within(bound.promise, LINE_LIMIT_MS, "the model's socket");
      }
    } catch (error) {
      this.problem ??= errorText(error);
      await this.hangUpOne(call);
      return "failed";
    } finally {
      const at = this.#awaiting.indexOf(waiting);
      if (at >= 0) this.#awaiting.splice(at, 1);
    }
    this.calls.push(call);
    this.#ticker.add(call);
    return call;
  }

  /**
   * Whatever has piled up in the system until now is let run out for `settleMs`, because an echo never catches
   * up by itself; then it goes on for as long.
   */
  async settle(settleMs: number): Promise<void> {
    this.#window.timed = false;
    this.#echoing = false;
    await pause(this.clock, settleMs);
    this.#echoing = true;
    await pause(this.clock, settleMs);
  }

  /** `offer`: meanwhile these calls are placed, too; those that get in are not counted among the calls. */
  async measure(windowMs: number, offer: Offer | null): Promise<Window> {
    const { clock, calls } = this;
    const shared = this.#window;
    for (const call of calls) call.echo.forgetSent();
    shared.timed = true;
    shared.latency.reset();
    this.#lateness.reset();
    this.#resetTally();
    const measured = [...calls];
    const before = measured.map(({ echo }) => [echo.framesOut, echo.framesIn, echo.garbled] as const);
    const startMs = clock.monotonicMs();
    const offered = offer ? this.start(offer.calls, offer.target) : null;
    await pause(clock, windowMs);
    let [framesOut, framesIn, garbled, failedCalls] = [0, 0, 0, 0];
    measured.forEach((call, i) => {
      const [outBefore, inBefore, garbledBefore] = before[i] as readonly [number, number, number];
      const out = call.echo.framesOut - outBefore;
      const back = call.echo.framesIn - inBefore;
      framesOut += out;
      framesIn += back;
      garbled += call.echo.garbled - garbledBefore;
      const comesBack = this.#options.mode !== "speech";
      if (call.lost || (comesBack && back < out * FAILED_BELOW)) failedCalls++;
    });
    const window: Window = {
      calls: measured.length,
      failedCalls,
      windowMs: clock.monotonicMs() - startMs,
      framesOut,
      framesIn,
      garbled,
      latencyMs: distribution(shared.latency),
      latenessMs: distribution(this.#lateness),
      speech: this.#options.mode === "speech" ? this.#speechWindow() : null,
      offered: null,
    };
    return offered ? { ...window, offered: await offered } : window;
  }

  async hangUp(): Promise<void> {
    for (const call of this.calls.toReversed()) await this.hangUpOne(call);
    const deadlineMs = this.clock.monotonicMs() + END_LIMIT_MS;
    while (this.#lines.size > this.calls.length && this.clock.monotonicMs() < deadlineMs) {
      await pause(this.clock, 10);
    }
  }

  async hangUpOne(call: LoadCall): Promise<void> {
    const room = this.twilio.rooms.get(call.callSid);
    if (room) {
      await this.twilio.end(room, "caller");
    } else {
      call.stop();
      this.#remove(call);
    }
  }

  async churn(target: Target, plan: ChurnPlan): Promise<Churned> {
    invariant(target.kind === "twilio", "calls come and go at the carrier only");
    return await churn(this, target, plan);
  }

  /** The call's model socket goes away, as when the network fails. The new one is known by its audio. */
  dropLine(call: LoadCall): void {
    call.line?.drop();
  }

  // ------------------------------------------------------------------ the model's side

  echoes = (): boolean => this.#echoing && this.#options.mode === "echo";

  /** Sockets come in the order of their calls, but for one that takes the place of a lost one. */
  appended(line: ModelLine, callNumber: number): void {
    const call = this.calls.find(({ number }) => number === callNumber);
    if (!call) return;
    line.isKnown = true;
    if (call.line !== line) this.#join(line, call);
  }

  answerWanted(line: ModelLine, metadata: unknown): void {
    const turns = this.#lines.get(line)?.turns;
    if (turns) {
      turns.begin(metadata, this.clock.monotonicMs());
      return;
    }
    line.finish("completed", "");
    line.begin(metadata);
    // Whose it is will be known when there is audio on it; until then there is nothing to say.
    if (this.#options.mode === "speech") line.finish("completed", "");
  }

  cancelled(line: ModelLine): void {
    const turns = this.#lines.get(line)?.turns;
    if (turns) turns.cancelled();
    else line.finish("cancelled", "");
  }

  truncated(line: ModelLine, itemId: string, audioEndMs: number): void {
    this.#lines.get(line)?.turns?.truncated(itemId, audioEndMs);
  }

  closed(line: ModelLine): void {
    const call = this.#lines.get(line);
    this.#lines.delete(line);
    if (!call || call.line !== line) return;
    call.turns?.over();
    call.line = null;
  }

  // ------------------------------------------------------------------ inside

  #newCall(): LoadCall {
    const callNumber = ++this.#callCount;
    const callSid = this.ids.sid("CA");
    const identity = { accountSid: ACCOUNT_SID, callSid, streamSid: "", callNumber };
    const { format, lostMarks = 0 } = this.#options;
    const losesMark = (): boolean => lostMarks > 0 && this.ids.random() < lostMarks;
    return new LoadCall({ identity, format, window: this.#window, clock: this.clock, losesMark });
  }

  #bind(line: ModelLine): void {
    const waiting = this.#awaiting.shift();
    this.#lines.set(line, null);
    if (!waiting) return;
    this.#join(line, waiting.call);
    waiting.bound();
  }

  #join(line: ModelLine, call: LoadCall): void {
    call.turns?.over();
    this.#lines.set(line, call);
    call.line = line;
    if (this.#options.mode !== "speech") return;
    call.turns = new SpeechTurns({
      line,
      ids: this.ids,
      tally: this.#tally,
      nowMs: this.clock.monotonicMs(),
      waitingMs: (nowMs) => call.playback.waitingMs(nowMs),
    });
  }

  #remove(call: LoadCall): void {
    this.#ticker.remove(call);
    call.turns?.over();
    const at = this.calls.indexOf(call);
    if (at >= 0) this.calls.splice(at, 1);
  }

  #resetTally(): void {
    const tally = this.#tally;
    tally.clear.reset();
    tally.truncationError.reset();
    Object.assign(tally, { bargeIns: 0, withoutClear: 0, withoutTruncation: 0, staleMs: 0, turns: 0 });
  }

  #speechWindow(): SpeechWindow {
    const { clear, truncationError, ...counts } = this.#tally;
    return { clearMs: distribution(clear), truncationErrorMs: distribution(truncationError), ...counts };
  }

  async #within(promise: Promise<void>, ms: number, what: string): Promise<void> {
    let timer: unknown;
    const late = new Promise<never>((_, reject) => {
      const problem = `${what} did not come within ${ms} ms`;
      timer = this.clock.setTimeout(() => reject(new InvariantError(problem)), ms);
    });
    try {
      await Promise.race([promise, late]);
    } finally {
      this.clock.clearTimeout(timer);
    }
  }
}
