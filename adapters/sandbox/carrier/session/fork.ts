/** `<Start><Stream>` and `<Stop><Stream>`. */
import { CarrierAlert } from "../alerts.ts";
import type { StartStream, StopStream } from "../twiml/document.ts";
import { streamUrl } from "./connect.ts";
import type { Scope } from "./scope.ts";

/** Twilio: so many tracks of one-way streams per call. */
const MAX_FORKS = 4;

/**
 * Streams what the leg says, whatever becomes of the leg meanwhile: until it is stopped by its name, its server closes
 * it, or the call ends. What is wrong with it is an alert, and the next verb follows all the same.
 */
export function runStart(scope: Scope, { stream }: StartStream): void {
  const { call, core, streams } = scope;
  try {
    if (stream.track !== "inbound_track") {
      const known = stream.track === "outbound_track" || stream.track === "both_tracks";
      const why = known ? "this carrier streams only what a leg says" : "there is no such track";
      throw new CarrierAlert(known ? 12100 : 31941, `<Start><Stream track="${stream.track}">: ${why}`);
    }
    const url = streamUrl(scope, stream);
    const forks = streams.forksOf(call);
    if (forks.length >= MAX_FORKS) {
      throw new CarrierAlert(12200, `a call has at most ${MAX_FORKS} tracks of one-way streams`);
    }
    if (stream.name !== null && forks.some(({ noun }) => noun.name === stream.name)) {
      throw new CarrierAlert(12200, `the call has a stream of the name ${stream.name} already`);
    }
    let untap: (() => void) | null = null;
    const leg = streams.open(call, stream, url, () => untap?.(), true);
    untap = call.media.tap(leg);
    if (untap === null) {
      leg.stop();
      throw new CarrierAlert(12100, "this carrier streams only what phones say");
    }
    call.onEnd(() => leg.stop());
  } catch (error) {
    if (!(error instanceof CarrierAlert)) throw error;
    core.alerts.raise(error.code, error.message, call.sid);
  }
}

export function runStop({ call, streams }: Scope, { name }: StopStream): void {
  for (const { noun, leg } of streams.forksOf(call)) if ((noun.name ?? leg.streamSid) === name) leg.stop();
}
