/** Messages as the carrier and the model send them, made in advance, with audio that no cache can foresee. */
import { seededIds } from "../engine/platform/ids.ts";

export const FRAME_BYTES = 160;
export const FRAME_MS = 20;

/** Media messages of Twilio's; `payloadOf` makes the μ-law of one frame. */
export function twilioTexts(
  count: number,
  options: {
    readonly streamSid: string;
    readonly payloadOf?: () => Uint8Array;
    /** 0 for texts that are sent over and over: a leg would take steps back for a new clock. */
    readonly everyMs?: number;
  },
): readonly string[] {
  const { streamSid, payloadOf = noiseOf(1, FRAME_BYTES), everyMs = FRAME_MS } = options;
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      event: "media",
      sequenceNumber: String(i + 2),
      media: {
        track: "inbound",
        chunk: String(i + 1),
        timestamp: String(i * everyMs),
        payload: payloadOf().toBase64(),
      },
      streamSid,
    }),
  );
}

/** Pieces of one item of OpenAI's; `audioOf` makes the audio of one. */
export function deltaTexts(count: number, audioOf: () => Uint8Array): readonly string[] {
  return Array.from({ length: Math.floor(count) }, (_, i) =>
    JSON.stringify({
      type: "response.output_audio.delta",
      event_id: `event_${i}`,
      response_id: "resp_1",
      item_id: "item_1",
      output_index: 0,
      content_index: 0,
      delta: audioOf().toBase64(),
    }),
  );
}

/** `bytes` other bytes each time. */
export function noiseOf(seed: number, bytes: number): () => Uint8Array {
  const ids = seededIds(seed);
  return () => Uint8Array.from({ length: bytes }, () => Math.floor(ids.random() * 256));
}
