/**
 * The caller's side: the input buffer, voice-activity detection, commits, and the idle timeout. Events are
 * driven by the audio's own clock, whatever the speed at which it arrives.
 */
import type { Ids } from "../../../engine/ports.ts";
import type { Hearing } from "../types.ts";
import { makeEntry, type Conversation } from "./conversation.ts";
import { bytesPerMs, decodeAudio, sampleRate, toUlaw } from "./formats.ts";
import { InputBuffer } from "./input-buffer.ts";
import { commitEmpty } from "./protocol-errors.ts";
import { Recogniser } from "./recogniser.ts";
import type { SessionConfig, TurnDetection } from "./session-config.ts";
import type { Timers } from "./timers.ts";
import { EnergyVad, type VadEvent } from "./vad.ts";
import type { ProtocolError, Send } from "./wire.ts";

const MIN_COMMIT_MS = 100;
/** Silence kept beyond the prefix padding while nobody speaks. */
const KEPT_SILENCE_MS = 1000;
const SEMANTIC_PREFIX_MS = 300;
/** Offline nothing judges whether a sentence is complete: eagerness is a pause of this length. */
const SEMANTIC_SILENCE_MS = { high: 400, medium: 800, auto: 800, low: 1600 } as const;

export interface TurnHost {
  readonly send: Send;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly hearing: Hearing;
  readonly conversation: Conversation;
  readonly config: () => SessionConfig;
  /** A user item was committed: it may be transcribed. */
  readonly onCommitted: (itemId: string) => void;
  /** The caller speaks over the active response. */
  readonly onInterrupt: () => void;
  readonly onAnswer: (trigger: "turn" | "idle") => void;
}

export class TurnTaking {
  readonly #host: TurnHost;
  readonly #buffer: InputBuffer;
  readonly #recogniser: Recogniser;
  #vad: EnergyVad | null = null;
  #speech: { readonly itemId: string; readonly startMs: number } | null = null;
  #callOffIdle: () => void = () => undefined;

  constructor(host: TurnHost) {
    this.#host = host;
    this.#buffer = new InputBuffer(bytesPerMs(this.#format));
    this.#recogniser = new Recogniser(host.hearing);
    this.#vad = this.#makeVad();
  }

  get bufferMs(): number {
    return this.#buffer.endMs;
  }

  get droppedBytes(): number {
    return this.#buffer.droppedBytes;
  }

  append(bytes: Uint8Array): void {
    const startMs = this.#buffer.endMs;
    this.#buffer.append(bytes);
    const ulaw = toUlaw(this.#format, bytes);
    if (this.#format === "audio/pcm") this.#recogniser.pushDelayed(ulaw, startMs);
    else this.#recogniser.push(ulaw, startMs);
    const events = this.#vad?.push(decodeAudio(this.#format, bytes)) ?? [];
    for (const event of events) this.#onVad(event);
    const detection = this.#detection;
    if (detection && !this.#speech) {
      this.#buffer.dropBefore(this.#buffer.endMs - prefixMs(detection) - KEPT_SILENCE_MS);
    }
  }

  /** A client's commit; with speech in progress it takes the item id that was announced for it. */
  commit(): ProtocolError | null {
    if (this.#buffer.lengthMs < MIN_COMMIT_MS) return commitEmpty(this.#buffer.lengthMs);
    const itemId = this.#speech?.itemId ?? this.#host.ids.sid("item_");
    this.#endSpeech();
    this.#commit(itemId, this.#buffer.startMs, this.#buffer.endMs);
    return null;
  }

  clear(): void {
    this.#endSpeech();
    this.#buffer.clear();
    this.#recogniser.clear();
    this.#host.send({ type: "input_audio_buffer.cleared" });
  }

  /** Speech in progress survives an update of anything but the format and the turn detection. */
  configChanged(before: SessionConfig): void {
    const was = before.audio.input;
    const is = this.#host.config().audio.input;
    const newFormat = was.format.type !== is.format.type;
    if (newFormat) {
      this.#buffer.setRate(bytesPerMs(is.format.type));
      this.#recogniser.clear();
    }
    if (!newFormat && JSON.stringify(was.turn_detection) === JSON.stringify(is.turn_detection)) return;
    this.#speech = null;
    this.#vad = this.#makeVad();
    this.#callOffIdle();
  }

  responseStarted(): void {
    this.#callOffIdle();
  }

  /** Starts the idle timeout, which runs from the end of the response's playback. */
  responseDone(audioMs: number): void {
    this.#callOffIdle();
    const detection = this.#detection;
    if (detection?.type !== "server_vad" || detection.idle_timeout_ms === null || this.#speech) return;
    const idleMs = detection.idle_timeout_ms;
    this.#callOffIdle = this.#host.timers.after(audioMs, () => {
      const startMs = this.#buffer.endMs;
      this.#callOffIdle = this.#host.timers.after(idleMs, () => this.#idle(startMs));
    });
  }

  get #format() {
    return this.#host.config().audio.input.format.type;
  }

  get #detection(): TurnDetection | null {
    return this.#host.config().audio.input.turn_detection;
  }

