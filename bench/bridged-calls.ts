/** How often the actors of real calls are bothered: counted over conversations through the whole engine. */
import { invariant } from "../engine/errors.ts";
import { startWorld, noise, NUMBER, type World } from "../test/support/world.ts";

const FRAME_BYTES = 160;
const QUESTION_MS = 600;

export interface BridgedCall {
  /** Events that the call's actor took, from the first ring to the row. */
  readonly events: number;
  /** 20 ms frames of the caller's that reached the model, and of the model's that came back. */
  readonly frames: number;
  readonly seconds: number;
}

/** Calls at once, in which the caller asks so often and hears each answer out, then hangs up. */
export async function bridgedCalls(calls: number, turns: number): Promise<readonly BridgedCall[]> {
  // What is counted does not depend on how late the loop is, and so nobody is turned away for it.
  const deployment = { agent: { greeting: "Hello." }, overload: { loopLatenessMs: 0 } };
  const world = await startWorld({ persona: "echo-text", deployment });
  try {
    return await Promise.all(Array.from({ length: calls }, (_, i) => converse(world, i, turns)));
  } finally {
    await world.stop();
  }
}

async function converse(world: World, index: number, turns: number): Promise<BridgedCall> {
  const { phone } = await world.phone(`+1555${String(1000 + index)}`);
  const heardOut = (): boolean => phone.ear.heardSpeech && phone.ear.quietMs >= 200;
  const callSid = await phone.dial(NUMBER);
  const streaming = (): boolean => world.engine.supervisor.get(callSid)?.state === "streaming";
  await world.until("streaming", streaming);
  // Until here the caller has heard music.
  phone.ear.forget();
  await world.until("the greeting", heardOut);
  for (let turn = 0; turn < turns; turn++) {
    const text = `Question ${turn}`;
    const question = noise(`${index}, ${text}`, QUESTION_MS);
    await phone.speak(question, text);
    phone.ear.forget();
    await world.until("the answer", heardOut);
  }
  phone.hangUp();
  await world.until("the end", () => world.engine.supervisor.get(callSid) === null);
  const row = await world.row(callSid);
  invariant(row !== null && row.endedAt !== null, "a call ended without a row");
  const { events = 0, inToModelBytes = 0, modelBytes = 0 } = row.metrics;
  const seconds = (Date.parse(row.endedAt) - Date.parse(row.startedAt)) / 1000;
  return { events, frames: (inToModelBytes + modelBytes) / FRAME_BYTES, seconds };
}
