/**
 * One handset's mouth and ear, on the beat of the audio hardware: float samples at its rate on one side, μ-law
 * at 8 kHz in frames of 20 ms on the other.
 */
import { PCM_TO_ULAW, ULAW_SILENCE, ULAW_TO_PCM } from "../../../../engine/media/g711.ts";
import { JitterBuffer } from "../../../../engine/media/jitter/jitter-buffer.ts";
import { dbov, ulawPower } from "../../../../engine/media/level.ts";
import { Mouth } from "../../phone/mouth.ts";
import { FRAME_BYTES, FRAME_MS } from "../../types.ts";
import { LiveResampler } from "./live-resampler.ts";
import type { VoiceCommand, VoiceReport, VoiceTally } from "./voice-protocol.ts";

const PHONE_HZ = 8000;
/** A second of frames on their way to the page; when all are, the next is dropped. */
const SPARE_FRAMES = 50;
/** Half a second at the ear: a stall of the page costs no words, it only delays them for a while. */
const EAR_FRAMES = 25;
const MIN_EAR_FRAMES = 2;
/** How often levels are told: every 60 ms. */
const LEVEL_FRAMES = 3;

export interface VoiceOptions {
  /** Of the hardware, in whole hertz. */
  readonly rateHz: number;
  /** On any clock that never goes back. */
  readonly nowMs: () => number;
  /** A frame is handed over with its memory. */
  readonly tell: (report: VoiceReport) => void;
}

export class Voice {
  readonly #options: VoiceOptions;
  readonly #mouth = new Mouth(() => undefined);
  readonly #down: LiveResampler;
  readonly #up: LiveResampler;
  readonly #spares: Uint8Array[] = Array.from({ length: SPARE_FRAMES }, () => new Uint8Array(FRAME_BYTES));
  readonly #said = new Uint8Array(FRAME_BYTES);
  #saidBytes = 0;
  #ear = newEar();
  #arrived = 0;
  readonly #heard = new Uint8Array(FRAME_BYTES);
  readonly #linear = new Float32Array(FRAME_BYTES);
  /** At the hardware's rate, until it is asked for. */
  readonly #sound: Float32Array;
  #soundAt = 0;
  #soundEnd = 0;
  readonly #quiet: Float32Array;
  #inCall = false;
  #microphone = false;
  #speaker = true;
  #sent = 0;
  #dropped = 0;
  #mouthPower = 0;
  #earPower = 0;
  #frames = 0;

  constructor(options: VoiceOptions) {
    this.#options = options;
    this.#down = new LiveResampler(options.rateHz, PHONE_HZ);
    this.#up = new LiveResampler(PHONE_HZ, options.rateHz);
    this.#sound = new Float32Array(Math.ceil((FRAME_BYTES * options.rateHz) / PHONE_HZ) + 2);
    this.#quiet = new Float32Array(options.rateHz / 10);
  }

  obey(command: VoiceCommand): void {
    if (command instanceof Uint8Array) return this.#arrive(command);
    switch (command.type) {
      case "begin":
        return this.#begin();
      case "end":
        return this.#end();
      case "spare":
        if (this.#spares.length < SPARE_FRAMES) this.#spares.push(command.frame);
        return;
      case "say":
        return this.#say(command.id, command.ulaw);
      case "microphone":
        this.#microphone = command.on;
        return;
      case "speaker":
        this.#speaker = command.on;
    }
  }

  /** One beat: what the microphone has taken (`null`: there is none), and what the ear is to hear, of one length. */
  beat(microphone: Float32Array | null, ear: Float32Array): void {
    if (!this.#inCall) {
      ear.fill(0);
      return;
    }
    const taken = this.#microphone && microphone ? microphone : this.#quiet.subarray(0, ear.length);
    this.#down.process(taken, this.#take);
    for (let i = 0; i < ear.length; i++) {
      if (this.#soundAt >= this.#soundEnd) this.#hear();
      ear[i] = this.#speaker ? (this.#sound[this.#soundAt] as number) : 0;
      this.#soundAt++;
    }
  }

  #begin(): void {
    if (this.#inCall) return;
    this.#inCall = true;
    this.#down.reset();
    this.#up.reset();
    this.#ear = newEar();
    this.#arrived = this.#sent = this.#dropped = this.#frames = 0;
    this.#saidBytes = this.#soundAt = this.#soundEnd = 0;
  }

  #end(): void {
    if (!this.#inCall) return;
    this.#inCall = false;
    this.#mouth.stop();
    this.#options.tell({ type: "tally", tally: this.#tally() });
    this.#options.tell({ type: "levels", mouthDbov: dbov(0), earDbov: dbov(0) });
  }

  #tally(): VoiceTally {
    const { played, concealed, silent, late, overflow, stale, trimmed } = this.#ear.counters;
    return {
      sent: this.#sent,
      dropped: this.#dropped,
      heard: played,
      missed: concealed + silent,
      discarded: late + overflow + stale + trimmed,
    };
  }

  /** The socket keeps order and carries no time: frames are numbered as they come. */
  #arrive(frame: Uint8Array): void {
    if (!this.#inCall || frame.length !== FRAME_BYTES) return;
    const sequence = this.#arrived++;
    this.#ear.push(sequence, sequence * FRAME_MS, this.#options.nowMs(), frame);
  }

  #say(id: number, ulaw: Uint8Array): void {
    const { tell } = this.#options;
    if (!this.#inCall) return tell({ type: "said", id, outcome: "cut" });
    this.#mouth.speak(ulaw, undefined).then(
      (outcome) => tell({ type: "said", id, outcome }),
      () => tell({ type: "said", id, outcome: "refused" }),
    );
  }

  /** One sample of the microphone at 8 kHz. */
  readonly #take = (sample: number): void => {
    const pcm = Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)));
    this.#said[this.#saidBytes++] = this.#microphone ? (PCM_TO_ULAW[pcm & 0xffff] as number) : ULAW_SILENCE;
    if (this.#saidBytes < FRAME_BYTES) return;
    this.#saidBytes = 0;
    this.#send(this.#mouth.next() ?? this.#said);
  };

  #send(said: Uint8Array): void {
    this.#mouthPower = Math.max(this.#mouthPower, ulawPower(said, FRAME_BYTES));
    if (++this.#frames % LEVEL_FRAMES === 0) this.#tellLevels();
    const frame = this.#spares.pop();
    if (!frame) {
      this.#dropped++;
      return;
    }
    frame.set(said);
    this.#sent++;
    this.#options.tell(frame);
  }

  #hear(): void {
    this.#ear.pop(this.#heard);
    this.#earPower = Math.max(this.#earPower, ulawPower(this.#heard, FRAME_BYTES));
    for (let i = 0; i < FRAME_BYTES; i++) {
      this.#linear[i] = (ULAW_TO_PCM[this.#heard[i] as number] as number) / 32_768;
    }
    this.#soundAt = this.#soundEnd = 0;
    this.#up.process(this.#linear, this.#keep);
  }

  readonly #keep = (sample: number): void => {
    if (this.#soundEnd < this.#sound.length) this.#sound[this.#soundEnd++] = sample;
  };

  #tellLevels(): void {
    const { tell } = this.#options;
    tell({ type: "levels", mouthDbov: dbov(this.#mouthPower), earDbov: dbov(this.#earPower) });
    this.#mouthPower = 0;
    this.#earPower = 0;
  }
}

function newEar(): JitterBuffer {
  return new JitterBuffer({ capacityFrames: EAR_FRAMES, minTargetFrames: MIN_EAR_FRAMES });
}
