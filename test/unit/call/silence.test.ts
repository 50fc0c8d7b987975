import { describe, expect, test } from "bun:test";
import { Silence } from "../../../engine/call/silence.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";

function heard() {
  const clock = new VirtualClock();
  let endsAtMs = 0;
  const silence = new Silence({ clock, pendingMs: () => Math.max(0, endsAtMs - clock.monotonicMs()) });
  const agentSays = (ms: number): void => {
    endsAtMs = clock.monotonicMs() + ms;
    silence.agentSpoke();
  };
  const cut = (): void => {
    endsAtMs = clock.monotonicMs();
    silence.agentCut();
  };
  return { clock, silence, agentSays, cut };
}

describe("the silence that a caller hears", () => {
  test("is counted from the last word of either, and is none while one of them speaks", () => {
    const { clock, silence, agentSays } = heard();
    expect(silence.silentMs).toBeNull();
    agentSays(2000);
    clock.advance(1000);
    expect(silence.silentMs).toBe(0);
    clock.advance(1500);
    expect(silence.silentMs).toBe(500);
    silence.callerSpeaks(true);
    clock.advance(3000);
    expect(silence.silentMs).toBe(0);
    silence.callerSpeaks(false);
    clock.advance(700);
    expect(silence.silentMs).toBe(700);
  });

  test("begins where the AI was cut off, and not where it would have ended", () => {
    const { clock, silence, agentSays, cut } = heard();
    agentSays(10_000);
    clock.advance(1000);
    cut();
    clock.advance(400);
    expect(silence.silentMs).toBe(400);
  });
});

describe("a caller's wait", () => {
  test("begins with their last word and ends with the answer, or when they go on", () => {
    const { clock, silence, agentSays } = heard();
    expect(silence.waitMs).toBe(0);
    silence.callerSpeaks(true);
    clock.advance(1000);
    silence.callerSpeaks(false);
    clock.advance(2500);
    expect(silence.waitMs).toBe(2500);
    silence.callerSpeaks(true);
    expect(silence.waitMs).toBe(0);
    silence.callerSpeaks(false);
    clock.advance(800);
    agentSays(500);
    clock.advance(5000);
    // Answered; that nobody speaks now is no wait.
    expect(silence.waitMs).toBe(0);
  });

  test("is over when the AI turns to somebody else, and does not begin before they speak to it again", () => {
    const { clock, silence } = heard();
    silence.callerSpeaks(false);
    clock.advance(5000);
    silence.heardByOthers();
    clock.advance(5000);
    expect(silence.waitMs).toBe(0);
  });

  test("is over with an answer that has no word in it, as a cough may get", () => {
    const { clock, silence } = heard();
    silence.callerSpeaks(false);
    clock.advance(1000);
    silence.agentSpoke();
    silence.answered();
    clock.advance(5000);
    expect(silence.waitMs).toBe(0);
  });

  test("goes on while a tool runs, which says nothing", () => {
    const { clock, silence } = heard();
    silence.callerSpeaks(false);
    clock.advance(1000);
    silence.toolCalled();
    silence.agentSpoke();
    silence.answered();
    clock.advance(1000);
    expect(silence.waitMs).toBe(2000);
  });

  test("begins when the model that they were speaking to goes, which cannot say that they have stopped", () => {
    const { clock, silence } = heard();
    silence.callerSpeaks(true);
    silence.model(false);
    clock.advance(1000);
    silence.model(true);
    clock.advance(1000);
    expect(silence.waitMs).toBe(2000);
    expect(silence.silentMs).toBe(2000);
  });

  test("is also for a line or a model that is gone, from when it went", () => {
    const { clock, silence } = heard();
    silence.line(true);
    silence.model(false);
    clock.advance(1000);
    silence.model(false);
    silence.line(false);
    clock.advance(500);
    expect(silence.waitMs).toBe(1500);
    silence.model(true);
    expect(silence.waitMs).toBe(500);
    silence.line(true);
    expect(silence.waitMs).toBe(0);
  });
});
