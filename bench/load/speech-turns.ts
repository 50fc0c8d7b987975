/**
 * A conversation: the model speaks faster than real time, turn after turn, the caller lets it finish or cuts in.
 * Carrier and model are in one process, so what was heard is known, and what the model was told can be held
 * against it.
 */
import type { Ids } from "../../engine/ports.ts";
import type { Histogram } from "../../engine/platform/histogram.ts";
import type { AudioFormat, ModelLine } from "./model-line.ts";

const BYTES_PER_MS = 8;
/** The lengths of the model's deltas, and how often they come. */
const DELTA_MS = [100, 200, 400];
const DELTA_EVERY_MS = 40;
const MIN_TURN_MS = 2_000;
const MAX_TURN_MS = 6_000;
const MIN_PAUSE_MS = 300;
const MAX_PAUSE_MS = 1_200;
/** How long the caller speaks. */
const CALLER_MS = 600;
const BARGE_IN_SHARE = 0.4;
const EARLIEST_BARGE_IN_MS = 400;
/** From the caller's last word to the model's first. */
const THINK_MS = 200;
const WORDS = "these are some words of the answer that the model gives to its caller ".split(" ");

/** Figures of all calls. */
export interface SpeechTally {
  readonly clear: Histogram;
  readonly truncationError: Histogram;
  bargeIns: number;
  withoutClear: number;
  withoutTruncation: number;
  staleMs: number;
  turns: number;
}

interface BargeIn {
  readonly itemId: string;
  readonly atMs: number;
  clearedAtMs: number;
  /** Milliseconds of the item that the caller heard. */
  heardMs: number;
  truncatedMs: number;
  staleMs: number;
}

type Phase = "pause" | "caller" | "thinking" | "speaking" | "playing" | "over";

export class SpeechTurns {
  readonly #line: ModelLine;
  readonly #ids: Ids;
  readonly #tally: SpeechTally;
  readonly #waitingMs: (nowMs: number) => number;
  #phase: Phase = "pause";
  /** When the phase goes over into the next. */
  #untilMs: number;
  #turnMs = 0;
  #toSendMs = 0;
  #nextDeltaMs = 0;
  #bargeAtMs = Number.POSITIVE_INFINITY;
  #receivedMs = 0;
  #bargeIn: BargeIn | null = null;
  #deltas = 0;
  #callerItems = 0;
  #endWanted = false;

  constructor(options: {
    readonly line: ModelLine;
    readonly ids: Ids;
    readonly tally: SpeechTally;
    readonly nowMs: number;
    /** What the carrier has buffered and not played. */
    readonly waitingMs: (nowMs: number) => number;
  }) {
    this.#line = options.line;
    this.#ids = options.ids;
    this.#tally = options.tally;
    this.#waitingMs = options.waitingMs;
    this.#untilMs = options.nowMs + MAX_PAUSE_MS;
  }

