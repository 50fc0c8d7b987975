/**
 * Announcements and hold sounds: a sound file, or TwiML of `<Say>`, `<Play>`, `<Pause>` and `<Redirect>`, into a
 * conference.
 */
import { errorText } from "../../../../engine/errors.ts";
import { wholeFrames } from "../../phone/mouth.ts";
import { CarrierAlert } from "../alerts.ts";
import type { CallbackTarget } from "../callbacks.ts";
import { decodeAudio, fetchAudio, isWav, sayAudio } from "../session/prompts.ts";
import type { SessionParts } from "../session/scope.ts";
import { parseTwiml } from "../twiml/document.ts";
import type { Core, Fields } from "../types.ts";
import type { Conference } from "./conference.ts";
import type { Participant } from "./participant.ts";
import { ULAW_BYTES_PER_MS, ULAW_SILENCE } from "../../../../engine/media/g711.ts";

const MAX_DOCUMENTS = 10;
const MAX_AUDIO_BYTES = 20 * 1024 * 1024;
/** Two minutes: what does not fit is refused. */
const MAX_ANNOUNCEMENT_BYTES = 120_000 * ULAW_BYTES_PER_MS;

/** Fetches and plays an announcement; how it went is told by the conference's callbacks. */
export function announce(
  parts: SessionParts,
  conference: Conference,
  participant: Participant | null,
  from: CallbackTarget,
): void {
  const { core } = parts;
  const report = (event: "announcement-end" | "announcement-fail", extra: Fields): void => {
    const fields: Fields = [["AnnounceUrl", from.url], ...extra];
    if (participant) conference.events.participant(event, participant, fields);
    else conference.events.announcement(event, fields);
  };
  render(core, conference, participant, from).then(
    ({ ulaw }) => {
      conference.announce(participant, ulaw);
      core.timers.after(ulaw.length / ULAW_BYTES_PER_MS, () => report("announcement-end", []));
    },
    (error: unknown) => {
      const code = error instanceof CarrierAlert ? error.code : 11200;
      core.alerts.raise(code, errorText(error), participant?.call.sid ?? null);
      report("announcement-fail", [["ReasonAnnouncementFailed", errorText(error)]]);
    },
  );
}

/**
 * Fetches what a participant hears on hold: a sound file over and over; TwiML once, unless it redirects to where
 * it came from. Until it is there, and when it cannot be had, the network's music plays.
 */
export function playHold(
  parts: SessionParts,
  conference: Conference,
  participant: Participant,
  from: CallbackTarget,
): void {
  participant.holdFrom = from;
  render(parts.core, conference, participant, from).then(
    ({ ulaw, loops }) => conference.playHold(participant, from, ulaw, loops),
    (error: unknown) => {
      const code = error instanceof CarrierAlert ? error.code : 11200;
      parts.core.alerts.raise(code, errorText(error), participant.call.sid);
    },
  );
}

interface Rendered {
  readonly ulaw: Uint8Array;
  /** A sound file by itself, or TwiML that leads back to its start. */
  readonly loops: boolean;
}

async function render(
  core: Core,
  conference: Conference,
  participant: Participant | null,
  from: CallbackTarget,
): Promise<Rendered> {
  const fields: [string, string][] = [
    ["AccountSid", core.accountSid],
    ["ConferenceSid", conference.sid],
    ["FriendlyName", conference.friendlyName],
  ];
  if (participant) fields.push(["CallSid", participant.call.sid]);
  const pieces: Uint8Array[] = [];
  let next: CallbackTarget | null = from;
  let loops = false;
  for (let documents = 0; next && !loops; documents++) {
    if (documents >= MAX_DOCUMENTS) throw new CarrierAlert(12100, `more than ${MAX_DOCUMENTS} documents`);
    const answer = await core.webhooks.request({
      ...next,
      fields,
      product: "voice",
      maxBytes: MAX_AUDIO_BYTES,
    });
    if (answer.contentType.startsWith("audio/") || isWav(answer.body)) {
      pieces.push(decodeAudio(answer.body, answer.contentType));
      loops = documents === 0;
      break;
    }
    next = await renderTwiml(core, new TextDecoder().decode(answer.body), answer.url, pieces);
    loops = next?.url === from.url;
  }
  const ulaw = Buffer.concat(pieces);
  if (ulaw.length > MAX_ANNOUNCEMENT_BYTES) throw new CarrierAlert(12300, "the announcement is too long");
  return { ulaw, loops };
}

async function renderTwiml(
  core: Core,
  twiml: string,
  documentUrl: string,
  pieces: Uint8Array[],
): Promise<CallbackTarget | null> {
  const absolute = (url: string): string => new URL(url, documentUrl).href;
  for (const verb of parseTwiml(twiml, (problem) => core.alerts.raise(12200, problem))) {
    switch (verb.verb) {
      case "Say": {
        const ulaw = await sayAudio(core, verb.text);
        core.hearing.note(verb.text, ulaw);
        // Whole frames, so that what follows stays aligned to them as well.
        pieces.push(wholeFrames(ulaw));
        break;
      }
      case "Play":
        pieces.push(wholeFrames(await fetchAudio(core, absolute(verb.url), "GET")));
        break;
      case "Pause":
        pieces.push(new Uint8Array(verb.lengthMs * ULAW_BYTES_PER_MS).fill(ULAW_SILENCE));
        break;
      case "Redirect":
        return { url: absolute(verb.url), method: verb.method };
      default:
        throw new CarrierAlert(12100, `<${verb.verb}> cannot be in an announcement`);
    }
  }
  return null;
}
