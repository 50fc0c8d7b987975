/** `<Dial>` of a phone number: the two legs hear each other, outside any conference. */
import { abortable } from "../abortable.ts";
import type { Call, EndStatus } from "../call/call.ts";
import { refusedAs, RING_BUFFER_S } from "../call/ringing.ts";
import type { DialNumber } from "../twiml/document.ts";
import { goTo, type Next, type Scope } from "./scope.ts";

/** Rings the number and joins the legs; when that leg is over, or was never answered, the action follows. */
export async function runDialNumber(scope: Scope, dial: DialNumber): Promise<Next> {
  const { call } = scope;
  // Such a leg waits for no budget: only legs made over REST do.
  const leg = scope.calls.create({
    direction: "outbound-dial",
    from: dial.callerId ?? call.from,
    to: dial.number,
    parentSid: call.sid,
    timeLimitMs: dial.timeLimitMs,
  });
  const status = await abortable<EndStatus>(scope.signal, (done) => {
    const unbridge = ring(scope, leg, dial);
    leg.onEnd(() => done(leg.status as EndStatus));
    return () => {
      unbridge();
      leg.end("completed");
    };
  });
  if (dial.action === null) return "continue";
  return goTo(scope, dial.action, dial.method, [
    ["DialCallStatus", status],
    ["DialCallSid", leg.sid],
    ["DialCallDuration", String(leg.durationS())],
  ]);
}

/** Returns what takes the caller's line out of the bridge. */
function ring({ core, call }: Scope, leg: Call, dial: DialNumber): () => void {
  let unbridge = (): void => undefined;
  leg.progress("initiated");
  leg.onEnd(
    core.timers.after(dial.timeoutMs + RING_BUFFER_S * 1000, () => {
      if (leg.answeredMs === null) leg.end("no-answer");
    }),
  );
  const handle = core.phones.ring(leg.to, { callSid: leg.sid, from: leg.from }, (outcome, line) => {
    if (leg.ended) line?.hangUp("the call is over");
    else if (line === null) leg.end(...refusedAs(outcome));
    else {
      leg.answer(line);
      const endpoint = leg.media.lend(null);
      if (endpoint) unbridge = call.media.bridge(endpoint);
    }
  });
  leg.onEnd(() => {
    if (leg.answeredMs === null) handle?.cancel();
  });
  leg.progress("ringing");
  return () => unbridge();
}
