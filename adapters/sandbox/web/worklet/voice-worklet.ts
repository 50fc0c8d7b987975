/** The audio thread's side: one processor for each handset. */
import { Voice } from "./voice.ts";
import { VOICE, type VoiceCommand } from "./voice-protocol.ts";

// What an AudioWorkletGlobalScope has (Web Audio API 1.1, 1.32.1); no library of types names it.
declare const sampleRate: number;
declare const currentTime: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

class VoiceProcessor extends AudioWorkletProcessor {
  readonly #voice: Voice;

  constructor() {
    super();
    this.#voice = new Voice({
      rateHz: sampleRate,
      nowMs: () => currentTime * 1000,
      tell: (report) => {
        if (report instanceof Uint8Array) this.port.postMessage(report, [report.buffer as ArrayBuffer]);
        else this.port.postMessage(report);
      },
    });
    this.port.onmessage = (event: MessageEvent<VoiceCommand>) => this.#voice.obey(event.data);
  }

  process(
    inputs: readonly (readonly Float32Array[])[],
    outputs: readonly (readonly Float32Array[])[],
  ): boolean {
    const ear = outputs[0]?.[0];
    if (ear) this.#voice.beat(inputs[0]?.[0] ?? null, ear);
    return true;
  }
}

registerProcessor(VOICE, VoiceProcessor);
