/** Outbound legs: what `To` means, how it rings, and what comes of it. */
import type { RingOutcome } from "../../types.ts";
import type { PhoneLine } from "../../types.ts";
import { CallQueue } from "../cps.ts";
import { parseForm } from "../form.ts";
import { Session } from "../session/session.ts";
import type { SessionParts } from "../session/scope.ts";
import { E164, type Core, type Fields } from "../types.ts";
import type { Call } from "./call.ts";
import { detectMachine, type MachineDetection } from "./amd.ts";
import type { Calls } from "./registry.ts";
import { refusedAs, RING_BUFFER_S } from "./ringing.ts";
import { wire } from "./wire.ts";

export interface DialPlan {
  readonly timeoutS: number;
  readonly detection: MachineDetection | null;
  /** The call has a line; when detection blocks the call, only after its verdict. */
  readonly onReady: () => void;
  readonly onRinging?: () => void;
}

export class Dialer {
  readonly #parts: SessionParts;
  readonly #core: Core;
  readonly #calls: Calls;
  readonly #queue: CallQueue;

  constructor(parts: SessionParts, calls: Calls) {
    this.#parts = parts;
    this.#core = parts.core;
    this.#calls = calls;
    this.#queue = new CallQueue({
      clock: parts.core.clock,
      timers: parts.core.timers,
      callsPerSecond: parts.core.options.callsPerSecond ?? 1,
    });
  }

  get queued(): number {
    return this.#queue.size;
  }

  get full(): boolean {
    return this.#queue.full;
  }

  /** Queues `call` to be dialled when its turn comes. */
  place(call: Call, plan: DialPlan): void {
    const entry = this.#queue.add(() => this.#dial(call, plan));
    call.queueTimeMs = entry.estimateMs;
    call.onEnd(() => entry.cancel());
  }

  stop(): void {
    this.#queue.clear();
  }

  #dial(call: Call, plan: DialPlan): void {
    if (call.ended) return;
    call.progress("initiated");
    const noAnswer = this.#core.timers.after((plan.timeoutS + RING_BUFFER_S) * 1000, () => {
      if (call.answeredMs === null) call.end("no-answer");
    });
    call.onEnd(noAnswer);
    const own = this.#core.routing.numbers.find((n) => n.number === call.to);
    if (call.to.startsWith("app:")) this.#dialApp(call, plan);
    else if (own) this.#dialInside(call, plan, { to: call.to, url: own.voiceUrl, fields: [] });
    else if (E164.test(call.to)) this.#dialPhone(call, plan);
    else call.end("failed", { sipCode: 480 });
  }

  #dialPhone(call: Call, plan: DialPlan): void {
    const ring = this.#core.phones.ring(call.to, { callSid: call.sid, from: call.from }, (outcome, line) =>
      this.#outcome(call, plan, outcome, line),
    );
    call.onEnd(() => {
      if (call.answeredMs === null) ring?.cancel();
    });
    // A number that nobody has rings until its timeout, like a phone that is never picked up.
    call.progress("ringing");
    plan.onRinging?.();
  }

  #outcome(call: Call, plan: DialPlan, outcome: RingOutcome, line: PhoneLine | null): void {
    if (call.ended || call.answeredMs !== null) {
      line?.hangUp("the call is over");
      return;
    }
    if (line === null) {
      call.end(...refusedAs(outcome));
      return;
    }
    call.answer(line);
    const ready = (): void => {
      if (!call.ended) plan.onReady();
    };
    if (plan.detection) detectMachine(call, plan.detection, outcome === "voicemail", ready);
    else ready();
  }

  /** `app:AP…?k=v`: the App's voice URL runs the other half of the call, with `k=v` as extra fields. */
  #dialApp(call: Call, plan: DialPlan): void {
    const [to = "", query = ""] = call.to.split("?", 2);
    const url = this.#core.routing.appVoiceUrl;
    if (url === "") {
      this.#core.alerts.raise(21218, "the TwiML App has no voice URL", call.sid);
      call.end("failed", { sipCode: 404 });
      return;
    }
    this.#dialInside(call, plan, { to, url, fields: parseForm(query) });
  }

  #dialInside(
    call: Call,
    plan: DialPlan,
    inside: { readonly to: string; readonly url: string; readonly fields: Fields },
  ): void {
    const isApp = inside.to.startsWith("app:");
    const other = this.#calls.create({
      direction: "inbound",
      from: call.from,
      to: inside.to,
      parentSid: isApp ? call.sid : null,
      ...(isApp && this.#core.options.appWebhookSharesCallSid ? { sid: call.sid, parentSid: null } : {}),
    });
    other.progress("ringing");
    call.progress("ringing");
    plan.onRinging?.();
    const ends = wire();
    call.onEnd(() => {
      if (other.answeredMs === null) other.end("canceled");
    });
    other.onEnd(() => {
      if (call.answeredMs === null) call.end(other.status === "busy" ? "busy" : "failed");
    });
    const session = new Session(this.#parts, other, () => {
      other.answer(ends.far);
      call.answer(ends.near);
      if (plan.detection) call.answeredBy = "human";
      plan.onReady();
    });
    session.start({ kind: "url", url: inside.url, method: "POST", fields: inside.fields });
  }
}
