/** Who is sought when a call ends that its caller did not end. */
import { expect, test } from "bun:test";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import { talking, WANTED } from "./script.ts";

const SEEKING = () => talking().happens(WANTED);
const MODEL_FAILED: UnstampedCallEvent = { type: "model.failed", code: "fatal", message: "gone" };

test("a caller whose call is lost by a fault is not taken for one who has left", () => {
  for (const event of [MODEL_FAILED, { type: "engine.shutdown" }] as const) {
    expect(SEEKING().happens(event).words).toEqual(["close call_lost"]);
  }
  expect(SEEKING().happens({ type: "op.hangup" }).words).toEqual(["close called_off"]);
  expect(SEEKING().happens({ type: "caller.gone", reason: "hung_up" }).words).toEqual(["close caller_left"]);
});

test("a caller who is with somebody when the engine stops needs nobody else", () => {
  const call = SEEKING().accepts("human-1").joins("human-1").ladder({ phase: "owned", outcome: "owned" });
  call.happens(WANTED).happens({ type: "engine.shutdown" });
  expect(call.words.at(-1)).toBe("close called_off");
});
