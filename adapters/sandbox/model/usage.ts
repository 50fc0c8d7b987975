/**
 * Token counts in the proportions of the API: a second of caller audio is about 10 tokens, a second of the
 * model's speech about 20, four characters of text about one. Every answer is billed the whole conversation.
 */
import type { Entry } from "./conversation.ts";
import type { Usage } from "./wire.ts";

const INPUT_MS_PER_TOKEN = 100;
export const OUTPUT_MS_PER_TOKEN = 50;
const CHARS_PER_TOKEN = 4;
/** Cached prefixes come in steps of this many tokens. */
const CACHE_STEP = 64;

export function textTokens(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

export function audioOutputTokens(ms: number): number {
  return Math.ceil(ms / OUTPUT_MS_PER_TOKEN);
}

export function audioInputTokens(ms: number): number {
  return Math.ceil(ms / INPUT_MS_PER_TOKEN);
}

export interface InputTokens {
  readonly text: number;
  readonly audio: number;
}

/** What an answer reads: the instructions and every item. */
export function inputTokens(instructions: string, entries: readonly Entry[]): InputTokens {
  let text = textTokens(instructions);
  let audio = 0;
  for (const entry of entries) {
    if (entry.heldMs !== null) audio += audioOutputTokens(entry.heldMs);
    else if (entry.inputMs > 0) audio += audioInputTokens(entry.inputMs);
    else text += textTokens(entry.text);
  }
  return { text, audio };
}

/** `seen` is what the last answer of this session read: that prefix is cached. */
export function usageOf(input: InputTokens, seen: InputTokens, output: InputTokens): Usage {
  const cachedText = cached(Math.min(seen.text, input.text));
  const cachedAudio = cached(Math.min(seen.audio, input.audio));
  const inputTotal = input.text + input.audio;
  const outputTotal = output.text + output.audio;
  return {
    total_tokens: inputTotal + outputTotal,
    input_tokens: inputTotal,
    output_tokens: outputTotal,
    input_token_details: {
      text_tokens: input.text,
      audio_tokens: input.audio,
      image_tokens: 0,
      cached_tokens: cachedText + cachedAudio,
      cached_tokens_details: { text_tokens: cachedText, audio_tokens: cachedAudio, image_tokens: 0 },
    },
    output_token_details: { text_tokens: output.text, audio_tokens: output.audio },
  };
}

function cached(tokens: number): number {
  return Math.floor(tokens / CACHE_STEP) * CACHE_STEP;
}
