/** The account itself, its TwiML App and its numbers: what is read to see whether they lead to the engine. */
import { rfc2822 } from "../dates.ts";
import { API_VERSION, type ServiceNumber } from "../types.ts";
import { listAnswer, type Operation, type RestContext } from "./context.ts";
import { notFound } from "./errors.ts";
import { validate } from "./parameters.ts";
import { accountPath, type Json } from "./render.ts";
import { listNumbers as listTable } from "./tables.ts";

/** All of them were there before the sandbox was. */
const MADE = rfc2822(0);

export const fetchAccount: Operation = ({ core }, request) => {
  validate({}, request.fields);
  const { accountSid, options } = core;
  const path = accountPath(accountSid);
  const names = ["calls", "conferences", "messages", "applications", "incoming_phone_numbers"];
  const body: Json = {
    auth_token: options.authToken,
    date_created: MADE,
    date_updated: MADE,
    friendly_name: "sandbox",
    owner_account_sid: accountSid,
    sid: accountSid,
    status: "active",
    subresource_uris: Object.fromEntries(names.map((name) => [name, `${path}/${camel(name)}.json`])),
    type: "Full",
    uri: `${path}.json`,
  };
  return { status: 200, body };
};

export const fetchApplication: Operation = ({ core }, request) => {
  validate({}, request.fields);
  const { twimlAppSid } = core.options;
  if (request.ids[0] !== twimlAppSid) throw notFound(request.path);
  const body: Json = {
    ...owned(core, `Applications/${twimlAppSid}`, twimlAppSid),
    friendly_name: "the AI's leg",
    message_status_callback: null,
    public_application_connect_enabled: false,
    sms_status_callback: null,
    ...webhooks(core.routing.appVoiceUrl, ""),
  };
  return { status: 200, body };
};

export const listNumbers: Operation = ({ core }, request) =>
  listAnswer(request, listTable, "incoming_phone_numbers", (query) =>
    core.routing.numbers
      .filter(({ number }) => (query.text("PhoneNumber") ?? number) === number)
      .map((each) => renderNumber(core, each)),
  );

function renderNumber(core: RestContext["core"], { number, voiceUrl, smsUrl = "" }: ServiceNumber): Json {
  const sid = `PN${number.slice(1).padStart(32, "0")}`;
  return {
    ...owned(core, `IncomingPhoneNumbers/${sid}`, sid),
    ...webhooks(voiceUrl, smsUrl),
    friendly_name: number,
    phone_number: number,
    address_sid: null,
    address_requirements: "none",
    beta: false,
    bundle_sid: null,
    capabilities: { voice: true, sms: true, mms: false, fax: false },
    emergency_status: "Inactive",
    emergency_address_sid: null,
    emergency_address_status: "unregistered",
    identity_sid: null,
    origin: "twilio",
    sms_application_sid: "",
    status: "in-use",
    trunk_sid: null,
    type: "local",
    voice_application_sid: "",
    voice_receive_mode: "voice",
  };
}

function owned({ accountSid }: RestContext["core"], path: string, sid: string): Json {
  return {
    account_sid: accountSid,
    api_version: API_VERSION,
    date_created: MADE,
    date_updated: MADE,
    sid,
    uri: `${accountPath(accountSid)}/${path}.json`,
  };
}

function webhooks(voiceUrl: string, smsUrl: string): Json {
  return {
    sms_fallback_method: "POST",
    sms_fallback_url: "",
    sms_method: "POST",
    sms_url: smsUrl,
    status_callback: "",
    status_callback_method: "POST",
    voice_caller_id_lookup: false,
    voice_fallback_method: "POST",
    voice_fallback_url: "",
    voice_method: "POST",
    voice_url: voiceUrl,
  };
}

function camel(name: string): string {
  return name.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
