import { beforeEach, describe, expect, test } from "bun:test";
import {
  ANSWER_GRACE_MS,
  MAX_RETRIES,
  REQUEST_TIMEOUT_MS,
  ResponseSequencer,
  SPEECH_HOLD_MS,
} from "../../../adapters/openai/sequencer.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { seededIds } from "../../../engine/platform/ids.ts";

const NONE: ReadonlySet<string> = new Set();

describe("response sequencer", () => {
  let clock: VirtualClock;
  let sent: string[];
  let gaveUp: string[];
  let sequencer: ResponseSequencer;

  beforeEach(() => {
    clock = new VirtualClock();
    sent = [];
    gaveUp = [];
    let requests = 0;
    const port = {
      create: (instructions: string | undefined) => {
        sent.push(`create ${instructions ?? "-"}`);
        return `respond_${++requests}`;
      },
      cancel: (id: string) => void sent.push(`cancel ${id}`),
      gaveUp: (problem: string) => void gaveUp.push(problem),
      settled: () => undefined,
    };
    sequencer = new ResponseSequencer(port, clock, seededIds(1));
  });

  const finish = (id: string): void => {
    sequencer.done(id, true);
    sequencer.flush();
  };

  test("asks at once when nothing is active, and once only", () => {
    sequencer.respond("a");
    sequencer.respond("b");
    sequencer.respond(undefined);
    expect(sent).toEqual(["create a"]);
    sequencer.created("r1", "respond_1");
    expect(sent).toEqual(["create a"]);
    finish("r1");
    expect(sent).toEqual(["create a", "create b"]);
  });

  test("waits for a response that the server created by itself", () => {
    expect(sequencer.created("r1", undefined)).toBe(true);
    sequencer.respond("a");
    expect(sent).toEqual([]);
    finish("r1");
    expect(sent).toEqual(["create a"]);
  });

  test("a refusal because one is active is asked again after that one", () => {
    sequencer.respond("a");
    sequencer.speechStopped();
    expect(sequencer.created("r1", undefined)).toBe(true);
    sequencer.refused("respond_1", "busy");
    expect(sent).toEqual(["create a"]);
    finish("r1");
    expect(sent).toEqual(["create a", "create a"]);
  });

  test("a refusal before that response is announced is asked again a little later", () => {
    sequencer.respond("a");
    sequencer.refused("respond_1", "busy");
    expect(sent).toHaveLength(1);
    clock.advance(1000);
    expect(sent).toEqual(["create a", "create a"]);
  });

  test("after the caller's turn its answer comes first", () => {
    sequencer.speechStarted();
    sequencer.speechStopped();
    sequencer.respond("a");
    expect(sent).toEqual([]);
    sequencer.created("r1", undefined);
    finish("r1");
    expect(sent).toEqual(["create a"]);
  });

  test("an answer that never comes holds nothing up for long", () => {
    sequencer.speechStarted();
    sequencer.speechStopped();
    sequencer.respond("a");
    clock.advance(ANSWER_GRACE_MS);
    expect(sent).toEqual(["create a"]);
  });

  test("a queued response does not talk over the caller, but not for ever", () => {
    sequencer.created("r1", undefined);
    sequencer.respond("a");
    sequencer.speechStarted();
    finish("r1");
    expect(sent).toEqual([]);
    clock.advance(SPEECH_HOLD_MS);
    expect(sent).toEqual(["create a"]);
  });

  test("the caller's turn replaces a queued tool answer, not what the engine wants said", () => {
    sequencer.created("r1", undefined);
    sequencer.queue({ instructions: undefined, origin: "tool" });
    sequencer.speechStarted();
    finish("r1");
    sequencer.speechStopped();
    sequencer.created("r2", undefined);
    finish("r2");
    expect(sent).toEqual([]);
  });

  test("an interruption cancels the active response", () => {
    sequencer.respond("a");
    sequencer.created("r1", "respond_1");
    sequencer.interrupt(new Set(["r1"]));
    expect(sent).toEqual(["create a", "cancel r1"]);
    expect(sequencer.isDiscarded("r1")).toBe(true);
  });

  test("an interruption by the caller leaves the cancel to the server", () => {
    sequencer.created("r1", undefined);
    sequencer.speechStarted();
    sequencer.interrupt(new Set(["r1"]));
    expect(sent).toEqual([]);
    expect(sequencer.isDiscarded("r1")).toBe(true);
  });

  test("what the caller cut off is discarded even when nobody interrupts", () => {
    sequencer.created("r1", undefined);
    sequencer.speechStarted();
    expect(sequencer.isDiscarded("r1")).toBe(true);
  });

  test("a response that was asked for after the caller began to speak is cancelled by us", () => {
    sequencer.speechStarted();
    sequencer.respond("a");
    sequencer.created("r1", "respond_1");
    sequencer.interrupt(new Set(["r1"]));
    expect(sent).toEqual(["create a", "cancel r1"]);
  });

  test("a request that is interrupted before it is created is cancelled as soon as it is", () => {
    sequencer.respond("a");
    sequencer.interrupt(NONE);
    sequencer.created("r1", "respond_1");
    expect(sent).toEqual(["create a", "cancel r1"]);
    expect(sequencer.isDiscarded("r1")).toBe(true);
  });

  test("a late interruption spares the answer to what the caller said meanwhile", () => {
    sequencer.created("r1", undefined);
    finish("r1");
    sequencer.speechStarted();
    sequencer.speechStopped();
    sequencer.created("r2", undefined);
    sequencer.interrupt(new Set(["r1"]));
    expect(sent).toEqual([]);
    expect(sequencer.isDiscarded("r2")).toBe(false);
    sequencer.interrupt(NONE);
    expect(sent).toEqual(["cancel r2"]);
  });

  test("an interruption by the engine drops what is queued", () => {
    sequencer.created("r1", undefined);
    sequencer.respond("a");
    sequencer.interrupt(new Set(["r1"]));
    finish("r1");
    expect(sent).toEqual(["cancel r1"]);
  });

  test("failures are retried with growing pauses, a few times", () => {
    for (let i = 0; i < MAX_RETRIES; i++) {
      expect(sequencer.retry({ instructions: "a", origin: "engine" })).toBe(true);
      expect(sent).toHaveLength(i);
      clock.advance(500 * 2 ** i);
      expect(sent).toHaveLength(i + 1);
      sequencer.created(`r${i}`, `respond_${i + 1}`);
      sequencer.done(`r${i}`, false);
    }
    expect(sequencer.retry({ instructions: "a", origin: "engine" })).toBe(false);
    expect(gaveUp).toHaveLength(1);
  });

  test("a request that gets no answer is given up", () => {
    sequencer.respond("a");
    sequencer.respond("b");
    clock.advance(REQUEST_TIMEOUT_MS);
    expect(gaveUp).toHaveLength(1);
    expect(sent).toEqual(["create a", "create b"]);
  });

  test("what was being said when the model changes sides is not answered, and what comes after it is", () => {
    sequencer.speechStarted();
    sequencer.passOver();
    sequencer.speechStopped();
    sequencer.created("r1", undefined);
    expect(sent).toEqual(["cancel r1"]);
    expect(sequencer.isDiscarded("r1")).toBe(true);
    sequencer.done("r1", false);
    sequencer.speechStarted();
    sequencer.speechStopped();
    sequencer.created("r2", undefined);
    expect(sequencer.isDiscarded("r2")).toBe(false);
  });

  test("an answer to the other side that was refused is not asked for again", () => {
    sequencer.speechStarted();
    sequencer.passOver();
    sequencer.respond("a");
    sequencer.created("r1", "respond_1");
    sequencer.speechStopped();
    sequencer.answerRefused();
    finish("r1");
    clock.advance(ANSWER_GRACE_MS);
    expect(sent).toEqual(["create a"]);
  });

  test("what the model says, or was asked to say, to the other side is cancelled", () => {
    sequencer.created("r1", undefined);
    sequencer.passOver();
    sequencer.passOver();
    expect(sent).toEqual(["cancel r1"]);
    finish("r1");
    sequencer.respond("to the other side");
    sequencer.passOver();
    sequencer.respond("a");
    sequencer.created("r2", "respond_1");
    finish("r2");
    expect(sent.slice(1)).toEqual(["create to the other side", "cancel r2", "create a"]);
  });

  test("what has not begun is handed over, and no timer is left", () => {
    sequencer.respond("a");
    sequencer.respond("b");
    sequencer.speechStarted();
    expect(sequencer.takeOver(false)).toEqual({ instructions: "b", origin: "engine" });
    expect(clock.pendingTimers).toBe(0);
    expect(sequencer.takeOver(false)).toBeNull();
  });
});
