/**
 * Whatever dies, and in whatever state: the call ends in `ended`, with one row and no leg left at the
 * carrier; and as long as the caller is there, somebody talks to them.
 */
import { describe, expect, test } from "bun:test";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import { begin, call, ended, handOver, ring, stateOf } from "../support/steps.ts";
import { CALLER, NUMBER, type World } from "../support/world.ts";

type State = "arriving" | "streaming" | "escalating" | "coaching" | "removed";
interface Scene {
  readonly world: World;
  readonly phone: Phone;
  readonly callSid: string;
}

/** Brings a call into a state. */
async function reach(state: State): Promise<Scene> {
  // In `arriving` the model never confirms its format, so that the state can be looked at.
  const deployment = { agent: { apology: "Sorry." } };
  const world = await begin(
    state === "arriving" ? { deployment, modelFaults: { ignoreSessionUpdate: true } } : { deployment },
  );
  if (state === "arriving") {
    const { phone } = await world.phone(CALLER);
    const callSid = await phone.dial(NUMBER);
    await world.until("the AI leg streams", () => world.carrier.state().streams.length === 1);
    return { world, phone, callSid };
  }
  const { phone, callSid } = await call(world);
  if (state === "escalating") await ring(world, callSid);
  if (state === "coaching" || state === "removed") await handOver(world, callSid);
  if (state === "removed") {
    expect((await world.command(callSid, { command: "remove" })).status).toBe(202);
    await world.until("the AI is gone", () => world.carrier.state().streams.length === 0);
  }
  expect(stateOf(world, callSid)).toBe(state);
  return { world, phone, callSid };
}

function aiCallSid(world: World): string | null {
  const participants = world.carrier.state().conferences[0]?.participants ?? [];
  return participants.find((p) => p.label?.startsWith("ai-") === true)?.callSid ?? null;
}

interface Kill {
  /** Why the call must have ended, by state; the caller's own hang-up where nothing else is said. */
  readonly endReason?: Partial<Record<State, string>>;
  readonly act: (scene: Scene) => Promise<void> | void;
  /** States in which there is nothing of the kind to kill. */
  readonly notIn: readonly State[];
}

const KILLS: Readonly<Record<string, Kill>> = {
  "the caller hangs up": { act: ({ phone }) => phone.hangUp(), notIn: [] },
  "the caller's phone is gone without a word": { act: ({ phone }) => phone.close(), notIn: [] },
  "the AI leg is hung up at the carrier": {
    act: async ({ world }) => world.hangUpAtCarrier(aiCallSid(world) ?? ""),
    notIn: ["removed"],
  },
  "the media stream drops": {
    act: ({ world }) => world.carrier.faults.set({ mediaDrop: true }),
    notIn: ["removed"],
  },
  "the model is gone for good": {
    act: async ({ world }) => await world.model.stop(),
    notIn: ["removed"],
    // With a human in the room the two go on; without one the caller is told, and the call ends.
    endReason: { arriving: "model_failed", streaming: "model_failed", escalating: "model_failed" },
  },
};

/** Until the call has ended by itself, goes on without the AI, or has the AI back on a new stream. */
async function settle({ world, callSid }: Scene, before: readonly string[]): Promise<void> {
  await world.until("settled", () => {
    const state = stateOf(world, callSid);
    const streams = world.carrier.state().streams.map((stream) => stream.streamSid);
    return state === undefined || state === "removed" || streams.some((sid) => !before.includes(sid));
  });
}

for (const state of ["arriving", "streaming", "escalating", "coaching", "removed"] as const) {
  describe(`in ${state}`, () => {
    for (const [what, kill] of Object.entries(KILLS)) {
      if (kill.notIn.includes(state)) continue;
      test(`${what}: one row, no leg left`, async () => {
        const scene = await reach(state);
        const before = scene.world.carrier.state().streams.map((stream) => stream.streamSid);
        await kill.act(scene);
        await settle(scene, before);
        scene.phone.hangUp();
        const row = await ended(scene.world, scene.callSid);
        expect(row.endReason).toBe(kill.endReason?.[state] ?? "caller_hung_up");
      });
    }
  });
}
