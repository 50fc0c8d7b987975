import type { MachineDetection } from "../call/amd.ts";
import type { StatusSubscription } from "../call/call.ts";
import { E164 } from "../types.ts";
import { callbackTarget, type RestContext } from "./context.ts";
import { invalid, RestError } from "./errors.ts";
import type { Values } from "./parameters.ts";

/** The length of custom parameters that production code has found to work. */
const MAX_APP_PARAMETERS = 800;

/** `From` and `To` of a new leg, checked against each other and the account. */
export function checkEnds(
  context: RestContext,
  values: Values,
): { readonly from: string; readonly to: string } {
  const { core } = context;
  const from = values.text("From") ?? "";
  const to = values.text("To") ?? "";
  if (E164.test(from) && !core.routing.numbers.some((n) => n.number === from)) {
    throw invalid(
      `The source phone number provided, ${from}, is not yet verified for your account. ` +
        "You may only make calls from phone numbers that you've verified or purchased from Twilio.",
      21210,
    );
  }
  if (E164.test(to) && !E164.test(from)) {
    throw invalid("Invalid parameter From: a phone number can be called from a phone number only", 21212);
  }
  const [app = "", query = ""] = to.split("?", 2);
  if (app.startsWith("app:") && app !== `app:${core.options.twimlAppSid}`) {
    throw invalid(`Invalid parameter To: ${app.slice(4)} is not a TwiML App of this account`, 21218);
  }
  if (app.startsWith("app:") && query.length > MAX_APP_PARAMETERS) {
    throw invalid(`Invalid parameter To: custom parameters exceed ${MAX_APP_PARAMETERS} characters`, 21211);
  }
  return { from, to };
}

/** Refuses a leg for which there is no room; `code` is that of the resource. */
export function checkCapacity(context: RestContext, code: 10004 | 16021): void {
  const limit = context.core.options.concurrentCalls ?? Number.POSITIVE_INFINITY;
  if (context.calls.size >= limit) {
    throw new RestError(400, code, `The account's limit of ${limit} concurrent calls is reached`);
  }
  if (context.dialer.full) throw new RestError(400, 22005, "The call queue is full");
}

export function subscriptionOf(values: Values): StatusSubscription | null {
  const target = callbackTarget(values, "StatusCallback");
  if (!target) return null;
  return { target, events: new Set(values.list("StatusCallbackEvent") ?? ["completed"]) };
}

/** `blocking`: the call waits for the verdict. `callback` names the parameter with the verdict's address. */
export function detectionOf(values: Values, blocking: boolean, callback: string): MachineDetection | null {
  const mode = values.text("MachineDetection");
  if (mode !== "Enable" && mode !== "DetectMessageEnd") return null;
  return { mode, blocking, target: callbackTarget(values, callback) };
}
