/**
 * Who speaks next: at most one response is active in a conversation, whoever asked for it. OpenAI refuses a
 * `response.create` while one is active, and creates responses by itself when the caller's turn ends.
 */
import type { Clock, Ids } from "../../engine/ports.ts";
import { RecentMap } from "../../engine/platform/recent-map.ts";

/** A response that somebody wants. `tool`: only so that a tool's result is spoken; `retry`: after a failure. */
export interface Wanted {
  readonly instructions: string | undefined;
  readonly origin: "engine" | "tool" | "retry";
}

export interface SequencerPort {
  /** Sends `response.create` and returns the id by which its `response.created` is recognised. */
  create(instructions: string | undefined): string;
  cancel(responseId: string): void;
  /** A response that was asked for will not come. */
  gaveUp(problem: string): void;
  /** Something that was waited for is not waited for any more. */
  settled(): void;
}

/** After the caller's turn the server answers by itself; this long nothing else is asked for. */
export const ANSWER_GRACE_MS = 3000;
/** A queued response waits for the end of what the caller is saying, but not for ever. */
export const SPEECH_HOLD_MS = 15_000;
/** A request that is neither created nor refused within this time is given up. */
export const REQUEST_TIMEOUT_MS = 10_000;
export const MAX_RETRIES = 3;
const RETRY_BASE_MS = 500;
const MAX_DISCARDED = 128;

interface Active {
  readonly id: string;
  /** The server created it by itself. */
  readonly auto: boolean;
  readonly wanted: Wanted;
  /** Number of times the caller had begun to speak when it was created. */
  readonly speechCount: number;
}

interface Request {
  readonly id: string;
  readonly wanted: Wanted;
  /** Interrupted before it was created: to be cancelled as soon as it is. */
  dropped: boolean;
  /** Asked for before the model changed sides. */
  otherSide: boolean;
}

export class ResponseSequencer {
  readonly #port: SequencerPort;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #discarded = new RecentMap<string, true>(MAX_DISCARDED);
  /** Of these, those that were meant for the other side. */
  readonly #otherSide = new RecentMap<string, true>(MAX_DISCARDED);
  #active: Active | null = null;
  #request: Request | null = null;
  #queued: Wanted | null = null;
  /** Asked for in vain: for the next socket, if this one is of no use. */
  #unanswered: Wanted | null = null;
  #callerSpeaking = false;
  #speechCount = 0;
  #activeAtSpeechStart = "";
  /** The caller's turn ended and its answer has not been created yet. */
  #answerDue = false;
  #passedOver = false;
  #retries = 0;
  #holdTimer: unknown = null;
  #requestTimer: unknown = null;
  #retryTimer: unknown = null;
  #stopped = false;

  constructor(port: SequencerPort, clock: Clock, ids: Ids) {
    this.#port = port;
    this.#clock = clock;
    this.#ids = ids;
  }

  get active(): Pick<Active, "id" | "auto"> | null {
    return this.#active;
  }

  /** The caller's turn ended and no answer to it has begun. */
  get answerDue(): boolean {
    return this.#answerDue;
  }

  /** Somebody has said something, or is saying it. */
  get hasTurn(): boolean {
    return this.#callerSpeaking || this.#answerDue;
  }

  /** The turn that is under way, or has just ended, is not to be answered. */
  get isPassedOver(): boolean {
    return this.#passedOver;
  }

  /** Nothing is being said, asked for or waited for. */
  get isQuiet(): boolean {
    const waiting = this.#request || this.#queued || this.#retryTimer !== null;
    return !this.#active && !waiting && !this.#callerSpeaking && !this.#answerDue;
  }

  isDiscarded(responseId: string): boolean {
    return this.#discarded.size > 0 && this.#discarded.has(responseId);
  }

  /** It was meant for whoever was heard and spoken to before the model changed sides. */
  isForOtherSide(responseId: string): boolean {
    return this.#otherSide.has(responseId);
  }

