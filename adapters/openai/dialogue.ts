/**
 * The conversation on one configured socket: turns events into what the engine is told, and what the engine
 * wants into events. Lives as long as its link; the text of the conversation outlives it.
 */
import { ProviderError } from "../../engine/errors.ts";
import { MAX_CALL_ID_CHARS } from "../../engine/ports.ts";
import type { Clock, HeardItem, HistoryItem, Ids, ModelAudio } from "../../engine/ports.ts";
import { AnswerWatch } from "./answer-watch.ts";
import { RecentMap } from "../../engine/platform/recent-map.ts";
import { textItem, type Purpose } from "./client-events.ts";
import type { Conversation, Cut } from "./conversation.ts";
import type { Counters } from "./counters.ts";
import { classifyFault, type Classified } from "./errors.ts";
import type { GuardedSink } from "./guarded-sink.ts";
import type { Link } from "./link.ts";
import { ResponseSequencer, type Wanted } from "./sequencer.ts";
import { Said, isWritten } from "./said.ts";
import { type ServerEvent, usageOf } from "./server-events.ts";
import { callText, outputText, type ToolCalls } from "./tool-calls.ts";

type EventOf<T extends ServerEvent["type"]> = Extract<ServerEvent, { type: T }>;

export interface DialogueParts {
  readonly link: Link;
  readonly conversation: Conversation;
  readonly tools: ToolCalls;
  readonly sink: GuardedSink;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly counters: Counters;
  /** The provider will not serve this account any more. */
  readonly onFatal: (error: ProviderError) => void;
  /** Connected, and of no use: answers do not come, or fail one after another. */
  readonly onStalled: (error: ProviderError) => void;
  /** An answer came to its end. */
  readonly onAnswered: () => void;
  /** Something ended: a response, a turn, a transcript. */
  readonly onSettled: () => void;
}

/** What a lost socket leaves undone. */
export interface Unfinished {
  readonly wanted: Wanted | null;
  /** The model was speaking, or about to answer. */
  readonly note: "none" | "was_speaking" | "turn_unanswered";
}

/** The result of a call that was made for the other side. */
const OVERTAKEN = outputText({ error: "not done: you speak with somebody else by now" });
/** What stands for the words of a turn that the model heard and nobody wrote down: a gap would look like silence. */
const NOT_TRANSCRIBED = "[not transcribed]";
/** Turns whose transcript is awaited; older ones are not waited for any more. */
const MAX_AWAITED_TRANSCRIPTS = 16;

export class Dialogue {
  readonly #parts: DialogueParts;
  readonly #sequencer: ResponseSequencer;
  readonly #watch: AnswerWatch;
  readonly #awaitedTranscripts = new RecentMap<string, true>(MAX_AWAITED_TRANSCRIPTS);
  readonly #said = new Said();
  /** The response whose end is being told: the engine may answer how much of it nobody heard. */
  #ending = "";