  #makeVad(): EnergyVad | null {
    const detection = this.#detection;
    if (!detection) return null;
    const settings =
      detection.type === "server_vad"
        ? { threshold: detection.threshold, silenceMs: detection.silence_duration_ms }
        : { threshold: 0.5, silenceMs: SEMANTIC_SILENCE_MS[detection.eagerness] };
    return new EnergyVad(settings, sampleRate(this.#format), this.#buffer.endMs);
  }

  #onVad(event: VadEvent): void {
    const detection = this.#detection;
    if (!detection) return;
    const { send, ids } = this.#host;
    if (event.type === "started") {
      const startMs = Math.max(this.#buffer.startMs, event.atMs - prefixMs(detection));
      const itemId = ids.sid("item_");
      this.#speech = { itemId, startMs };
      this.#callOffIdle();
      const audio_start_ms = Math.floor(startMs);
      send({ type: "input_audio_buffer.speech_started", audio_start_ms, item_id: itemId });
      if (detection.interrupt_response) this.#host.onInterrupt();
      return;
    }
    const speech = this.#speech;
    this.#speech = null;
    if (!speech) return;
    const audio_end_ms = Math.floor(event.atMs);
    send({ type: "input_audio_buffer.speech_stopped", audio_end_ms, item_id: speech.itemId });
    this.#commit(speech.itemId, speech.startMs, event.atMs);
    if (detection.create_response) this.#host.onAnswer("turn");
  }

  #commit(itemId: string, startMs: number, endMs: number): void {
    const { conversation, send } = this.#host;
    const text = this.#recogniser.take(startMs, endMs);
    const audio = this.#buffer.take(startMs, endMs);
    const entry = makeEntry(
      {
        id: itemId,
        object: "realtime.item",
        type: "message",
        role: "user",
        status: "completed",
        content: [{ type: "input_audio" }],
      },
      text,
    );
    entry.inputMs = audio.length / bytesPerMs(this.#format);
    const previous = conversation.append(itemId, entry);
    conversation.keepAudio(entry, audio);
    const item = structuredClone(entry.item);
    send({ type: "input_audio_buffer.committed", item_id: itemId, previous_item_id: previous });
    send({ type: "conversation.item.added", item, previous_item_id: previous });
    send({ type: "conversation.item.done", item, previous_item_id: previous });
    this.#host.onCommitted(itemId);
  }

  #idle(startMs: number): void {
    const { ids, send } = this.#host;
    const itemId = ids.sid("item_");
    const endMs = this.#buffer.endMs;
    send({
      type: "input_audio_buffer.timeout_triggered",
      audio_start_ms: Math.floor(startMs),
      audio_end_ms: Math.floor(endMs),
      item_id: itemId,
    });
    this.#vad?.reset();
    this.#commit(itemId, startMs, endMs);
    this.#host.onAnswer("idle");
  }

  #endSpeech(): void {
    this.#speech = null;
    this.#vad?.reset();
    this.#callOffIdle();
  }
}

function prefixMs(detection: TurnDetection): number {
  return detection.type === "server_vad" ? detection.prefix_padding_ms : SEMANTIC_PREFIX_MS;
}
