/** `<Say>`, `<Play>` and `<Pause>`. */
import { errorText } from "../../../../engine/errors.ts";
import { parseWav, toUlaw } from "../../phone/wav.ts";
import { abortable, orAborted } from "../abortable.ts";
import { CarrierAlert } from "../alerts.ts";
import type { Core, HttpMethod } from "../types.ts";
import type { Play, Prompt, Say } from "../twiml/document.ts";
import { resolveUrl, type Scope } from "./scope.ts";

/** Larger sound files are refused. */
const MAX_AUDIO_BYTES = 20 * 1024 * 1024;
/** Twilio's own limit on the text of one `<Say>`. */
const MAX_SAY_CHARS = 4096;

/** Plays one prompt to the call, as often as its `loop` says. Rejects with `Aborted` or {@link CarrierAlert}. */
export async function runPrompt(scope: Scope, prompt: Prompt): Promise<void> {
  if (prompt.verb === "Pause") {
    await abortable<void>(scope.signal, (done) => scope.core.timers.after(prompt.lengthMs, () => done()));
    return;
  }
  const ulaw = await orAborted(scope.signal, promptAudio(scope, prompt));
  if (ulaw.length === 0) return;
  for (let round = 0; prompt.loop === 0 || round < prompt.loop; round++) {
    if (prompt.verb === "Say") scope.core.hearing.note(prompt.text, ulaw);
    await abortable<void>(scope.signal, (done) => scope.call.media.play(ulaw, () => done()));
  }
}

function promptAudio(scope: Scope, prompt: Say | Play): Promise<Uint8Array> {
  if (prompt.verb === "Say") return sayAudio(scope.core, prompt.text);
  return fetchAudio(scope.core, resolveUrl(scope, prompt.url), "GET", scope.signal);
}

export async function sayAudio(core: Core, text: string): Promise<Uint8Array> {
  if (text.length > MAX_SAY_CHARS) {
    throw new CarrierAlert(13520, `<Say> has ${text.length} characters, the limit is ${MAX_SAY_CHARS}`);
  }
  if (text === "") return new Uint8Array(0);
  return await core.speech.say(text);
}

/** A WAV file over HTTP, as μ-law; other sound formats are refused (12300). */
export async function fetchAudio(
  core: Core,
  url: string,
  method: HttpMethod,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const answer = await core.webhooks.request({
    url,
    method,
    fields: [],
    product: "voice",
    maxBytes: MAX_AUDIO_BYTES,
    ...(signal ? { signal } : {}),
  });
  return decodeAudio(answer.body, answer.contentType);
}

export function decodeAudio(body: Uint8Array, contentType: string): Uint8Array {
  if (!isWav(body)) {
    throw new CarrierAlert(12300, `the sandbox plays WAV files only, not "${contentType}"`);
  }
  try {
    return toUlaw(parseWav(body, "the sound file"));
  } catch (error) {
    throw new CarrierAlert(12300, errorText(error));
  }
}

export function isWav(body: Uint8Array): boolean {
  const text = (from: number): string => String.fromCodePoint(...body.subarray(from, from + 4));
  return body.length >= 12 && text(0) === "RIFF" && text(8) === "WAVE";
}