  constructor(parts: DialogueParts) {
    this.#parts = parts;
    this.#watch = new AnswerWatch(parts.clock, (problem) =>
      parts.onStalled(new ProviderError("server_error", problem, true)),
    );
    const port = {
      create: (instructions: string | undefined) => {
        this.#watch.due();
        return parts.link.respond(instructions);
      },
      cancel: (id: string) => {
        parts.link.send({ type: "response.cancel", response_id: id }, "cancel", id);
      },
      settled: parts.onSettled,
      gaveUp: (problem: string) => parts.sink.warning(new ProviderError("server_error", problem, true)),
    };
    this.#sequencer = new ResponseSequencer(port, parts.clock, parts.ids);
  }

  /** Nobody speaks or is about to, and no transcript is on the way. */
  get isQuiet(): boolean {
    return this.#sequencer.isQuiet && !this.#watch.isDue && this.#awaitedTranscripts.size === 0;
  }

  /** Hot path. */
  onAudio(chunk: ModelAudio, bytes: number): void {
    if (bytes === 0) return;
    this.#watch.progress();
    const { conversation, counters, sink } = this.#parts;
    const passedOn = !this.#sequencer.isDiscarded(chunk.responseId);
    conversation.agentAudio(chunk.itemId, bytes, passedOn);
    if (!passedOn) {
      counters.lateDeltasDropped++;
      return;
    }
    this.#said.spoke(chunk.responseId);
    sink.audio(chunk);
  }

  /** Whatever is heard of an answer, acted on or not: the model is at work. */
  onActivity(): void {
    this.#watch.progress();
  }

  onEvent(event: ServerEvent): void {
    if (event.type.startsWith("response.")) this.#watch.progress();
    const { sink, conversation } = this.#parts;
    switch (event.type) {
      case "input_audio_buffer.speech_started":
        this.#watch.settled();
        this.#sequencer.speechStarted();
        return sink.speechStarted(event.item_id);
      case "input_audio_buffer.speech_stopped":
        this.#sequencer.speechStopped();
        return sink.speechStopped(event.item_id);
      case "input_audio_buffer.committed":
        this.#watch.due();
        this.#awaitedTranscripts.set(event.item_id, true);
        return conversation.userCommitted(event.item_id);
      case "conversation.item.input_audio_transcription.completed":
        return this.#onUserText(event.item_id, event.transcript.trim());
      case "conversation.item.input_audio_transcription.failed":
        this.#parts.counters.transcriptionsFailed++;
        return this.#onUserText(event.item_id, NOT_TRANSCRIBED);
      case "response.created":
        return this.#onResponseCreated(event);
      case "response.output_item.added":
        if (event.item.type === "message" && event.item.id) conversation.agentItem(event.item.id);
        return undefined;
      case "response.output_item.done":
        return this.#onItemDone(event);
      case "response.output_audio.done":
        return this.#onAudioDone(event);
      case "response.output_audio_transcript.delta":
        return this.#onTranscriptDelta(event);
      case "response.output_audio_transcript.done":
        return conversation.agentText(event.item_id, event.transcript);
      case "response.done":
        return this.#onResponseDone(event);
      default:
        return undefined;
    }
  }

  /** An `error` event. A refused `session.update` is not for here. */
  onRefused(fault: Classified, purpose: Purpose | undefined, eventId: string): void {
    const { treatment, error } = fault;
    const { sink, counters } = this.#parts;
    if (purpose?.kind === "respond") {
      this.#watch.settled();
      this.#sequencer.refused(eventId, treatment === "busy" ? "busy" : "retry");
      if (treatment !== "busy") this.#watch.ended(true);
      if (treatment === "busy") return;
    } else if (treatment === "busy") {
      return this.#sequencer.answerRefused();
    } else if (purpose?.kind === "truncate") {
      if (error.providerCode === "unsupported_content_type") return this.#deleteItem(purpose.target);
      if (error.providerCode === "invalid_value") counters.truncateOvershoots++;
    } else if (!purpose && treatment === "retry" && this.#sequencer.answerDue) {
      // The answer may be what failed. If it comes all the same, nothing more is asked for.
      this.#sequencer.answerRefused();
    }
    if (treatment === "benign") return undefined;
    counters.rejectedEvents++;
    sink.warning(error);
  }

  changeSides(speaker: "agent" | "coach"): void {
    // The last words of the person whom it coached are often a goodbye: nothing for the caller to be answered.
    if (speaker === "agent") this.#sequencer.passOver();
    else this.#sequencer.dropWanted();
  }

  respond(instructions: string | undefined): void {
    this.#sequencer.respond(instructions);
  }

  /** Asks for what the socket before left undone; `null`: an answer, unless the caller has spoken again. */
  takeUp(wanted: Wanted | null): void {
    this.#sequencer.queue(wanted ?? { instructions: undefined, origin: "retry" });
  }

  interrupt(items: readonly HeardItem[]): void {
    const ids = new Set(items.map((item) => item.responseId));
    if (ids.size === 1 && ids.has(this.#ending)) this.#sequencer.unheard(this.#ending);
    // Cancel first: after it the server adds no audio to the items that are cut.
    else this.#sequencer.interrupt(ids);
    for (const item of items) this.#tellCut(this.#parts.conversation.cut(item), item.contentIndex);
  }

  addText(role: HistoryItem["role"], text: string): void {
    const { conversation, link } = this.#parts;
    const entry = conversation.addText(role, text);
    entry.serverId = conversation.nextId();
    entry.restored = true;
    link.send(textItem(entry.serverId, role, entry.text), "text", entry.serverId);
  }

  /** A result for the call of this socket, or as text for one of an earlier socket. */
  toolOutput(callId: string, output: string, call: { readonly name: string; readonly live: boolean }): void {
    const { conversation, link } = this.#parts;
    if (call.live) {
      const item = { type: "function_call_output" as const, call_id: callId, output };
      link.send({ type: "conversation.item.create", item }, "tool", callId);
      return;
    }
    const text = `Result of the earlier call of the tool ${call.name}: ${output}`;
    link.send(textItem(conversation.nextId(), "system", text), "tool", callId);
  }

  speakToolResult(): void {
    this.#sequencer.queue({ instructions: undefined, origin: "tool" });
  }

  /**
   * Ends the dialogue and says what the next socket has to take up. The active response is reported lost.
   * @param deaf nothing has come through for so long that the caller may have said something meanwhile.
   */
  end(deaf: boolean): Unfinished {
    const { sink, tools } = this.#parts;
    const { active, hasTurn, isPassedOver } = this.#sequencer;
    const going = active !== null && !this.#sequencer.isDiscarded(active.id);
    const hasSpoken = going && this.#said.hasSpoken(active.id);
    const { isDue, stalled } = this.#watch;
    this.#watch.stop();
    const wanted = this.#sequencer.takeOver(hasSpoken);
    // What was being said is lost with the buffer it was in: on the new socket it would never become a turn.
    const turn = hasTurn || (isDue && active === null && wanted === null);
    const unanswered = (turn && !isPassedOver) || deaf || stalled || (going && active.auto);
    tools.socketLost();
    if (active !== null) sink.responseDone({ responseId: active.id, status: "failed", usage: null });
    if (hasSpoken) return { wanted, note: "was_speaking" };
    return { wanted, note: unanswered ? "turn_unanswered" : "none" };
  }

  #onUserText(itemId: string, text: string): void {
    const { conversation, sink, onSettled } = this.#parts;
    this.#awaitedTranscripts.delete(itemId);
    if (text) {
      conversation.userText(itemId, text);
      sink.userText({ itemId, text });
    }
    onSettled();
  }

  #onResponseCreated(event: EventOf<"response.created">): void {
    this.#watch.due();
    const { id, metadata } = event.response;
    const requestId = metadata?.["request"];
    const auto = this.#sequencer.created(id, typeof requestId === "string" ? requestId : undefined);
    if (auto) this.#parts.tools.turnAnswered(id);
    this.#parts.sink.responseStarted(id);
  }

  #onItemDone(event: EventOf<"response.output_item.done">): void {
    const { item, response_id: responseId } = event;
    const { conversation, tools, sink } = this.#parts;
    if (item.type === "message" && item.id) {
      const cutOff = this.#sequencer.isDiscarded(responseId) && !conversation.isCut(item.id);
      if (cutOff && conversation.isUnheard(item.id)) this.#deleteItem(item.id);
      else if (cutOff) this.#said.cutOff(item.id);
      else if (conversation.isUnheard(item.id) && isWritten(item)) this.#said.wrote(item.id);
      return;
    }
    // Arguments of an interrupted call also come to an end, but only a completed item may run.
    if (item.type !== "function_call" || item.status !== "completed") return;
    const { call_id: callId, name, arguments: argumentsJson = "{}" } = item;
    if (!callId || !name || callId.length > MAX_CALL_ID_CHARS) {
      const problem = callId && name ? "a call_id that is too long" : "no call_id or name";
      sink.warning(new ProviderError("protocol_error", `a function_call has ${problem}`, false));
      return;
    }
    const call = { name, argumentsJson };
    if (this.#sequencer.isForOtherSide(responseId)) {
      // It was to be done for whoever is not spoken to any more. The model waits for a result all the same.
      this.toolOutput(callId, OVERTAKEN, { name, live: true });
      return;
    }
    const entry = () => conversation.addText("system", callText(call, null));
    if (!tools.started(responseId, callId, call, entry)) return;
    sink.toolCall({ callId, name, argumentsJson });
  }

  #onAudioDone(event: EventOf<"response.output_audio.done">): void {
    if (this.#parts.conversation.isCut(event.item_id)) return;
    this.#parts.sink.audioDone({
      responseId: event.response_id,
      itemId: event.item_id,
      contentIndex: event.content_index,
    });
  }

  #onTranscriptDelta(event: EventOf<"response.output_audio_transcript.delta">): void {
    const { conversation, sink } = this.#parts;
    const { item_id: itemId, response_id: responseId, delta } = event;
    conversation.agentDelta(itemId, delta);
    if (!this.#sequencer.isDiscarded(responseId)) sink.agentTextDelta({ itemId, responseId, delta });
  }

  #onResponseDone(event: EventOf<"response.done">): void {
    const { sink, tools, onSettled } = this.#parts;
    const { id, usage } = event.response;
    const told = event.response.status === "in_progress" ? "failed" : (event.response.status ?? "failed");
    const written = this.#said.takeWritten();
    const onlyWritten = told === "completed" && written.length > 0 && this.#saidNothing(id);
    const status = onlyWritten ? "failed" : told;
    const wordless = status === "incomplete" && this.#saidNothing(id);
    const failed = status === "failed" || wordless;
    const wanted = this.#sequencer.done(id, !failed);
    // Before anything that may ask for the next answer. The one to the caller's last turn may be due already.
    if (wanted && !this.#sequencer.answerDue) this.#watch.settled();
    this.#ending = id;
    sink.responseDone({ responseId: id, status, usage: usage ? usageOf(usage) : null });
    this.#ending = "";
    this.#tellCutOff();
    if (status === "completed") this.#parts.onAnswered();
    if (tools.responseDone(id)) this.speakToolResult();
    if (status === "cancelled" && wanted && !this.#said.hasSpoken(id)) this.#sequencer.keepPlace(id, wanted);
    if (onlyWritten) this.#takeBack(written, wanted);
    else if (status === "failed" && this.#responseFailed(event, wanted)) return;
    if (wordless) {
      const why = event.response.status_details?.reason ?? "no reason given";
      sink.warning(new ProviderError("server_error", `an answer ended without a word (${why})`, true));
      if (wanted) this.#retry(wanted);
    }
    this.#watch.ended(failed);
    this.#sequencer.flush();
    onSettled();
  }

  /** True when the session is over with it. */
  #responseFailed({ response }: EventOf<"response.done">, wanted: Wanted | null): boolean {
    const { error: told } = response.status_details ?? {};
    const { treatment, error } = classifyFault(told ?? {}, "a response failed");
    if (treatment === "fatal") {
      this.#parts.onFatal(error);
      return true;
    }
    this.#parts.sink.warning(error);
    const mayRetry = treatment === "retry" || treatment === "rejected";
    if (mayRetry && wanted && !this.#sequencer.isDiscarded(response.id)) this.#retry(wanted);
    return false;
  }

  /** The model must not believe that it was heard, nor go on writing. */
  #takeBack(written: readonly string[], wanted: Wanted | null): void {
    for (const itemId of written) this.#deleteItem(itemId);
    const problem = "an answer was written instead of spoken";
    this.#parts.sink.warning(new ProviderError("protocol_error", problem, true));
    if (wanted) this.#retry(wanted);
  }

  /** Neither a word nor a tool call, and nobody has cut it off. */
  #saidNothing(responseId: string): boolean {
    const silent = !this.#said.hasSpoken(responseId) && !this.#parts.tools.hasCalls(responseId);
    return silent && !this.#sequencer.isDiscarded(responseId);
  }

  /** The server holds more of these items than anybody heard: what came too late is no part of what was said. */
  #tellCutOff(): void {
    for (const itemId of this.#said.takeCutOff()) this.#tellCut(this.#parts.conversation.cutLate(itemId), 0);
  }

  #retry(wanted: Wanted): void {
    if (this.#sequencer.retry(wanted)) this.#parts.counters.responseRetries++;
  }

  #tellCut(cut: Cut | null, contentIndex: number): void {
    const { link, conversation } = this.#parts;
    if (!cut) return;
    if (cut.kind === "truncate") {
      const { itemId, audioEndMs } = cut;
      link.send(
        {
          type: "conversation.item.truncate",
          item_id: itemId,
          content_index: contentIndex,
          audio_end_ms: audioEndMs,
        },
        "truncate",
        itemId,
      );
      return;
    }
    if (cut.kind === "replace") {
      const id = conversation.nextId();
      cut.entry.serverId = id;
      link.send(textItem(id, cut.item.role, cut.item.text, cut.itemId), "history", cut.itemId);
    }
    link.send({ type: "conversation.item.delete", item_id: cut.itemId }, "delete", cut.itemId);
  }

  #deleteItem(itemId: string): void {
    this.#parts.conversation.forget(itemId);
    this.#parts.link.send({ type: "conversation.item.delete", item_id: itemId }, "delete", itemId);
  }
}
