/** The worker thread of the sandbox: starts its carrier and its model, and stops them. */
import { errorText } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { systemIds } from "../../engine/platform/ids.ts";
import { createLog } from "../../engine/platform/log.ts";
import type { BoxMessage, BoxReply } from "./box-protocol.ts";
import { type CarrierServer, startCarrier } from "./carrier/carrier.ts";
import { createHearing } from "./hearing.ts";
import { type Model, startModel } from "./model/server.ts";
import { createSpeech } from "./speech/speech.ts";
import type { Speech } from "./types.ts";
import type { PhonesSetting } from "./web/phone-pages.ts";

declare const self: Worker;

interface Box {
  readonly carrier: CarrierServer;
  readonly model: Model;
  readonly speech: Speech;
  readonly number: string;
}

let box: Box | null = null;
// One message after another: a `stop` must not overtake the `start` that it ends.
let turn: Promise<void> = Promise.resolve();

self.onmessage = (event: MessageEvent<BoxMessage>) => {
  turn = turn.then(async () => {
    const reply = await answer(event.data);
    self.postMessage(reply);
  });
};

async function answer(message: BoxMessage): Promise<BoxReply> {
  try {
    if (message.type === "start") box = await start(message);
    if (!box) return { ok: false, problem: "the sandbox has not been started" };
    const { carrier, model } = box;
    if (message.type === "configure") configure(box, message.phones);
    if (message.type === "stop") await stop(box);
    return { ok: true, carrierUrl: carrier.url, modelUrl: model.url };
  } catch (error) {
    return { ok: false, problem: `sandbox: ${errorText(error)}` };
  }
}

async function start(message: BoxMessage & { readonly type: "start" }): Promise<Box> {
  const { account, persona, callsPerSecond, carrierPort } = message;
  const base = {
    clock: systemClock,
    ids: systemIds,
    log: createLog({ level: message.logLevel, clock: systemClock, fields: { part: "sandbox" } }),
    hearing: createHearing(),
  };
  const speech = createSpeech({ log: base.log });
  const model = await startModel({ ...base, speech, persona, apiKey: account.modelKey });
  const { accountSid, authToken, twimlAppSid, number } = account;
  const options = { ...base, speech, accountSid, authToken, twimlAppSid, callsPerSecond };
  const carrier = await startCarrier({ ...options, port: carrierPort }).catch((error: unknown) => {
    base.log.warn("sandbox.port_taken", { port: carrierPort, error: errorText(error) });
    return startCarrier(options);
  });
  return { carrier, model, speech, number };
}

function configure({ carrier, number }: Box, phones: PhonesSetting): void {
  const { origin } = phones;
  const numbers = [{ number, voiceUrl: `${origin}/twilio/voice`, smsUrl: `${origin}/twilio/sms` }];
  carrier.configure({ numbers, appVoiceUrl: `${origin}/twilio/ai-leg` });
  carrier.setPhones(phones);
}

async function stop({ carrier, model, speech }: Box): Promise<void> {
  await carrier.stop();
  await model.stop();
  speech.close();
  box = null;
}
