/** The page's audio: one context for all handsets, which begins with the first press of a button. */
import {
  VOICE,
  type SayOutcome,
  type VoiceCommand,
  type VoiceReport,
  type VoiceTally,
} from "../worklet/voice-protocol.ts";

/** North American ringing: 440 and 480 Hz, two seconds on and four off. */
const RING_ON_S = 2;
const RING_OFF_S = 4;
const RING_HZ = [440, 480] as const;
const RING_LEVEL = 0.08;

export interface VoiceListener {
  /** 160 bytes of μ-law; to be given back with {@link VoiceNode.spare}. */
  frame(frame: Uint8Array): void;
  levels(mouthDbov: number, earDbov: number): void;
  said(id: number, outcome: SayOutcome): void;
  tally(tally: VoiceTally): void;
}

export class Sound {
  #context: AudioContext | null = null;
  #ready: Promise<AudioContext> | null = null;
  #ring: AudioBuffer | null = null;

  /** To be called from a press of a button, or the browser keeps it silent. Rejects when there is no audio. */
  async start(): Promise<AudioContext> {
    this.#context ??= new AudioContext({ latencyHint: "interactive" });
    const context = this.#context;
    this.#ready ??= context.audioWorklet.addModule("/phones/voice-worklet.js").then(() => context);
    this.#ready.catch(() => {
      this.#ready = null;
    });
    if (context.state !== "running") await context.resume();
    return await this.#ready;
  }

  async voice(listener: VoiceListener): Promise<VoiceNode> {
    return new VoiceNode(await this.start(), listener);
  }

  /** Returns what ends it. Without a press of a button before it, there is nothing to be heard. */
  ring(): () => void {
    const context = this.#context;
    if (context?.state !== "running") return () => undefined;
    this.#ring ??= ringing(context);
    const source = new AudioBufferSourceNode(context, { buffer: this.#ring, loop: true });
    source.connect(context.destination);
    source.start();
    return () => source.stop();
  }
}

/** A handset's voice in the audio thread, and its microphone. */
export class VoiceNode {
  readonly #context: AudioContext;
  readonly #node: AudioWorkletNode;
  #microphone: { readonly stream: MediaStream; readonly source: MediaStreamAudioSourceNode } | null = null;
  #asking: Promise<MediaStream> | null = null;

  constructor(context: AudioContext, listener: VoiceListener) {
    this.#context = context;
    this.#node = new AudioWorkletNode(context, VOICE, {
      numberOfInputs: 1,
      numberOfOutputs: 1,
      outputChannelCount: [1],
      channelCount: 1,
      channelCountMode: "explicit",
    });
    this.#node.port.addEventListener("message", (event: MessageEvent<VoiceReport>) =>
      hand(event.data, listener),
    );
    this.#node.port.start();
    this.#node.connect(context.destination);
  }

  tell(command: VoiceCommand): void {
    this.#node.port.postMessage(command);
  }

  hear(frame: Uint8Array): void {
    this.#node.port.postMessage(frame, [frame.buffer as ArrayBuffer]);
  }

  spare(frame: Uint8Array): void {
    this.#node.port.postMessage({ type: "spare", frame }, [frame.buffer as ArrayBuffer]);
  }

  /**
   * Asks the browser, which asks the person, once however often this is called meanwhile. Rejects with a
   * `DOMException` when there is none to be had.
   */
  async openMicrophone(): Promise<void> {
    if (!this.#microphone) {
      this.#asking ??= askForMicrophone().finally(() => {
        this.#asking = null;
      });
      const stream = await this.#asking;
      this.#microphone ??= this.#connected(stream);
    }
    this.tell({ type: "microphone", on: true });
  }

  #connected(stream: MediaStream) {
    const source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: stream });
    source.connect(this.#node);
    return { stream, source };
  }

  /** The browser's sign that somebody listens goes out. */
  closeMicrophone(): void {
    this.tell({ type: "microphone", on: false });
    this.#microphone?.source.disconnect();
    for (const track of this.#microphone?.stream.getTracks() ?? []) track.stop();
    this.#microphone = null;
  }
}

function askForMicrophone(): Promise<MediaStream> {
  const audio = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  return navigator.mediaDevices.getUserMedia({ audio });
}

function hand(report: VoiceReport, listener: VoiceListener): void {
  if (report instanceof Uint8Array) return listener.frame(report);
  switch (report.type) {
    case "levels":
      return listener.levels(report.mouthDbov, report.earDbov);
    case "said":
      return listener.said(report.id, report.outcome);
    case "tally":
      return listener.tally(report.tally);
  }
}

function ringing(context: AudioContext): AudioBuffer {
  const rate = context.sampleRate;
  const buffer = context.createBuffer(1, (RING_ON_S + RING_OFF_S) * rate, rate);
  const samples = buffer.getChannelData(0);
  for (let i = 0; i < RING_ON_S * rate; i++) {
    // A short slope at both ends, so that it does not click.
    const slope = Math.min(1, i / (0.02 * rate), (RING_ON_S * rate - i) / (0.02 * rate));
    for (const hz of RING_HZ) {
      samples[i] = (samples[i] as number) + RING_LEVEL * slope * Math.sin((2 * Math.PI * hz * i) / rate);
    }
  }
  return buffer;
}
