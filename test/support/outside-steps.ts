/** Steps of calls whose engine is a process of its own: see engine-process.ts. */
import { expect } from "bun:test";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import { runAudit } from "../../engine/audit/cli.ts";
import { runReplay } from "../../engine/audit/replay-cli.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import type { CallRow, EscalationRow } from "../../engine/ports.ts";
import { type EngineProcess, type Outside, type OutsideOptions, startOutside } from "./engine-process.ts";
import { stopAfterTest } from "./after-test.ts";
import { CALLER, NUMBER, ON_CALL } from "./world.ts";

export const SECOND = "+15550101";
/** Nobody is given up while a test looks at something else. */
export const LADDER = {
  limits: { drainMs: 0 },
  escalation: {
    ackTimeoutMs: 60_000,
    rungs: [
      { name: "primary", contacts: [{ name: "nurse", voice: ON_CALL }] },
      { name: "secondary", contacts: [{ name: "Dr. Lee", voice: SECOND }] },
    ],
  },
};

export async function begin(
  options: OutsideOptions = {},
  under: readonly string[] = [],
): Promise<{ outside: Outside; engine: EngineProcess }> {
  const outside = await startOutside({ deployment: LADDER, ...options });
  stopAfterTest(() => outside.stop());
  return { outside, engine: await outside.start(under) };
}

const participants = ({ carrier }: Outside) => carrier.state().conferences[0]?.participants ?? [];
export const labels = (outside: Outside) => participants(outside).map(({ label }) => label);
export const streams = ({ carrier }: Outside) => carrier.state().streams.map(({ streamSid }) => streamSid);
/** Calls that were made, but for the AI's one leg. */
export const rings = ({ carrier }: Outside) =>
  (carrier.state().counters["call.created.outbound-api"] ?? 0) - 1;
export const isCoaching = (outside: Outside) =>
  participants(outside).some(({ label, coaching, muted }) => label === "ai-1" && coaching && !muted);

/** The engine knows it as well: whoever hangs up before would leave a call that never had a coach. */
export const untilCoaching = (outside: Outside, callSid: string) =>
  outside.until(
    "coaching",
    async () => isCoaching(outside) && (await outside.api(`calls/${callSid}`))["handover"] === "coached",
  );

/** Alone in the room the caller hears music: the AI is heard when its stream is there. */
export async function aiHeard(outside: Outside, phone: Phone): Promise<void> {
  await outside.until("the AI streams", () => streams(outside).length === 1);
  phone.ear.forget();
  await outside.until("the AI is heard", () => phone.ear.heardSpeech);
}

/** A caller who hears the AI. */
export async function talking(
  outside: Outside,
  options: Parameters<Outside["phone"]>[1] = {},
): Promise<{ phone: Phone; callSid: string }> {
  const phone = await outside.phone(CALLER, options);
  const callSid = await phone.dial(NUMBER);
  await aiHeard(outside, phone);
  return { phone, callSid };
}

export async function kill(outside: Outside, engine: EngineProcess): Promise<void> {
  await engine.end("SIGKILL");
  await outside.until("the stream is gone", () => streams(outside).length === 0);
}

export async function onCall(
  outside: Outside,
  number: string,
  options: Parameters<Outside["phone"]>[1] = {},
): Promise<Phone> {
  const phone = await outside.phone(number, options);
  phone.register();
  return phone;
}

export async function escalate(outside: Outside, callSid: string): Promise<void> {
  expect(await outside.command(callSid, { command: "escalate" })).toBe(202);
}

/** They have picked up, and heard what it is about. */
export async function answers(outside: Outside, phone: Phone): Promise<void> {
  phone.answer();
  await outside.until("the briefing is heard", () => phone.ear.heardSpeech);
}

/** Holds the end to what must always be true of one: a row, no leg, a log that fits it, and machines that agree. */
export async function ended(outside: Outside, callSid: string): Promise<CallRow> {
  await outside.until("no leg is left", () => outside.carrier.state().calls.length === 0);
  const row = await outside.until("its row has ended", async () => {
    const now = await outside.api<CallRow>(`calls/${callSid}`);
    return now.state === "ended" && now;
  });
  const rows = await outside.api<CallRow[]>("calls?limit=100");
  expect(rows.filter((each) => each.callSid === callSid)).toHaveLength(1);
  const said: string[] = [];
  const surface = { env: {}, clock: systemClock, out: (text: string) => void said.push(text), err: fail };
  const from = ["--engine", outside.origin, "--token", outside.token];
  expect([await runAudit(["verify", callSid, ...from], surface), said.join("")]).toEqual([
    0,
    expect.stringContaining(": intact and closed: "),
  ]);
  said.length = 0;
  expect([await runReplay([callSid, ...from], surface), said.join("")]).toEqual([
    0,
    expect.stringContaining(": agrees: "),
  ]);
  return row;
}

function fail(text: string): never {
  throw new Error(text);
}

export const pages = (row: CallRow) =>
  (row.escalation as EscalationRow).pages.map(({ label, result }) => [label, result]);
