/** Webhooks on calls with fake ports: forms go in, TwiML and events come out; no socket is opened. */
import { StrayRequests } from "../../../engine/http/answers.ts";
import { Forks } from "../../../engine/http/forks.ts";
import { Webhooks } from "../../../engine/http/webhooks.ts";
import type { SignedForm } from "../../../engine/http/twilio-guard.ts";
import { MediaGateway } from "../../../engine/media/gateway.ts";
import { PacingWheel } from "../../../engine/media/wheel.ts";
import type { AuditEntry } from "../../../engine/ports.ts";
import { CALLER, makeCalls, type CallsOptions } from "../call/calls-setup.ts";
import { CALL_SID, CONFERENCE_SID } from "../call/support.ts";

export const ORIGIN = "https://voice.example";
export const HUMAN_SID = "CA00000000000000000000000000000003";

export function makeWebhooks(options: CallsOptions = {}) {
  const calls = makeCalls({ ...options, onCallEnded: (callSid) => webhooks.forget(callSid) });
  const { clock, deployment, legKeys, log, supervisor, urls } = calls;
  const gateway = new MediaGateway({
    clock,
    secret: "a-secret-for-tests",
    log,
    wheel: new PacingWheel({ clock }),
    onStream: () => true,
    onStreamClosed: () => undefined,
  });
  const strays = new StrayRequests({ isOver: (callSid) => supervisor.isOver(callSid), log });
  const webhooks: Webhooks = new Webhooks({
    forks: new Forks({ deployment, gateway, urls }),
    supervisor,
    urls,
    legKeys,
    gateway,
    deployment,
    escalations: calls.escalations,
    strays,
    log,
  });
  const events = (name: string): AuditEntry["data"][] =>
    (calls.store.logs.get(CALL_SID) ?? [])
      .filter((entry) => entry.kind === "event" && entry.name === name)
      .map((entry) => entry.data);
  return { ...calls, gateway, strays, webhooks, events };
}

export function form(
  fields: Readonly<Record<string, string>>,
  query: Readonly<Record<string, string>> = {},
  idempotencyToken: string | null = null,
): SignedForm {
  return { form: new URLSearchParams(fields), query: new URLSearchParams(query), idempotencyToken };
}

export const voiceForm = (callSid = CALL_SID): SignedForm =>
  form({ CallSid: callSid, CallStatus: "ringing", From: CALLER, To: "+15550123" });

export const afterStreamForm = (label = "ai-1"): SignedForm =>
  form({ CallSid: HUMAN_SID, CallStatus: "in-progress" }, { call: CALL_SID, label });

export const conferenceForm = (
  event: string,
  fields: Readonly<Record<string, string>> = {},
  token: string | null = null,
): SignedForm =>
  form(
    { ConferenceSid: CONFERENCE_SID, FriendlyName: `af-${CALL_SID}`, StatusCallbackEvent: event, ...fields },
    { call: CALL_SID },
    token,
  );

export const HANGUP = '<?xml version="1.0" encoding="UTF-8"?><Response><Hangup/></Response>';
