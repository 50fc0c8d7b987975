/**
 * What the parts of the sandbox agree on. Audio is G.711 μ-law at 8 kHz in frames of 20 ms (160 bytes), as on
 * a phone line.
 */

export const FRAME_BYTES = 160;
export const FRAME_MS = 20;

/** Something with a mouth and an ear in a call: a phone, a media stream, a `<Say>`. */
export interface AudioEndpoint {
  /** Fills `out` (160 bytes) with what it says in this tick; `false` means silence and leaves `out` as it is. */
  read(out: Uint8Array): boolean;
  /** It hears this frame (160 bytes); the array is reused by the caller after the call. */
  write(frame: Uint8Array): void;
  /** When streams are traced: the mask of the frame last read; absent for what carries none. */
  readonly taint?: number;
  /** When streams are traced: told before each `write` of which marks are in its frame. */
  onTaint?: (mask: number) => void;
}

/** One phone in one call. */
export interface PhoneLine extends AudioEndpoint {
  readonly number: string;
  /** The far end or the network ended the call. */
  hangUp(reason: string): void;
  /** Set by the carrier: the person hung up, or the phone's connection was lost. */
  onHangup: () => void;
  /** Set by the carrier: one of `0-9*#`. */
  onDigit: (digit: string) => void;
}

export type RingOutcome = "answered" | "busy" | "declined" | "voicemail";

export interface RingHandle {
  /** Stops ringing; no outcome is reported after it. */
  cancel(): void;
}

/** Every phone of the sandbox: those connected over WebSocket, and scripted ones. */
export interface PhoneHub {
  /** Set by the carrier: a phone dials `to`. Returns the call's sid, or throws with a text for the person. */
  onDial: (line: PhoneLine, to: string) => { readonly callSid: string };
  /**
   * Rings `number`. `null` when no such phone is known: the carrier then lets it ring until its timeout.
   * `voicemail` also delivers a line: a greeting, a beep, then silence, and it never presses a key.
   */
  ring(
    number: string,
    info: { readonly callSid: string; readonly from: string },
    onOutcome: (outcome: RingOutcome, line: PhoneLine | null) => void,
  ): RingHandle | null;
  /** Delivers an SMS to a phone's inbox. */
  deliverSms(message: {
    readonly messageSid: string;
    readonly from: string;
    readonly to: string;
    readonly body: string;
  }): void;
  /** Set by the carrier: a phone sends an SMS. */
  onSms: (message: { readonly from: string; readonly to: string; readonly body: string }) => void;
}

/** Offline speech synthesis, off the main thread. */
export interface Speech {
  /** μ-law at 8 kHz of `text`, without trailing silence. Cached, bounded. Never empty for a non-empty text. */
  say(text: string): Promise<Uint8Array>;
  close(): void;
}

/**
 * The stand-in for speech recognition, which is not to be had offline: whoever puts known speech on a line
 * notes its frames and text here, and the sandbox model looks the frames that reach it up. Only audio
 * that really arrived, unmixed and unharmed, is understood.
 */
export interface Hearing {
  /** Notes speech that will be said on a line in frames of 160 bytes, aligned to its start. */
  note(text: string, ulaw: Uint8Array): void;
  /** The texts this frame is part of (silence is part of none). */
  lookup(frame: Uint8Array): readonly string[];
}
