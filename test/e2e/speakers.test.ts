/** With the legs forked the transcript says who spoke: in turn, at once, and what becomes of it when a fork is lost. */
import { describe, expect, test } from "bun:test";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import type { TranscriptEntry } from "../../engine/ports.ts";
import { begin, call, ended, handOver, stateOf } from "../support/steps.ts";
import { noise, type World } from "../support/world.ts";

const GREETING = "Hello.";

const said = (world: World, callSid: string): readonly TranscriptEntry[] =>
  world.engine.supervisor.get(callSid)?.row().protected.transcript ?? [];

/** What was heard over the phone, and whose it is. */
const told = (entries: readonly TranscriptEntry[]) =>
  entries
    .filter(({ speaker }) => speaker !== "agent" && speaker !== "coach")
    .map(({ speaker, label, text }) => (label === undefined ? [speaker, text] : [speaker, label, text]));

async function say(world: World, callSid: string, phone: Phone, text: string, ms = 700): Promise<void> {
  expect(await phone.speak(noise(text, ms), text)).toBe("said");
  await world.until(`"${text}" is in the transcript`, () =>
    said(world, callSid).some((each) => each.text === text),
  );
}

const forked = { speakers: "forked", agent: { greeting: GREETING } } as const;

/** How many of the frames of a text are in an audio, and where the first of them is, in milliseconds. */
function findIn(audio: Buffer, text: string, ms = 700) {
  const voice = noise(text, ms);
  const at = Array.from({ length: ms / 20 }, (_, i) => audio.indexOf(voice.subarray(i * 160, i * 160 + 160)));
  const found = at.filter((byte) => byte >= 0);
  return { share: found.length / at.length, firstMs: (found[0] ?? NaN) / 8 };
}

describe("what each leg said", () => {
  test("is recorded on a track of its own, at its time, with nothing of what it heard", async () => {
    const world = await begin({ deployment: { ...forked, recording: "conference" } });
    const { phone, callSid } = await call(world);
    const nurse = await handOver(world, callSid);
    await say(world, callSid, nurse, "This is the nurse.");
    await say(world, callSid, phone, "My leg hurts.");
    await say(world, callSid, nurse, "Since when?");
    phone.hangUp();
    await ended(world, callSid);
    const row = await world.until("the tracks are kept", async () => {
      const now = await world.row(callSid);
      return (now?.recordings.length ?? 0) >= 2 && now;
    });
    expect(row.recordings).toEqual(expect.arrayContaining(["caller", "human-1"]));
    const track = async (name: string): Promise<Buffer> => {
      const answer = await fetch(`${world.engine.origin}/api/calls/${callSid}/recordings/${name}.wav`);
      return Buffer.from(await answer.bytes());
    };
    const [caller, human] = [await track("caller"), await track("human-1")];
    const [first, second, third] = [
      findIn(human, "This is the nurse."),
      findIn(caller, "My leg hurts."),
      findIn(human, "Since when?"),
    ];
    for (const { share } of [first, second, third]) expect(share).toBeGreaterThan(0.3);
    // Laid on each other they tell the same conversation.
    expect(first.firstMs + 600).toBeLessThan(second.firstMs);
    expect(second.firstMs + 600).toBeLessThan(third.firstMs);
    for (const [audio, text] of [
      [caller, "This is the nurse."],
      [caller, GREETING],
      [human, "My leg hurts."],
    ] as const) {
      expect(findIn(audio, text).share).toBe(0);
    }
    expect(row.metrics["tapeDroppedBytes"]).toBe(0);
  }, 60_000);
});

