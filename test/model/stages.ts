/** Calls that have come some way, from where paths through the machine go on. */
import type { CallInput } from "../../machines/context.ts";
import { INPUT } from "./driver.ts";
import { coached, coaching, handedOver, Script, talking, WANTED } from "./script.ts";

const REMOVING: CallInput = { ...INPUT, afterHandover: "remove" };
/** A leg that does not come is not tried again. */
const ONCE: CallInput = { ...INPUT, limits: { ...INPUT.limits, maxReadds: 1 } };

const drops = (call: Script): Script =>
  call.happens({ type: "ai.streamClosed", label: "ai-1", streamSid: "MZ-ai-1", reason: "socket" });
const withoutLeg = (call: Script): Script => drops(call).leaves("ai-1");
const readding = (call: Script): Script => withoutLeg(call).answer("carrier.reconcile");
const exhausted = (input: CallInput = INPUT): Script =>
  talking(input).happens(WANTED).ladder({ phase: "exhausted" });
const joining = (input: CallInput = INPUT): Script => talking(input).happens(WANTED).accepts("human-1");

const consulting = (): Script =>
  talking().happens(WANTED).accepts("human-1", { consult: true }).answer("carrier.hold");
const CALLER_CHANGED = { type: "participant.changed", label: "caller", muted: null, coaching: null } as const;

const returned = (call: Script): Script =>
  call.happens({
    type: "human.returned",
    label: "human-2",
    from: "human-1",
    callSid: "CA-human-2",
    withoutAi: true,
  });
/** The time for the call is up. */
const overtime = (call: Script): Script => call.happens({ type: "deadline", name: "maxCall" });
/** The AI is lost while somebody is on the way. */
const awaiting = (input: CallInput = INPUT): Script =>
  joining(input).happens({ type: "model.failed", code: "fatal", message: "gone" });
const removed = (): Script => coaching().happens({ type: "op.remove" });

/** A second human is in the room before the AI has become the coach of the first. */
const two = (): Script => handedOver().happens(WANTED).accepts("human-2").joins("human-2");
const twoMuted = (): Script => two().answer("carrier.mute");
const twoFlipped = (): Script => twoMuted().answer("carrier.coach");

function stillHeld(): Script {
  const call = coaching().happens({ type: "op.hold" }).answer("carrier.hold").happens({ type: "op.resume" });
  for (let tries = 1; tries < 5; tries++) call.answer("carrier.hold", "failed");
  return call;
}

export const STAGES: readonly (() => Script)[] = [
  () => new Script(),
  () => new Script(ONCE).joins("caller"),
  talking,
  () => exhausted(),
  () => joining(),
  () => joining().leaves("human-1"),
  () => joining(REMOVING),
  // Accepted while the AI's line is down, and by a caller who is being said goodbye to.
  () => drops(exhausted()).accepts("human-1"),
  () => drops(exhausted(REMOVING)).accepts("human-1"),
  () => withoutLeg(joining()),
  () => readding(talking(ONCE)),
  () => readding(joining(ONCE)),
  () => readding(coaching(ONCE)),
  () => returned(coaching()),
  () => coaching().leaves("human-1").answer("carrier.mute").answer("carrier.uncoach"),
  consulting,
  () => consulting().happens({ ...CALLER_CHANGED, hold: false }),
  removed,
  () => coaching().leaves("human-1").answer("carrier.mute", "failed"),
  () => returned(removed()),
  () => withoutLeg(removed()).leaves("human-1"),
  awaiting,
  () => awaiting(REMOVING),
  () => overtime(removed()),
  () => overtime(handedOver(REMOVING)).happens(WANTED).accepts("human-2"),
  () => joining().happens({ type: "engine.shutdown" }),
  two,
  twoMuted,
  () => twoMuted().refused("carrier.coach", 16_028),
  twoFlipped,
  () => twoFlipped().answer("model.role"),
  () => coached(two()),
  () => twoMuted().answer("carrier.coach", "failed"),
  stillHeld,
  () => talking().happens({ type: "op.mute", label: "caller" }).answer("carrier.mute"),
  () => coaching().happens({ type: "engine.shutdown" }).answer("carrier.hangUp"),
];
