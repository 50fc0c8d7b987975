/** Carries out a call's TwiML, document after document, until the call ends or is sent elsewhere. */
import { errorText } from "../../../../engine/errors.ts";
import { Aborted, orAborted } from "../abortable.ts";
import { CarrierAlert } from "../alerts.ts";
import type { Call } from "../call/call.ts";
import { voiceFields } from "../call/fields.ts";
import { parseTwiml, type Verb } from "../twiml/document.ts";
import { runConnect } from "./connect.ts";
import { runStart, runStop } from "./fork.ts";
import { runDial } from "./dial.ts";
import { runDialNumber } from "./dial-number.ts";
import { runGather } from "./gather.ts";
import { decodeAudio, isWav, runPrompt } from "./prompts.ts";
import { goTo, type Next, type Scope, type SessionParts, type Target } from "./scope.ts";
import { abortable } from "../abortable.ts";

/** A call that fetches more documents than this is ended: it is going round in circles. */
const MAX_DOCUMENTS = 1000;

interface Document {
  readonly url: string | null;
  readonly verbs: readonly Verb[];
  /** A sound file instead of TwiML. */
  readonly audio: Uint8Array | null;
}

export class Session {
  readonly #parts: SessionParts;
  readonly #call: Call;
  readonly #onAnswer: () => void;
  readonly #controller = new AbortController();

  /** `onAnswer` must answer the call: the first verb that is not `<Reject>` or `<Redirect>` needs it. */
  constructor(parts: SessionParts, call: Call, onAnswer: () => void) {
    this.#parts = parts;
    this.#call = call;
    this.#onAnswer = onAnswer;
    call.session = this;
  }

  start(target: Target): void {
    this.#run(target).then(
      () => undefined,
      (error: unknown) => this.#failed(error),
    );
  }

  /** Stops where it is, without ending the call. */
  abort(): void {
    this.#controller.abort();
  }

  async #run(first: Target): Promise<void> {
    let target = first;
    for (let documents = 0; documents < MAX_DOCUMENTS; documents++) {
      const next = await this.#document(target);
      if (next === "end") {
        this.#finish("completed");
        return;
      }
      target = next;
    }
    throw new CarrierAlert(12100, `more than ${MAX_DOCUMENTS} documents`);
  }

  async #document(target: Target): Promise<Target | "end"> {
    try {
      return await this.#execute(await this.#load(target));
    } catch (error) {
      return this.#fallback(error, target);
    }
  }

  /** Where to go on after a mistake of the customer's, once per call. */
  #fallback(error: unknown, failed: Target): Target {
    const { fallback } = this.#call;
    if (!fallback || !(error instanceof CarrierAlert) || this.#controller.signal.aborted) throw error;
    this.#call.fallback = null;
    this.#parts.core.alerts.raise(error.code, error.message, this.#call.sid);
    return {
      kind: "url",
      ...fallback,
      fields: [
        ["ErrorCode", String(error.code)],
        ["ErrorUrl", failed.kind === "url" ? failed.url : ""],
      ],
    };
  }

  #failed(error: unknown): void {
    if (error instanceof Aborted || this.#controller.signal.aborted) return;
    const { core } = this.#parts;
    if (error instanceof CarrierAlert) core.alerts.raise(error.code, error.message, this.#call.sid);
    else {
      core.log.error("carrier.session.crashed", { callSid: this.#call.sid, error: errorText(error) });
      core.alerts.raise(11200, errorText(error), this.#call.sid);
    }
    this.#finish("failed");
  }

  #finish(status: "completed" | "failed"): void {
    const answered = this.#call.answeredMs !== null;
    this.#call.end(answered ? "completed" : status, answered ? {} : { sipCode: 500 });
  }

  async #load(target: Target): Promise<Document> {
    if (target.kind === "twiml") return { url: null, verbs: this.#parse(target.twiml), audio: null };
    const signal = this.#controller.signal;
    const answer = await orAborted(
      signal,
      this.#parts.core.webhooks.request({
        url: target.url,
        method: target.method,
        fields: [...voiceFields(this.#call), ...target.fields],
        product: "voice",
        signal,
      }),
    );
    const { contentType, body, url } = answer;
    if (contentType.startsWith("audio/") || isWav(body)) {
      return { url, verbs: [], audio: decodeAudio(body, contentType) };
    }
    if (contentType === "text/plain") {
      return { url, verbs: [{ verb: "Say", text: new TextDecoder().decode(body), loop: 1 }], audio: null };
    }
    if (contentType !== "" && !/[/+](xml|html)$/.test(contentType)) {
      throw new CarrierAlert(12300, `"${contentType}" is no content type for TwiML`);
    }
    return { url, verbs: this.#parse(new TextDecoder().decode(body)), audio: null };
  }

  #parse(twiml: string): readonly Verb[] {
    return parseTwiml(twiml, (problem) => this.#parts.core.alerts.raise(12200, problem, this.#call.sid));
  }

  async #execute(document: Document): Promise<Target | "end"> {
    const signal = this.#controller.signal;
    const scope: Scope = { ...this.#parts, call: this.#call, signal, documentUrl: document.url };
    const { audio } = document;
    if (audio) {
      this.#answer();
      await abortable<void>(signal, (done) => this.#call.media.play(audio, () => done()));
      return "end";
    }
    for (const verb of document.verbs) {
      const next = await this.#verb(scope, verb);
      if (signal.aborted) throw new Aborted();
      if (next !== "continue") return next;
    }
    if (document.verbs.length === 0) this.#answer();
    return "end";
  }

  async #verb(scope: Scope, verb: Verb): Promise<Next> {
    if (verb.verb === "Redirect") return goTo(scope, verb.url, verb.method, []);
    if (verb.verb === "Reject") return this.#reject(verb.reason);
    this.#answer();
    switch (verb.verb) {
      case "Say":
      case "Play":
      case "Pause":
        await runPrompt(scope, verb);
        return "continue";
      case "Gather":
        return await runGather(scope, verb);
      case "Dial":
        return await ("number" in verb ? runDialNumber(scope, verb) : runDial(scope, verb));
      case "Connect":
        return await runConnect(scope, verb);
      case "Start":
        runStart(scope, verb);
        return "continue";
      case "Stop":
        runStop(scope, verb);
        return "continue";
      case "Hangup":
        return "end";
      case "Message":
        throw new CarrierAlert(12100, "<Message> is not a verb of a voice call");
    }
  }

  #answer(): void {
    if (this.#call.answeredMs === null && !this.#call.ended) this.#onAnswer();
  }

  #reject(reason: "rejected" | "busy"): Next {
    if (this.#call.answeredMs === null) {
      this.#call.end(reason === "busy" ? "busy" : "no-answer", { sipCode: reason === "busy" ? 486 : 603 });
    }
    return "end";
  }
}
