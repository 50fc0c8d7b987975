/** Steps that most end-to-end tests take. A world that a test began is stopped after it. */
import { expect } from "bun:test";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import type { CallRow } from "../../engine/ports.ts";
import { stopAfterTest } from "./after-test.ts";
import { CALLER, NUMBER, ON_CALL, startWorld, type World, type WorldOptions } from "./world.ts";

type PhoneOptions = Parameters<World["phone"]>[1];

export async function begin(options: WorldOptions = {}): Promise<World> {
  const world = await startWorld(options);
  stopAfterTest(() => world.stop());
  return world;
}

export function stateOf(world: World, callSid: string): string | undefined {
  return world.engine.supervisor.get(callSid)?.state;
}

/** A caller who has been answered by the AI. */
export async function call(
  world: World,
  options: PhoneOptions = {},
): Promise<{ readonly phone: Phone; readonly callSid: string }> {
  const { phone } = await world.phone(CALLER, options);
  const callSid = await phone.dial(NUMBER);
  await world.until("streaming", () => stateOf(world, callSid) === "streaming");
  return { phone, callSid };
}

/** Rings the person on call by an operator's command and has them pick up; no key is pressed yet. */
export async function ring(world: World, callSid: string, options: PhoneOptions = {}): Promise<Phone> {
  const { phone } = await world.phone(ON_CALL, options);
  phone.register();
  const answer = await world.command(callSid, { command: "escalate", to: ON_CALL });
  expect(answer.status).toBe(202);
  await world.until("the person's phone rings", () => phone.state === "incoming");
  phone.answer();
  await world.until("the briefing is heard", () => phone.ear.heardSpeech);
  return phone;
}

/** Brings a human into the room, up to the point where the AI whispers to them. */
export async function handOver(world: World, callSid: string, options: PhoneOptions = {}): Promise<Phone> {
  const phone = await ring(world, callSid, options);
  phone.press("1");
  await untilCoaching(world, callSid);
  return phone;
}

/** Twilio has done it, and the engine knows: whoever hangs up before would leave a call that never had a coach. */
export async function untilCoaching(world: World, callSid: string): Promise<void> {
  await world.until("coaching, unmuted", () => {
    const participants = world.carrier.state().conferences[0]?.participants ?? [];
    const isWhispering = participants.some(
      (p) => p.label?.startsWith("ai-") === true && p.coaching && !p.muted,
    );
    return isWhispering && world.engine.supervisor.get(callSid)?.row().handover === "coached";
  });
}

/** Waits for the end, and holds it to what must always be true of an end. */
export async function ended(world: World, callSid: string): Promise<CallRow> {
  await world.until("ended", () => world.engine.supervisor.get(callSid) === null);
  await world.until("no leg is left", () => world.carrier.state().calls.length === 0);
  await world.until("no stream is left", () => world.engine.gateway.live === 0);
  await world.until("no model session is left", () => world.model.sessions().length === 0);
  const rows = (await world.store.listCalls({ limit: 100 })).filter((row) => row.callSid === callSid);
  expect(rows).toHaveLength(1);
  const row = rows[0] as CallRow;
  expect(row.state).toBe("ended");
  expect(row.endedAt).not.toBeNull();
  expect(row.endReason).not.toBeNull();
  return row;
}
