/** What a caller hears while a person is fetched and takes over: never silence. */
import { InvariantError } from "../engine/errors.ts";
import type { Clock } from "../engine/ports.ts";
import { noise } from "../test/support/world.ts";
import { isSilent, type OnCall, type Person, startOnCall } from "./on-call.ts";
import { type Bench, type BenchOptions, type Rows, fold, sampledRow } from "./runner.ts";

const FRAME_MS = 20;
const PEOPLE = { nurse: "+15550100" };
/** Said without a break for longer than it takes to fetch somebody: 40 ms a character. */
const GREETING = "I am with you until somebody joins us. ".repeat(12).trim();
const HUMAN_MS = 6000;

export const bench: Bench = {
  name: "handover",
  claim:
    "The caller hears no silence between the AI and the person who takes over, nor while the person is fetched.",
  run: runHandover,
  limitMs: () => 300_000,
};

interface Sample {
  /** From the key that accepts to the first frame of the person at the caller's ear. */
  readonly joinMs: number;
  /** Silence between the AI's last frame and the person's first. */
  readonly gapMs: number;
  /** Silence from the key to the AI's last frame. */
  readonly aloneMs: number;
}

async function runHandover({ smoke, clock }: BenchOptions): Promise<Rows> {
  const trials = smoke ? 1 : 20;
  const ear = new Ear(clock);
  const deployment = {
    agent: { greeting: GREETING },
    escalation: { rungs: [{ name: "primary", contacts: [{ name: "nurse", voice: PEOPLE.nurse }] }] },
  };
  const scene = await startOnCall(clock, { deployment, callsPerSecond: 10 }, PEOPLE, (frame) =>
    ear.hear(frame),
  );
  const samples: Sample[] = [];
  try {
    for (let trial = 0; trial < trials; trial++) samples.push(await handOver(scene, ear, clock));
  } finally {
    await scene.stop();
  }
  return {
    rows: [
      sampledRow({
        what: "key that accepts → the caller hears the person, who speaks at once",
        unit: "ms",
        values: samples.map(({ joinMs }) => joinMs),
        against: "is the baseline",
      }),
      sampledRow({
        what: "silence between the AI's last frame and the person's first",
        unit: "ms",
        values: samples.map(({ gapMs }) => gapMs),
        target: { of: "p99", atMost: 40 },
      }),
      sampledRow({
        what: "silence from the key to the AI's last frame",
        unit: "ms",
        values: samples.map(({ aloneMs }) => aloneMs),
        target: { of: "p99", atMost: 20 },
      }),
    ],
    hash: samples.reduce((hash, { joinMs }) => fold(hash, Math.ceil(joinMs)), samples.length),
    notes: [
      "Heard at the caller's phone, in frames of 20 ms. The AI speaks without a break, and is cut only when the person is in the room: for a moment both are heard.",
    ],
  };
}

async function handOver(scene: OnCall, ear: Ear, clock: Clock): Promise<Sample> {
  const { world } = scene;
  const [person] = scene.people as [Person];
  const callSid = await scene.begin();
  await world.until("the AI speaks", () => ear.hears);
  await scene.escalate(callSid);
  await world.until("the phone rings", () => person.phone.state === "incoming");
  person.phone.answer();
  await world.until("the briefing is heard", () => person.hears);
  const words = noise(callSid, HUMAN_MS);
  ear.listenFor(words);
  const keyMs = clock.monotonicMs();
  person.phone.press("1");
  void person.phone.speak(words);
  await world.until("the caller hears the person", () => ear.person !== null);
  const { frames, personMs } = ear.take();
  await scene.end(callSid);
  const lastOfAi = frames.findLastIndex((frame) => frame === "other");
  if (lastOfAi < 0) throw new InvariantError("the AI was not heard after the key");
  const silent = (part: readonly Heard[]): number =>
    part.filter((frame) => frame === "silence").length * FRAME_MS;
  return {
    joinMs: personMs - keyMs,
    gapMs: silent(frames.slice(lastOfAi)),
    aloneMs: silent(frames.slice(0, lastOfAi)),
  };
}

/** `other`: the AI, alone or on top of the person. */
type Heard = "silence" | "person" | "other";

/** The caller's ear: told apart by content, since noise repeats nowhere. */
class Ear {
  /** Whether the last frame was audible. */
  hears = false;
  /** When the person was first heard alone. */
  person: number | null = null;
  readonly #clock: Clock;
  #words = Buffer.alloc(0);
  #frames: Heard[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  hear(frame: Uint8Array): void {
    this.hears = !isSilent(frame);
    if (this.person !== null) return;
    const heard = !this.hears ? "silence" : this.#words.includes(frame) ? "person" : "other";
    this.#frames.push(heard);
    if (heard === "person") this.person = this.#clock.monotonicMs();
  }

  /** From now on, until the person is heard who says these words. */
  listenFor(words: Uint8Array): void {
    this.#words = Buffer.from(words);
    this.#frames = [];
    this.person = null;
  }

  take(): { readonly frames: readonly Heard[]; readonly personMs: number } {
    return { frames: this.#frames, personMs: this.person ?? 0 };
  }
}
