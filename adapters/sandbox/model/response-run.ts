/** One response, from `response.created` to `response.done`: speech is sent much faster than real time. */
import { errorText } from "../../../engine/errors.ts";
import type { Ids, Log } from "../../../engine/ports.ts";
import type { Speech } from "../types.ts";
import type { Conversation } from "./conversation.ts";
import type { Faults } from "./faults.ts";
import { CallItem, SpeechItem, TextItem, type ItemContext, type OutputItem } from "./output-items.ts";
import type { Reply } from "./persona.ts";
import { SERVER_ERROR_TEXT } from "./protocol-errors.ts";
import type { Format } from "./session-config.ts";
import type { Timers } from "./timers.ts";
import { usageOf, type InputTokens } from "./usage.ts";
import type { Item, ResponseObject, Send } from "./wire.ts";

/** From the request to the first delta, without a fault. */
const THINK_MS = 150;
const DELTA_INTERVAL_MS = 20;
/** Between a cancel and each late delta, and the end. */
const LATE_MS = 8;

export interface RunSettings {
  readonly outOfBand: boolean;
  readonly modality: "audio" | "text";
  readonly format: Format;
  readonly voice: string;
  readonly maxTokens: number | "inf";
  readonly metadata: Record<string, string> | null;
  readonly input: InputTokens;
  readonly seen: InputTokens;
  /** Asks the persona; called once, in `start`. */
  readonly reply: () => Reply;
}

export interface RunContext {
  readonly send: Send;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly log: Log;
  readonly speech: Speech;
  readonly conversation: Conversation;
  readonly faults: () => Faults;
  readonly onDone: (run: ResponseRun) => void;
}

type CancelReason = "turn_detected" | "client_cancelled";
type Step = (context: ItemContext) => OutputItem;
type Outcome = {
  readonly status: ResponseObject["status"];
  readonly details?: ResponseObject["status_details"];
};

export class ResponseRun {
  readonly id: string;
  readonly settings: RunSettings;
  readonly #context: RunContext;
  readonly #output: Item[] = [];
  #state: "running" | "cancelling" | "done" = "running";
  #steps: Step[] = [];
  #current: OutputItem | null = null;
  #spent: InputTokens = { text: 0, audio: 0 };
  #callOff: () => void = () => undefined;

  constructor(settings: RunSettings, context: RunContext) {
    this.id = context.ids.sid("resp_");
    this.settings = settings;
    this.#context = context;
  }

  start(failure: Faults["failResponse"]): void {
    const { send } = this.#context;
    send({ type: "response.created", response: this.#object("in_progress") });
    send({ type: "rate_limits.updated", rate_limits: rateLimits(this.settings.input) });
    if (failure) {
      const { code, message } = failure;
      this.#after(THINK_MS, () => this.#fail(code, message || SERVER_ERROR_TEXT));
      return;
    }
    void this.#prepare().catch((error: unknown) => {
      this.#context.log.error("sandbox.model.reply_failed", { error: errorText(error) });
      this.#fail("server_error", SERVER_ERROR_TEXT);
    });
  }

