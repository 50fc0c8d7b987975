/** Whose words a turn was, from the forks of the legs in the room. */
import { describe, expect, test } from "bun:test";
import { whoSpoke } from "../../../engine/call/attribution.ts";
import { Speakers } from "../../../engine/call/speakers.ts";
import { ForkStream } from "../../../engine/media/fork-stream.ts";
import type { UserTurn } from "../../../engine/media/user-turns.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { type CallContext, initialContext, type Leg, newLeg } from "../../../machines/context.ts";
import { INPUT } from "../../model/driver.ts";
import { START_MS } from "./support.ts";

const FRAME_MS = 20;
const SPEECH = new Uint8Array(160).fill(0x10).fill(0x90, 80).toBase64();
const PAUSE = new Uint8Array(160).fill(0xff).toBase64();
const ENTRY = { atMs: START_MS, speaker: "caller", text: "x" } as const;
const HUMAN = "human-3";

describe("a turn", () => {
  const spoke = (caller: number, human: number) =>
    whoSpoke(
      [
        { label: "caller", spokenMs: caller },
        { label: HUMAN, spokenMs: human },
      ],
      [],
    );

  test("is of whoever spoke in it, of both when each said something", () => {
    expect(spoke(800, 0)).toEqual({ speaker: "caller" });
    expect(spoke(0, 800)).toEqual({ speaker: "human", label: HUMAN });
    expect(spoke(800, 400)).toEqual({ speaker: "both", label: HUMAN });
    expect(spoke(160, 800)).toEqual({ speaker: "both", label: HUMAN });
  });

  test("is not of somebody who breathed, or hummed along", () => {
    expect(spoke(800, 99)).toEqual({ speaker: "caller" });
    expect(spoke(1000, 199)).toEqual({ speaker: "caller" });
    expect(spoke(99, 0)).toEqual({ speaker: "unknown" });
    expect(spoke(0, 0)).toEqual({ speaker: "unknown" });
  });

  test("is of the only one who was not listened to, when nobody else spoke; otherwise nobody knows", () => {
    expect(whoSpoke([{ label: HUMAN, spokenMs: 0 }], ["caller"])).toEqual({ speaker: "caller" });
    expect(whoSpoke([{ label: "caller", spokenMs: 0 }], [HUMAN])).toEqual({ speaker: "human", label: HUMAN });
    expect(whoSpoke([{ label: HUMAN, spokenMs: 900 }], ["caller"])).toEqual({ speaker: "unknown" });
    expect(whoSpoke([], ["caller", HUMAN])).toEqual({ speaker: "unknown" });
    expect(whoSpoke([], ["caller"])).toEqual({ speaker: "caller" });
  });
});

function setUp(options: { readonly restored?: boolean; readonly human?: Partial<Leg> | null } = {}) {
  const clock = new VirtualClock(START_MS);
  let context: CallContext = initialContext(INPUT);
  const put = (label: string, patch: Partial<Leg>): void => {
    const leg = context.legs[label] ?? newLeg(label, "human");
    context = { ...context, legs: { ...context.legs, [label]: { ...leg, ...patch } } };
  };
  put("caller", { status: "joined" });
  if (options.human !== null) put(HUMAN, { status: "joined", ...options.human });
  const media: string[] = [];
  const running: string[] = [];
  const speakers = new Speakers({
    clock,
    turnDetection: { type: "server_vad", threshold: 0.5, prefixPaddingMs: 300, silenceMs: 500 },
    facts: () => context,
    tracks: { leg: () => null },
    onMedia: (name, data) => void media.push(`${name} ${String(data["label"])}`),
    onFork: (label, runs) => void running.push(`${label} ${runs ? "runs" : "ends"}`),
    restored: options.restored ?? false,
  });
  const forks = new Map<string, { readonly fork: ForkStream; sentMs: number; speaks: boolean }>();
  const begin = (label: string, streamSid = `MZ${label}`): boolean => {
    const owner = { stopped: () => undefined, badMessage: () => undefined };
    const fork = new ForkStream({ streamSid, clock, owner });
    forks.set(label, { fork, sentMs: 0, speaks: false });
    return speakers.begin(label, fork);
  };
  /** Lets the time pass while these speak. */
  const talk = (ms: number, ...who: readonly string[]): void => {
    for (let t = 0; t < ms; t += FRAME_MS) {
      clock.advance(FRAME_MS);
      for (const [label, each] of forks) {
        const payload = who.includes(label) ? SPEECH : PAUSE;
        each.fork.onText(
          `{"event":"media","sequenceNumber":"1","media":{"track":"inbound","chunk":"1","timestamp":"${each.sentMs}","payload":"${payload}"},"streamSid":"${each.fork.streamSid}"}`,
        );
        each.sentMs += FRAME_MS;
      }
    }
  };
  /** A turn in which these speak, as the model tells of it: `lagMs` behind the forks. */
  const turn = (ms: number, who: readonly string[], lagMs = 200): UserTurn => {
    const startMs = clock.monotonicMs() + 100 + lagMs;
    talk(ms, ...who);
    talk(500 + lagMs);
    return { atMs: START_MS, startMs, endMs: clock.monotonicMs() };
  };
  return {
    clock,
    speakers,
    media,
    running,
    begin,
    talk,
    turn,
    put,
    set: (patch: Partial<CallContext>) => (context = { ...context, ...patch }),
  };
}

