import { describe, expect, test } from "bun:test";
import { type CallContext, initialContext, newLeg } from "../../../machines/context.ts";
import { CallMeter } from "../../../engine/call/call-meter.ts";
import { VoiceMetrics } from "../../../engine/call/voice-metrics.ts";
import { deploymentSchema } from "../../../engine/config/deployment.ts";
import { ForkStream } from "../../../engine/media/fork-stream.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { TranscriptEntry } from "../../../engine/ports.ts";
import { INPUT } from "../../model/driver.ts";
import { makeCalls, streaming } from "./calls-setup.ts";
import { START_MS } from "./support.ts";

const AI = newLeg("ai-1", "ai", { status: "joined" });
const HUMAN = newLeg("human-2", "human", { status: "ringing" });

function metered() {
  const clock = new VirtualClock(START_MS);
  const voice = {
    silentMs: 700,
    waitMs: 4000,
    answersUnmetered: 0,
    said: [] as TranscriptEntry[],
    tokens: new Proxy({} as never, { get: () => 0 }),
  };
  const metrics = new VoiceMetrics();
  let context: CallContext = {
    ...initialContext(INPUT),
    answeredAtMs: START_MS,
    aiLabel: "ai-1",
    aiCount: 1,
    streamSid: "MZ1",
    legs: { "ai-1": AI, "human-2": HUMAN },
  };
  const { prices } = deploymentSchema.parse({});
  const facts = (): CallContext => context;
  const meter = new CallMeter({ clock, voice, metrics, facts, modelName: null, prices, recording: "none" });
  const joins = (label: string): number => {
    meter.before({ type: "participant.joined", at: START_MS, label, callSid: "CA2", conferenceSid: "CF1" });
    return metrics.handoverGap.count;
  };
  const set = (more: Partial<CallContext>): void => void (context = { ...context, ...more });
  return { clock, voice, metrics, meter, joins, set };
}

describe("the silence of a handover", () => {
  test("is taken when a person comes into the room of a caller whom the AI was with, and once for each", () => {
    const { metrics, joins, set } = metered();
    expect(joins("ai-1")).toBe(0);
    expect(joins("human-2")).toBe(1);
    expect(metrics.handoverGap.sumMs).toBe(700);
    set({ legs: { "ai-1": AI, "human-2": { ...HUMAN, status: "joined" } } });
    expect(joins("human-2")).toBe(1);
  });

  test("is none for a caller on hold, without the AI, or while it is another's coach", () => {
    const { joins, set } = metered();
    set({ callerOnHold: true });
    expect(joins("human-2")).toBe(0);
    set({ callerOnHold: false, role: "coach" });
    expect(joins("human-2")).toBe(0);
    set({ role: "agent", legs: { "ai-1": { ...AI, status: "left" }, "human-2": HUMAN } });
    expect(joins("human-2")).toBe(0);
  });
});

describe("what a call cost", () => {
  test("lacks the transcription of whoever was heard over the phone, told apart or not", () => {
    for (const speaker of ["caller", "human", "both", "unknown"] as const) {
      const { meter, voice } = metered();
      const said = (who: TranscriptEntry["speaker"]): void =>
        void voice.said.push({ atMs: START_MS, speaker: who, text: "Hello." });
      said("agent");
      said("coach");
      expect(meter.cost().gaps).not.toContain("transcription");
      said(speaker);
      expect(meter.cost().gaps).toContain("transcription");
    }
  });
});

describe("the streams of a call", () => {
  test("are the AI's and each fork's, in its row", async () => {
    const calls = makeCalls({ deployment: { speakers: "forked" } });
    const { session } = await streaming(calls);
    const minutes = (): number | undefined => session.row().cost?.carrier.stream.minutes;
    expect(minutes()).toBe(1);
    const owner = { stopped: () => undefined, badMessage: () => undefined };
    const fork = new ForkStream({ streamSid: "MZ2", clock: calls.clock, owner });
    expect(session.heard.speakers?.begin("caller", fork)).toBe(true);
    expect(minutes()).toBe(2);
    session.heard.speakers?.end("caller", "MZ2", "socket");
    expect(minutes()).toBe(2);
  });
});

describe("a caller's wait for the AI", () => {
  test("is counted only where the AI is what they wait for", () => {
    const { meter, set } = metered();
    expect(["streaming", "escalating"].map((state) => meter.waitMs(state))).toEqual([4000, 4000]);
    expect(["coaching", "removed", "wrapUp"].map((state) => meter.waitMs(state))).toEqual([0, 0, 0]);
    for (const none of [{ callerOnHold: true }, { callerGone: true }, { answeredAtMs: null }] as const) {
      const other = metered();
      other.set(none);
      expect(other.meter.waitMs("streaming")).toBe(0);
    }
    set({ callerOnHold: false });
    expect(meter.waitMs("streaming")).toBe(4000);
  });

  test("begins when they are picked up, before the AI was ever there", () => {
    const { clock, meter, set } = metered();
    set({ streamSid: null });
    clock.advance(2500);
    expect(meter.waitMs("arriving")).toBe(2500);
  });
});