  /** Begins to stop: a late delta or two may follow before `response.done`. `false` when it was over. */
  cancel(reason: CancelReason): boolean {
    if (this.#state === "done") return false;
    if (this.#state === "cancelling") return true;
    this.#state = "cancelling";
    const late = this.#current ? 1 + Math.round(this.#context.ids.random()) : 0;
    this.#after(LATE_MS, () => this.#windDown(late, reason));
    return true;
  }

  get cancelling(): boolean {
    return this.#state === "cancelling";
  }

  /** The session is over: nothing more is sent. */
  abandon(): void {
    this.#state = "done";
    this.#callOff();
  }

  /** Milliseconds of speech sent. */
  get audioMs(): number {
    return this.#total().audio * 50;
  }

  /** Decides on the reply, has its speech made, then waits the think time. */
  async #prepare(): Promise<void> {
    const { speech, faults } = this.#context;
    const reply = this.settings.reply();
    if (reply.say !== "") {
      if (this.settings.modality === "text") {
        this.#steps.push((context) => new TextItem(context, reply.say));
      } else {
        const ulaw = await speech.say(reply.say);
        this.#steps.push((context) => new SpeechItem(context, reply.say, ulaw, this.settings.format.type));
      }
    }
    const { use } = reply;
    if (use) this.#steps.push((context) => new CallItem(context, use));
    if (this.#state === "running") this.#after(faults().firstAudioDelayMs ?? THINK_MS, () => this.#next());
  }

  #next(): void {
    this.#current ??= this.#open();
    const { faults } = this.#context;
    if (!this.#current) {
      this.#finish({ status: "completed", details: { type: "completed" } });
    } else if (this.#current.step()) {
      this.#after(faults().deltaIntervalMs ?? DELTA_INTERVAL_MS, () => this.#next());
    } else if (this.#current.limited) {
      this.#closeCurrent("incomplete");
      const details = { type: "incomplete", reason: "max_output_tokens" } as const;
      this.#finish({ status: "incomplete", details });
    } else {
      this.#closeCurrent("completed");
      this.#next();
    }
  }

  #open(): OutputItem | null {
    const step = this.#steps.shift();
    if (!step) return null;
    const { send, ids, conversation } = this.#context;
    const { outOfBand, maxTokens } = this.settings;
    const spent = this.#total();
    const item = step({
      responseId: this.id,
      outputIndex: this.#output.length,
      conversation: outOfBand ? null : conversation,
      send,
      ids,
      tokensLeft:
        maxTokens === "inf" ? Number.POSITIVE_INFINITY : Math.max(0, maxTokens - spent.text - spent.audio),
    });
    item.open();
    return item;
  }

  #closeCurrent(status: "completed" | "incomplete"): void {
    if (!this.#current) return;
    this.#spent = this.#total();
    this.#current.close(status);
    this.#output.push(this.#current.item);
    this.#current = null;
  }

  #windDown(late: number, reason: CancelReason): void {
    if (late > 0 && this.#current?.step()) {
      this.#after(LATE_MS, () => this.#windDown(late - 1, reason));
      return;
    }
    this.#closeCurrent("incomplete");
    this.#finish({ status: "cancelled", details: { type: "cancelled", reason } });
  }

  #fail(code: string, message: string): void {
    if (this.#state === "done") return;
    this.#closeCurrent("incomplete");
    const error = { type: code, code, message };
    this.#finish({ status: "failed", details: { type: "failed", error } });
  }

  #finish(outcome: Outcome): void {
    this.#state = "done";
    this.#callOff();
    const usage = usageOf(this.settings.input, this.settings.seen, this.#total());
    const response = { ...this.#object(outcome.status), usage };
    if (outcome.details) response.status_details = outcome.details;
    this.#context.send({ type: "response.done", response });
    this.#context.onDone(this);
  }

  #total(): InputTokens {
    const now = this.#current?.tokens ?? { text: 0, audio: 0 };
    return { text: this.#spent.text + now.text, audio: this.#spent.audio + now.audio };
  }

  #after(delayMs: number, fn: () => void): void {
    this.#callOff();
    this.#callOff = this.#context.timers.after(delayMs, fn);
  }

  #object(status: ResponseObject["status"]): ResponseObject {
    const { outOfBand, modality, format, voice, maxTokens, metadata } = this.settings;
    return {
      object: "realtime.response",
      id: this.id,
      ...(status ? { status } : {}),
      output: [...this.#output],
      ...(outOfBand ? {} : { conversation_id: this.#context.conversation.id }),
      output_modalities: [modality],
      max_output_tokens: maxTokens,
      audio: { output: { format, voice } },
      metadata,
    };
  }
}

function rateLimits(input: InputTokens) {
  const tokens = input.text + input.audio;
  return [
    { name: "requests" as const, limit: 20_000, remaining: 19_999, reset_seconds: 0.003 },
    {
      name: "tokens" as const,
      limit: 15_000_000,
      remaining: 15_000_000 - tokens,
      reset_seconds: tokens / 250_000,
    },
  ];
}
