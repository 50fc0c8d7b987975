/** Transcription of the caller, a process beside the model: its events may come after those of the answer. */
import type { Ids } from "../../../engine/ports.ts";
import type { Conversation } from "./conversation.ts";
import type { Timers } from "./timers.ts";
import { audioInputTokens, textTokens } from "./usage.ts";
import type { Item, Send } from "./wire.ts";

const USUAL_MS = 60;
/** Long enough for the answer's events to come first. */
const LATE_MS = 700;
/** How often it is late. */
const LATE_SHARE = 0.3;

export interface TranscriptionContext {
  readonly send: Send;
  readonly timers: Timers;
  readonly ids: Ids;
  readonly conversation: Conversation;
}

/** Sends the transcript of a committed item, some time later. */
export function transcribe(
  context: TranscriptionContext,
  job: { readonly itemId: string; readonly model: string; readonly fail: boolean },
): void {
  const { send, timers, ids, conversation } = context;
  const item_id = job.itemId;
  const delayMs = ids.random() < LATE_SHARE ? LATE_MS : USUAL_MS;
  timers.after(delayMs, () => {
    const entry = conversation.get(item_id);
    if (!entry) return;
    if (job.fail) {
      const error = {
        type: "transcription_error",
        code: "audio_unintelligible",
        message: "The audio could not be transcribed.",
      };
      send({ type: "conversation.item.input_audio_transcription.failed", item_id, content_index: 0, error });
      return;
    }
    const transcript = entry.text;
    for (const delta of transcript.match(/\S+\s*/g) ?? []) {
      send({ type: "conversation.item.input_audio_transcription.delta", item_id, content_index: 0, delta });
    }
    entry.item = { ...entry.item, content: [{ type: "input_audio", transcript }] } as Item;
    send({
      type: "conversation.item.input_audio_transcription.completed",
      item_id,
      content_index: 0,
      transcript,
      usage: usage(job.model, transcript, entry.inputMs),
    });
  });
}

/** `whisper-1` is billed by duration, the others by tokens. */
function usage(model: string, transcript: string, ms: number) {
  if (model === "whisper-1") return { type: "duration" as const, seconds: Math.ceil(ms / 1000) };
  const audio = audioInputTokens(ms);
  const output = textTokens(transcript);
  return {
    type: "tokens" as const,
    input_tokens: audio,
    output_tokens: output,
    total_tokens: audio + output,
    input_token_details: { audio_tokens: audio, text_tokens: 0 },
  };
}
