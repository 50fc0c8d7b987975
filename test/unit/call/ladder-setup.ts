/** Calls that walk a ladder of two rungs, and what is asked of the carrier for it. */
import type { DeploymentInput } from "../../../engine/config/deployment.ts";
import type { CreateCall, SendMessage } from "../../../engine/ports.ts";
import { type Calls, streaming } from "./calls-setup.ts";
import { CALL_SID, settle } from "./support.ts";

export const NURSE = "+15550100";
export const DOCTOR = "+15550101";
export const HOOK = "https://push.example/secret-hook";
export const WINDOW_MS = 60_000;
export const PAUSE_MS = 600_000;

export const LADDER: DeploymentInput = {
  escalation: {
    ackTimeoutMs: WINDOW_MS,
    ringTimeoutMs: 20_000,
    againAfterMs: PAUSE_MS,
    rungs: [
      { name: "primary", contacts: [{ name: "nurse", voice: NURSE, sms: NURSE, push: HOOK }] },
      { name: "secondary", contacts: [{ name: "Dr. Lee", sms: DOCTOR }] },
    ],
  },
};

/** The AI has asked for a person: the first rung is paged. */
export async function paging(calls: Calls) {
  const scene = await streaming(calls);
  calls.carrier.requests.length = 0;
  scene.session.deliver({
    type: "tool.escalate",
    toolCallId: "t1",
    reason: "chest pain",
    urgency: "high",
  });
  await settle();
  return scene;
}

/** Nobody answers, and both windows close. */
export async function inVain(calls: Calls) {
  const scene = await paging(calls);
  await wait(calls, WINDOW_MS);
  await wait(calls, WINDOW_MS);
  return scene;
}

/** A little at a time, so that what is asked for meanwhile is answered. */
export async function wait({ clock }: Calls, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10_000) {
    clock.advance(Math.min(10_000, ms - passed));
    await settle();
  }
}

export const called = ({ carrier }: Calls): string[] =>
  carrier.requests.flatMap(([operation, input]) =>
    operation === "createCall" ? [(input as CreateCall).to] : [],
  );
export const texts = ({ carrier }: Calls): SendMessage[] =>
  carrier.requests.flatMap(([operation, input]) =>
    operation === "sendMessage" ? [input as SendMessage] : [],
  );
export const hungUp = ({ carrier }: Calls): unknown[] =>
  carrier.requests.flatMap(([operation, callSid, patch]) =>
    operation === "updateCall" && Bun.deepEquals(patch, { status: "completed" }) ? [callSid] : [],
  );
export const log = ({ store }: Calls) => store.logs.get(CALL_SID) ?? [];
export const incidentEntries = (calls: Calls) => log(calls).filter((entry) => entry.name === "incident");
export const row = ({ store }: Calls) => store.rows.get(CALL_SID);