  /** Asks at once when nothing is active, requested or due; otherwise after that. */
  respond(instructions: string | undefined): void {
    const wanted: Wanted = { instructions, origin: "engine" };
    this.#queued = merge(this.#queued, wanted);
    if (!this.#active && !this.#request && !this.#answerDue && this.#retryTimer === null) this.#send();
  }

  /** Asks for a response as soon as it would not talk over the caller. */
  queue(wanted: Wanted): void {
    this.#queued = merge(wanted, this.#queued);
    this.flush();
  }

  flush(): void {
    const held = this.#holdTimer !== null && (this.#callerSpeaking || this.#answerDue);
    if (this.#active || this.#request || held || this.#retryTimer !== null) return;
    if (this.#queued) this.#send();
  }

  /** `requestId` as found in the response's metadata. True when the server created it by itself. */
  created(responseId: string, requestId: string | undefined): boolean {
    const request = this.#request;
    // A provider that echoes no metadata: ours, unless the caller's turn has just ended.
    const ours = request !== null && (requestId === request.id || (!requestId && !this.#answerDue));
    const wanted: Wanted = ours ? request.wanted : { instructions: undefined, origin: "retry" };
    this.#active = { id: responseId, auto: !ours, wanted, speechCount: this.#speechCount };
    this.#unanswered = null;
    if (ours) {
      this.#clearRequest();
      if (request.otherSide) this.#otherSide.set(responseId, true);
      if (request.dropped) this.#discard(responseId);
      return false;
    }
    this.#answerDue = false;
    if (!this.#callerSpeaking) this.#clearHold();
    if (this.#takePassedOver()) {
      this.#otherSide.set(responseId, true);
      this.#discard(responseId);
    }
    // The caller's turn is being answered with all that was known: nobody but the engine has more to say.
    if (this.#queued && this.#queued.origin !== "engine") this.#queued = null;
    return true;
  }

  /** What the response was asked for with, if it was the active one. */
  done(responseId: string, succeeded: boolean): Wanted | null {
    if (this.#active?.id !== responseId) return null;
    const { wanted } = this.#active;
    this.#active = null;
    if (succeeded) this.#retries = 0;
    return wanted;
  }

  /** A `response.create` was refused. `busy`: another response is active. */
  refused(requestId: string, how: "busy" | "retry" | "drop"): void {
    const request = this.#request;
    if (!request || request.id !== requestId) return;
    this.#clearRequest();
    if (request.dropped || how === "drop") return;
    // Busy with a response that we have not been told of: its `response.created` is on the way.
    if (how === "busy" && this.#active) this.#queued = merge(request.wanted, this.#queued);
    else this.retry(request.wanted);
  }

  /** The server could not answer the caller's turn, because a response of ours was active. */
  answerRefused(): void {
    if (this.#takePassedOver()) this.#answerDue = false;
    else this.queue({ instructions: undefined, origin: "retry" });
  }

  /** Asks again after a pause, a few times. */
  retry(wanted: Wanted): boolean {
    if (this.#stopped || this.#retries >= MAX_RETRIES) {
      this.#unanswered = merge(this.#unanswered, wanted);
      this.#port.gaveUp(`a response failed ${this.#retries + 1} times in a row`);
      return false;
    }
    const pauseMs = RETRY_BASE_MS * 2 ** this.#retries * (0.5 + this.#ids.random() / 2);
    this.#retries++;
    this.#queued = merge(wanted, this.#queued);
    this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = this.#clock.setTimeout(() => {
      this.#retryTimer = null;
      this.flush();
    }, pauseMs);
    return true;
  }

  speechStarted(): void {
    this.#callerSpeaking = true;
    this.#answerDue = false;
    this.#passedOver = false;
    this.#speechCount++;
    this.#activeAtSpeechStart = this.#active?.id ?? "";
    // The server cancels it now; what is still on the way of it is of no use.
    if (this.#active) this.#discarded.set(this.#active.id, true);
    // One that the server begins while they speak would talk over them to its end: nothing would cut it off.
    this.#dropRequest(true);
    this.#hold(SPEECH_HOLD_MS);
  }

  speechStopped(): void {
    this.#callerSpeaking = false;
    this.#answerDue = true;
    this.#hold(ANSWER_GRACE_MS);
  }

  /** The caller spoke before a word of it was said: what the engine wants said keeps its place. */
  keepPlace(responseId: string, wanted: Wanted): void {
    const byCaller = responseId === this.#activeAtSpeechStart && !this.isForOtherSide(responseId);
    if (byCaller && wanted.origin === "engine") this.#queued = merge(wanted, this.#queued);
  }

  /** It is over, and was not heard to its end: nobody asks for it again. What is to be said next is not touched. */
  unheard(responseId: string): void {
    this.#discarded.set(responseId, true);
  }

  /**
   * Playout was cut: these responses and, unless it answers what the caller said last, the active one are
   * discarded; it is cancelled where the server does not do so by itself.
   */
  interrupt(responseIds: ReadonlySet<string>): void {
    for (const id of responseIds) this.#discarded.set(id, true);
    const active = this.#active;
    const answering = active !== null && this.#answersLatestTurn(active, responseIds);
    if (active && (responseIds.has(active.id) || !answering)) {
      this.#discarded.set(active.id, true);
      const cancelledByServer = this.#callerSpeaking && this.#activeAtSpeechStart === active.id;
      if (!cancelledByServer) this.#port.cancel(active.id);
    }
    this.#clearRetry();
    // When it was the caller who cut in, what the engine has yet to say keeps its place.
    const callerCutIn = this.#callerSpeaking || this.#answerDue || answering;
    this.#dropRequest(callerCutIn);
    if (!callerCutIn || this.#queued?.origin !== "engine") this.#queued = null;
    if (!callerCutIn) this.#unanswered = null;
  }

  /**
   * The model has changed sides: what it was saying, and whatever answer comes to the words that are being said or
   * have just been said, was for the other side. Discarded and cancelled; the words stay in the conversation.
   */
  passOver(): void {
    this.#passedOver = this.#callerSpeaking || this.#answerDue;
    if (this.#active) {
      this.#otherSide.set(this.#active.id, true);
      if (!this.isDiscarded(this.#active.id)) this.#discard(this.#active.id);
    }
    if (this.#request) this.#request.dropped = this.#request.otherSide = true;
    this.#unanswered = null;
    if (this.#queued?.origin !== "retry") return;
    this.#queued = null;
    this.#clearRetry();
  }

  /** What has not begun is not said any more: it was for somebody who does not hear it now. */
  dropWanted(): void {
    this.#queued = null;
    this.#unanswered = null;
    this.#clearRetry();
    this.#dropRequest(false);
  }

  /** What was asked for and of which nothing was said yet, for the next socket. Stops. */
  takeOver(activeHasSpoken: boolean): Wanted | null {
    const active = this.#active;
    const unsaid = active && !active.auto && !activeHasSpoken && !this.isDiscarded(active.id);
    const request = this.#request && !this.#request.dropped ? this.#request.wanted : null;
    const begun = unsaid ? active.wanted : this.#unanswered;
    const wanted = merge(begun, merge(request, this.#queued));
    this.stop();
    return wanted;
  }

  stop(): void {
    this.#stopped = true;
    this.#queued = null;
    this.#unanswered = null;
    this.#clearHold();
    this.#clearRequest();
    this.#clearRetry();
  }

  #takePassedOver(): boolean {
    const passedOver = this.#passedOver;
    this.#passedOver = false;
    return passedOver;
  }

  #discard(responseId: string): void {
    this.#discarded.set(responseId, true);
    this.#port.cancel(responseId);
  }

  /** What was asked for is cancelled as soon as it begins; after the caller what the engine wants is asked for again. */
  #dropRequest(callerCutIn: boolean): void {
    const request = this.#request;
    if (!request || request.dropped) return;
    request.dropped = true;
    if (callerCutIn && request.wanted.origin === "engine") this.#queued = merge(request.wanted, this.#queued);
  }

  #answersLatestTurn(active: Active, responseIds: ReadonlySet<string>): boolean {
    const latest = active.auto && active.speechCount === this.#speechCount && !this.#callerSpeaking;
    return latest && this.#speechCount > 0 && responseIds.size > 0;
  }

  #send(): void {
    const wanted = this.#queued;
    if (!wanted || this.#stopped) return;
    this.#queued = null;
    this.#request = { id: this.#port.create(wanted.instructions), wanted, dropped: false, otherSide: false };
    this.#requestTimer = this.#clock.setTimeout(() => {
      if (!this.#request?.dropped) this.#unanswered = merge(this.#unanswered, wanted);
      this.#clearRequest();
      this.#port.gaveUp(`response.create was not answered within ${REQUEST_TIMEOUT_MS} ms`);
      this.flush();
      this.#port.settled();
    }, REQUEST_TIMEOUT_MS);
  }

  #hold(delayMs: number): void {
    this.#clearHold();
    this.#holdTimer = this.#clock.setTimeout(() => {
      this.#holdTimer = null;
      this.#answerDue = false;
      this.flush();
      this.#port.settled();
    }, delayMs);
  }

  #clearHold(): void {
    this.#clock.clearTimeout(this.#holdTimer);
    this.#holdTimer = null;
  }

  #clearRequest(): void {
    this.#clock.clearTimeout(this.#requestTimer);
    this.#requestTimer = null;
    this.#request = null;
  }

  #clearRetry(): void {
    this.#clock.clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
  }
}

/** One response for two wishes: the later instructions win, and the engine's wish is not dropped. */
function merge(earlier: Wanted | null, later: Wanted | null): Wanted | null;
function merge(earlier: Wanted, later: Wanted | null): Wanted;
function merge(earlier: Wanted | null, later: Wanted): Wanted;
function merge(earlier: Wanted | null, later: Wanted | null): Wanted | null {
  if (!earlier || !later) return later ?? earlier;
  const origin = earlier.origin === "engine" || later.origin === "engine" ? "engine" : later.origin;
  return { instructions: later.instructions ?? earlier.instructions, origin };
}