  /** Once in 20 ms. */
  tick(nowMs: number): void {
    if (nowMs >= this.#bargeAtMs && (this.#phase === "speaking" || this.#phase === "playing")) {
      this.#cutIn(nowMs);
    }
    if (this.#phase === "speaking") {
      if (nowMs >= this.#nextDeltaMs) this.#speak(nowMs);
      return;
    }
    if (nowMs < this.#untilMs) return;
    switch (this.#phase) {
      case "pause":
        if (this.#endWanted) this.#end();
        else this.#callerSpeaks(nowMs);
        return;
      case "caller":
        this.#callerStops(nowMs);
        return;
      case "thinking":
        this.begin(null, nowMs);
        return;
      case "playing":
        this.#phase = "pause";
        this.#untilMs = nowMs + this.#between(MIN_PAUSE_MS, MAX_PAUSE_MS);
        return;
      default:
    }
  }

  /** A turn of the model begins, by itself or because it was asked. */
  begin(metadata: unknown, nowMs: number): void {
    if (this.#phase === "over") return;
    this.#settle();
    this.#line.begin(metadata);
    this.#tally.turns++;
    this.#phase = "speaking";
    this.#turnMs = Math.round(this.#between(MIN_TURN_MS, MAX_TURN_MS) / 100) * 100;
    this.#toSendMs = this.#turnMs;
    this.#receivedMs = 0;
    this.#nextDeltaMs = nowMs;
    this.#untilMs = nowMs + this.#turnMs;
    const cutsIn = this.#ids.random() < BARGE_IN_SHARE;
    this.#bargeAtMs = cutsIn
      ? nowMs + this.#between(EARLIEST_BARGE_IN_MS, this.#turnMs)
      : Number.POSITIVE_INFINITY;
  }

  /** The call is to end by the agent's own doing: it calls its tool instead of the next turn. */
  endSoon(): void {
    this.#endWanted = true;
  }

  cancelled(): void {
    this.#line.finish("cancelled", "");
    if (this.#phase === "speaking") this.#phase = "playing";
  }

  truncated(itemId: string, audioEndMs: number): void {
    const bargeIn = this.#bargeIn;
    if (bargeIn?.itemId === itemId && bargeIn.truncatedMs < 0) bargeIn.truncatedMs = audioEndMs;
  }

  /** Audio reached the carrier. */
  heard(bytes: number): void {
    const ms = bytes / BYTES_PER_MS;
    this.#receivedMs += ms;
    if (this.#bargeIn && this.#bargeIn.clearedAtMs >= 0) this.#bargeIn.staleMs += ms;
  }

  /** The carrier was told to drop what it had not played. */
  cleared(nowMs: number, waitingMs: number): void {
    const bargeIn = this.#bargeIn;
    if (!bargeIn || bargeIn.clearedAtMs >= 0) return;
    bargeIn.clearedAtMs = nowMs;
    bargeIn.heardMs = Math.max(0, this.#receivedMs - waitingMs);
  }

  /** No more is said. */
  over(): void {
    this.#settle();
    this.#phase = "over";
  }

  #cutIn(nowMs: number): void {
    this.#bargeAtMs = Number.POSITIVE_INFINITY;
    const wasSpeaking = this.#line.isAnswering;
    // What is left is less than the next frames will play: there is nothing to cut.
    if (this.#waitingMs(nowMs) === 0) return;
    this.#bargeIn = {
      itemId: this.#line.itemId,
      atMs: nowMs,
      clearedAtMs: -1,
      heardMs: -1,
      truncatedMs: -1,
      staleMs: 0,
    };
    this.#callerSpeaks(nowMs);
    if (wasSpeaking) this.#line.finish("cancelled", "");
  }

  #callerSpeaks(nowMs: number): void {
    const n = ++this.#callerItems;
    this.#line.send({
      type: "input_audio_buffer.speech_started",
      audio_start_ms: Math.round(nowMs),
      item_id: `caller_${this.#line.number}_${n}`,
    });
    this.#phase = "caller";
    this.#untilMs = nowMs + CALLER_MS;
  }

  #callerStops(nowMs: number): void {
    const item = { item_id: `caller_${this.#line.number}_${this.#callerItems}` };
    this.#line.send({
      type: "input_audio_buffer.speech_stopped",
      audio_end_ms: Math.round(nowMs),
      ...item,
    });
    this.#line.send({ type: "input_audio_buffer.committed", previous_item_id: null, ...item });
    this.#line.send({
      type: "conversation.item.input_audio_transcription.completed",
      content_index: 0,
      transcript: "and these are the caller's",
      ...item,
    });
    this.#phase = "thinking";
    this.#untilMs = nowMs + THINK_MS;
  }

  #speak(nowMs: number): void {
    const ms = Math.min(this.#toSendMs, DELTA_MS[this.#deltas++ % DELTA_MS.length] as number);
    const speech = speechOf(this.#line.format, ms);
    this.#line.audio(speech, 0, speech.length);
    this.#line.transcriptDelta(`${WORDS[this.#deltas % WORDS.length]} `);
    this.#toSendMs -= ms;
    this.#nextDeltaMs = nowMs + DELTA_EVERY_MS;
    if (this.#toSendMs > 0) return;
    this.#line.finish("completed", WORDS.join(" "));
    this.#phase = "playing";
  }

  #end(): void {
    this.#endWanted = false;
    this.#line.callTool("end_call", '{"reason":"the caller is helped"}');
    // What is said now is the engine's to ask for.
    this.#untilMs = Number.POSITIVE_INFINITY;
  }

  /** The last barge-in can get nothing more. */
  #settle(): void {
    const bargeIn = this.#bargeIn;
    this.#bargeIn = null;
    if (!bargeIn) return;
    const tally = this.#tally;
    tally.bargeIns++;
    if (bargeIn.clearedAtMs >= 0) {
      tally.clear.record(bargeIn.clearedAtMs - bargeIn.atMs);
      tally.staleMs += bargeIn.staleMs;
    } else {
      tally.withoutClear++;
    }
    if (bargeIn.truncatedMs < 0) tally.withoutTruncation++;
    else if (bargeIn.heardMs >= 0)
      tally.truncationError.record(Math.abs(bargeIn.truncatedMs - bargeIn.heardMs));
  }

  #between(min: number, max: number): number {
    return min + this.#ids.random() * (max - min);
  }
}

const made = new Map<string, Buffer>();

/** Base64 of `ms` of a tone, made once for each length. */
function speechOf(format: AudioFormat, ms: number): Buffer {
  const key = `${format} ${ms}`;
  const known = made.get(key);
  if (known) return known;
  const text = Buffer.from(format === "pcmu" ? ulawTone(ms).toBase64() : pcmTone(ms).toBase64());
  made.set(key, text);
  return text;
}

function ulawTone(ms: number): Uint8Array {
  return Uint8Array.from({ length: ms * 8 }, (_, i) => (i % 20 < 10 ? 0x98 : 0x18));
}

function pcmTone(ms: number): Uint8Array {
  const samples = Int16Array.from({ length: ms * 24 }, (_, i) => (i % 60 < 30 ? 6_000 : -6_000));
  return new Uint8Array(samples.buffer);
}