describe("the speakers of a call", () => {
  for (const lagMs of [0, 100, 300, 400]) {
    test(`are told apart when the mix is ${lagMs} ms behind, also close to another's turn`, () => {
      const { speakers, begin, turn } = setUp();
      expect([begin("caller"), begin(HUMAN)]).toEqual([true, true]);
      for (const who of [["caller"], [HUMAN], ["caller"], ["caller", HUMAN], [HUMAN]]) {
        const told = speakers.attribute(ENTRY, turn(800, who, lagMs));
        const human = who.includes(HUMAN) ? { label: HUMAN } : {};
        const speaker = who.length === 2 ? "both" : who[0] === "caller" ? "caller" : "human";
        expect(told).toEqual({ ...ENTRY, speaker, ...human });
      }
      expect(speakers.told).toBe("forked");
    });
  }

  test("are told of a turn that goes on", () => {
    const { speakers, begin, talk, clock } = setUp();
    begin("caller");
    begin(HUMAN);
    const startMs = clock.monotonicMs() + 200;
    talk(600, HUMAN);
    expect(speakers.attribute(ENTRY, { atMs: START_MS, startMs, endMs: null })).toMatchObject({
      speaker: "human",
    });
  });

  test("whose fork is lost are not guessed, and the row will say that it happened", () => {
    const { speakers, begin, turn, media, running } = setUp();
    begin("caller");
    begin(HUMAN);
    speakers.end("caller", "MZcaller", "error");
    expect(speakers.attribute(ENTRY, turn(800, ["caller"]))).toMatchObject({ speaker: "caller" });
    expect(speakers.attribute(ENTRY, turn(800, [HUMAN]))).toMatchObject({ speaker: "unknown" });
    expect(speakers.told).toBe("partly");
    expect(speakers.counters()).toMatchObject({ forks: 2, forksLost: 1, turnsUntold: 1 });
    expect(media).toEqual(["fork.began caller", `fork.began ${HUMAN}`, "fork.ended caller"]);
    speakers.close();
    expect(running).toEqual(["caller runs", `${HUMAN} runs`, "caller ends", `${HUMAN} ends`]);
  });

  test("are what they were with the engine before, as far as that can be told", () => {
    const alone = setUp({ restored: true, human: null });
    expect(alone.speakers.attribute(ENTRY, alone.turn(800, ["caller"]))).toEqual(ENTRY);
    expect(alone.speakers.told).toBe("partly");
    // Of somebody who joins this engine there is a fork.
    const { speakers, begin, turn } = setUp({ restored: true });
    begin(HUMAN);
    expect(speakers.attribute(ENTRY, turn(800, ["caller"]))).toMatchObject({ speaker: "caller" });
    expect(speakers.attribute(ENTRY, turn(800, [HUMAN]))).toMatchObject({ speaker: "unknown" });
  });

  test("are not heard on hold, muted, or once they have left", () => {
    const { speakers, begin, turn, put, set } = setUp();
    begin("caller");
    begin(HUMAN);
    set({ callerOnHold: true });
    expect(speakers.attribute(ENTRY, turn(800, ["caller", HUMAN]))).toMatchObject({ speaker: "human" });
    set({ callerOnHold: false });
    put(HUMAN, { muted: true });
    expect(speakers.attribute(ENTRY, turn(800, ["caller", HUMAN]))).toMatchObject({ speaker: "caller" });
    put(HUMAN, { muted: false, status: "left" });
    expect(speakers.attribute(ENTRY, turn(800, ["caller", HUMAN]))).toMatchObject({ speaker: "caller" });
    expect(speakers.told).toBe("forked");
    expect(speakers.counters()["forkUnheardFrames"]).toBeGreaterThan(100);
  });

  test("are the legs of people in this call, so many of them, and nobody once it is over", () => {
    const { speakers, begin, put } = setUp({ human: null });
    expect(begin("human-9")).toBe(false);
    for (let n = 1; n <= 40; n++) put(`human-${n}`, { status: "joined" });
    const taken = Array.from({ length: 40 }, (_, i) => begin(`human-${i + 1}`)).filter(Boolean).length;
    expect(taken).toBe(32);
    speakers.close();
    expect(begin("human-1")).toBe(false);
    expect(speakers.counters()).toMatchObject({ forks: 32, forksRefused: 10, forksLost: 0 });
  });

  test("keep a newer fork of a leg when the word of the older one's end is late", () => {
    const { speakers, begin, turn } = setUp();
    begin("caller");
    begin(HUMAN, "MZold");
    begin(HUMAN, "MZnew");
    speakers.end(HUMAN, "MZold", "replaced");
    expect(speakers.attribute(ENTRY, turn(800, [HUMAN]))).toMatchObject({ speaker: "human" });
  });
});