describe("who spoke", () => {
  test("is told of caller and person, in turn and at once", async () => {
    const world = await begin({ deployment: forked });
    const { phone, callSid } = await call(world);
    await say(world, callSid, phone, "Good evening to you.");
    const nurse = await handOver(world, callSid);
    await say(world, callSid, nurse, "This is the nurse.");
    await say(world, callSid, phone, "My leg hurts.");
    await say(world, callSid, nurse, "Since when?");
    // The longer of the two is understood by its end.
    const together = nurse.speak(noise("Yes?", 400), "Yes?");
    await say(world, callSid, phone, "Since noon, and it is getting worse.", 900);
    expect(await together).toBe("said");
    nurse.hangUp();
    await world.until("streaming", () => stateOf(world, callSid) === "streaming");
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(told(row.protected.transcript)).toEqual([
      ["caller", "Good evening to you."],
      ["human", "human-1", "This is the nurse."],
      ["caller", "My leg hurts."],
      ["human", "human-1", "Since when?"],
      ["both", "human-1", "Since noon, and it is getting worse."],
    ]);
    expect(row.speakers).toBe("forked");
    // The AI's, and one for each phone.
    expect(row.cost?.carrier.stream.minutes).toBe(3);
    expect(row.metrics).toMatchObject({
      forks: 2,
      forksLost: 0,
      forksRefused: 0,
      turnsUntold: 0,
      forkBad: 0,
    });
    expect(row.metrics["callerSpokenMs"]).toBeGreaterThan(1200);
    expect(row.metrics["humanSpokenMs"]).toBeGreaterThan(1200);
    const edges = (await world.log(callSid)).filter(({ name }) => name.startsWith("fork."));
    expect(edges.map(({ kind, name, data }) => [kind, name, data["label"]])).toEqual([
      ["media", "fork.began", "caller"],
      ["media", "fork.began", "human-1"],
      ["media", "fork.ended", "human-1"],
      ["media", "fork.ended", "caller"],
    ]);
  }, 60_000);

  test("is not told once a fork is lost, but where only one can have spoken; and the call goes on", async () => {
    const world = await begin({ deployment: forked });
    const { phone, callSid } = await call(world);
    const nurse = await handOver(world, callSid);
    world.carrier.faults.set({ mediaDrop: callSid });
    await world.until("the fork is lost", async () =>
      (await world.log(callSid)).some(({ name }) => name === "fork.ended"),
    );
    await say(world, callSid, phone, "My leg hurts.");
    await say(world, callSid, nurse, "Since when?");
    expect(stateOf(world, callSid)).toBe("coaching");
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(told(row.protected.transcript)).toEqual([
      ["caller", "My leg hurts."],
      ["unknown", "Since when?"],
    ]);
    expect(row).toMatchObject({ speakers: "partly", endReason: "caller_hung_up", errors: [] });
    expect(row.metrics).toMatchObject({ forksLost: 1, turnsUntold: 1 });
  }, 60_000);

  test("outside the room is nobody's business, and is known again of somebody who comes back", async () => {
    const world = await begin({ deployment: forked });
    const { phone, callSid } = await call(world);
    const nurse = await handOver(world, callSid);
    const forks = (): number => world.carrier.state().streams.length - 1;
    await world.until("both are forked", () => forks() === 2);
    nurse.press("*");
    await world.until("the nurse's fork is stopped", () => forks() === 1);
    await world.until("streaming", () => stateOf(world, callSid) === "streaming");
    await say(world, callSid, phone, "Hello again.");
    nurse.press("1");
    await world.until("the nurse is back", () => forks() === 2);
    await world.until("in the room", () => stateOf(world, callSid) === "coaching");
    await say(world, callSid, nurse, "I am back.");
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(told(row.protected.transcript)).toEqual([
      ["caller", "Hello again."],
      ["human", "human-1.2", "I am back."],
    ]);
    expect(row.speakers).toBe("forked");
  }, 60_000);

  test("is not asked without forks: all is the caller's, and the row says that nobody was told apart", async () => {
    const world = await begin({ deployment: { agent: { greeting: GREETING } } });
    const { phone, callSid } = await call(world);
    const nurse = await handOver(world, callSid);
    await say(world, callSid, nurse, "This is the nurse.");
    phone.hangUp();
    const row = await ended(world, callSid);
    expect(told(row.protected.transcript)).toEqual([["caller", "This is the nurse."]]);
    expect(row.speakers).toBe("mixed");
    expect(world.engine.gateway.counters()["forks"]).toBe(0);
  }, 60_000);
});
