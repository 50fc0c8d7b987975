import { startCarrier } from "../../adapters/sandbox/carrier/carrier.ts";
import type { Hearing, Speech } from "../../adapters/sandbox/types.ts";
import { createTwilioCarrier } from "../../adapters/twilio/carrier.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { seededIds, systemIds } from "../../engine/platform/ids.ts";
import { silentLog } from "../../engine/platform/log.ts";
import { systemNetwork } from "../../engine/platform/network.ts";
import { carrierContract } from "./carrier.contract.ts";

const accountSid = `AC${"a".repeat(32)}`;
const authToken = "fake-auth-token";
const from = "+15550100";
const answering = ["+15550101", "+15550102", "+15550103"] as const;
const ringing = "+15550104";

/** Nothing is said in these tests. */
const speech: Speech = { say: () => Promise.resolve(new Uint8Array(160).fill(0xff)), close: () => undefined };
const hearing: Hearing = { note: () => undefined, lookup: () => [] };

const WAYS = [
  ["over the SDK's own sockets", {}],
  ["over a network that it is handed", { network: systemNetwork }],
] as const;

for (const [way, more] of WAYS) {
  carrierContract(`the twilio adapter on the sandbox carrier, ${way}`, async () => {
    const options = { clock: systemClock, log: silentLog, accountSid, authToken, callsPerSecond: 100 };
    const sandbox = await startCarrier({
      ...options,
      ids: systemIds,
      speech,
      hearing,
      twimlAppSid: `AP${"b".repeat(32)}`,
      // No webhook is called: everything here happens over REST.
      numbers: [{ number: from, voiceUrl: "http://127.0.0.1:9/voice" }],
    });
    for (const number of answering) sandbox.phones.setBehaviour(number, { behaviour: "answer", afterMs: 0 });
    sandbox.phones.setBehaviour(ringing, { behaviour: "no-answer" });
    const carrier = createTwilioCarrier({ ...options, ids: seededIds(3), baseUrl: sandbox.url, ...more });
    return {
      carrier,
      from,
      answering,
      ringing,
      spoil: ({ how, ...where }) =>
        sandbox.faults.set(
          how === "cut" ? { restTimeout: { holdMs: 1, ...where } } : { rest: { status: how, ...where } },
        ),
      stop: async () => {
        await carrier.close();
        await sandbox.stop();
      },
    };
  });
}
