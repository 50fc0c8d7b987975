/** Messages between {@link createSpeech} and its worker. One request is under way at a time. */

export interface SynthesisRequest {
  readonly id: number;
  readonly text: string;
}

export type SynthesisReply =
  | { readonly id: number; readonly ulaw: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly error: string };
