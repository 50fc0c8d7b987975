/** What the AI's voice remembers of one call, whichever engine and whichever model session it is. */
import type { HistoryItem, ModelUsage, RecordingTrack, TranscriptEntry } from "../ports.ts";

export interface VoiceState {
  /** The conversation as text: what the caller heard of it, and what was whispered, as such. */
  readonly history: readonly HistoryItem[];
  readonly transcript: readonly TranscriptEntry[];
  readonly recordings: readonly RecordingTrack[];
  readonly usage: ModelUsage;
  readonly counters: VoiceCounters;
}

export interface VoiceCounters {
  turns: number;
  bargeIns: number;
  toolCalls: number;
  toolErrors: number;
  modelWarnings: number;
  /** Answers of which the model did not say what they took. */
  answersUnmetered: number;
  transcriptDropped: number;
  /** The largest stated error of what a barge-in left heard. */
  heardErrorMaxMs: number;
}

const MAX_TRANSCRIPT = 2000;

export const NO_USAGE: ModelUsage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedTokens: 0,
  cachedAudioTokens: 0,
  inputAudioTokens: 0,
  outputAudioTokens: 0,
};

export class VoiceMemory {
  readonly #transcript: TranscriptEntry[];
  readonly usage: { -readonly [K in keyof ModelUsage]: ModelUsage[K] };
  readonly counters: VoiceCounters;
  history: readonly HistoryItem[];
  recordings: readonly RecordingTrack[];

  constructor(before?: VoiceState) {
    this.#transcript = [...(before?.transcript ?? [])];
    this.history = before?.history ?? [];
    this.recordings = before?.recordings ?? [];
    this.usage = { ...NO_USAGE, ...before?.usage };
    this.counters = {
      turns: 0,
      bargeIns: 0,
      toolCalls: 0,
      toolErrors: 0,
      modelWarnings: 0,
      answersUnmetered: 0,
      transcriptDropped: 0,
      heardErrorMaxMs: 0,
      ...before?.counters,
    };
  }

  /** Oldest first. */
  get transcript(): readonly TranscriptEntry[] {
    return this.#transcript;
  }

  /** False when there is no room for it. */
  add(entry: TranscriptEntry): boolean {
    if (this.#transcript.length >= MAX_TRANSCRIPT) {
      this.counters.transcriptDropped++;
      return false;
    }
    this.#transcript.push(entry);
    return true;
  }

  addUsage(more: ModelUsage): void {
    this.usage.inputTokens += more.inputTokens;
    this.usage.outputTokens += more.outputTokens;
    this.usage.cachedTokens += more.cachedTokens;
    this.usage.cachedAudioTokens += more.cachedAudioTokens;
    this.usage.inputAudioTokens += more.inputAudioTokens;
    this.usage.outputAudioTokens += more.outputAudioTokens;
  }

  state(): VoiceState {
    const { history, transcript, recordings, usage, counters } = this;
    return { history, transcript, recordings, usage, counters };
  }
}
