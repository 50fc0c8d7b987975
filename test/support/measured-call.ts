/** `GET /metrics` of an engine that has had a call with all that is measured: turns, a barge-in, a tool, a handover. */
import { joined, spoken } from "./tap.ts";
import { CALLER, noise, NUMBER, ON_CALL, startWorld, type World, type WorldOptions } from "./world.ts";

export interface Measured {
  readonly text: string;
  /** The same before the call. */
  readonly before: string;
  readonly world: World;
  readonly callSid: string;
}

const GREETING = "Hello, this is the after-hours line. ".repeat(3).trim();

/** The call is over. The world is the caller's to stop. */
export async function measuredCall(options: WorldOptions = {}): Promise<Measured> {
  const rungs = [{ name: "primary", contacts: [{ name: "nurse", voice: ON_CALL, sms: ON_CALL }] }];
  // A machine that is busy with something else makes everything slow, and nothing else is to come of it.
  const limits = { arriveTimeoutMs: 120_000, modelReadyTimeoutMs: 120_000 };
  const deployment = { agent: { greeting: GREETING }, escalation: { rungs }, limits, ...options.deployment };
  const world = await startWorld({ reconnectAttempts: 50, ...options, deployment });
  try {
    const before = await metricsOf(world);
    const callSid = await place(world);
    return { text: await metricsOf(world), before, world, callSid };
  } catch (error) {
    await world.stop();
    throw error;
  }
}

/** Resolves to its sid once it is over. */
async function place(world: World): Promise<string> {
  const nurse = await world.phone(ON_CALL);
  nurse.phone.register();
  const heard: Uint8Array[] = [];
  const { phone } = await world.phone(CALLER, { onFrame: (frame) => void heard.push(frame.slice()) });
  const callSid = await phone.dial(NUMBER);
  const state = () => world.engine.supervisor.get(callSid)?.state;
  await world.until("streaming", () => state() === "streaming", 2, 60_000);
  heard.length = 0;
  await world.until("a second of the greeting is heard", () => spoken(joined(heard)).length >= 8000);
  // Into the greeting.
  await phone.speak(noise("help", 600), "I need a nurse, please.");
  await world.until("the nurse is rung", () => nurse.phone.state === "incoming");
  nurse.phone.answer();
  await world.until("the briefing is heard", () => nurse.phone.ear.heardSpeech);
  nurse.phone.press("1");
  await world.until("coaching", () => state() === "coaching");
  phone.hangUp();
  await world.until("ended", () => world.engine.supervisor.get(callSid) === null);
  await world.until("no stream is left", () => world.engine.gateway.live === 0);
  return callSid;
}

export async function metricsOf({ engine }: World): Promise<string> {
  return await (await fetch(`${engine.origin}/metrics`)).text();
}
