/**
 * The worker of {@link createSpeech}: speech synthesis takes some 20 ms for a second of speech, far too long for the
 * thread that paces the calls.
 */
import { errorText } from "../../../engine/errors.ts";
import { encodeUlaw } from "../../../engine/media/g711.ts";
import { resample } from "../phone/resample.ts";
import { parseWav, PHONE_RATE_HZ } from "../phone/wav.ts";
import { loadFlite, runFlite } from "./flite.ts";
import type { SynthesisReply, SynthesisRequest } from "./protocol.ts";
import { toSpeakableAscii } from "./text.ts";
import { trimSilence } from "./trim.ts";

declare const self: Worker;

let flite: Promise<WebAssembly.Module> | null = null;

async function synthesise(text: string): Promise<Uint8Array<ArrayBuffer>> {
  flite ??= loadFlite();
  const wav = parseWav(runFlite(await flite, toSpeakableAscii(text)), "synthesised speech");
  const samples = resample(wav.samples, wav.sampleRateHz, PHONE_RATE_HZ);
  const pcm = new Int16Array(samples.length);
  for (let i = 0; i < samples.length; i++) {
    pcm[i] = Math.max(-32_768, Math.min(32_767, Math.round((samples[i] as number) * 32_768)));
  }
  const spoken = trimSilence(pcm);
  const ulaw = new Uint8Array(spoken.length);
  encodeUlaw(spoken, ulaw);
  return ulaw;
}

self.onmessage = async (event: MessageEvent<SynthesisRequest>) => {
  const { id, text } = event.data;
  let reply: SynthesisReply;
  try {
    const ulaw = await synthesise(text);
    reply = { id, ulaw };
    self.postMessage(reply, [ulaw.buffer]);
  } catch (error) {
    // A compilation that failed is tried again with the next text.
    flite = null;
    reply = { id, error: errorText(error) };
    self.postMessage(reply);
  }
};
