/** Messages between a handset's page and its voice in the audio thread. */

/** A clip that was typed: `said` to its last frame, or `cut` because the call ended. */
export type SayOutcome = "said" | "cut" | "refused";

/** Frames since the call began. */
export interface VoiceTally {
  readonly sent: number;
  /** Not sent, because the page did not take them. */
  readonly dropped: number;
  readonly heard: number;
  /** Made up, or stretched, because none had come. */
  readonly missed: number;
  /** Left out, because too many had come. */
  readonly discarded: number;
}

/** Page to audio thread; a bare `Uint8Array` is a frame for the ear (160 bytes of μ-law). */
export type VoiceCommand =
  | Uint8Array
  | { readonly type: "begin" | "end" }
  /** A frame's memory back, once it has been sent. */
  | { readonly type: "spare"; readonly frame: Uint8Array }
  | { readonly type: "say"; readonly id: number; readonly ulaw: Uint8Array }
  | { readonly type: "microphone" | "speaker"; readonly on: boolean };

/** Audio thread to page; a bare `Uint8Array` is a frame of the mouth. */
export type VoiceReport =
  | Uint8Array
  /** Of the last frames, in dBov: -127 is silence. */
  | { readonly type: "levels"; readonly mouthDbov: number; readonly earDbov: number }
  | { readonly type: "said"; readonly id: number; readonly outcome: SayOutcome }
  | { readonly type: "tally"; readonly tally: VoiceTally };

export const VOICE = "tandem-voice";
