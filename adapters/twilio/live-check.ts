/**
 * Whether the account, the TwiML App and the number lead calls to the engine. Plain requests, one each: what is
 * wrong is to be seen, and not to be repeated until it passes.
 */
import { z } from "zod";
import type { LiveCheck, LiveFinding } from "../../engine/live-check-port.ts";
import type { Network } from "../../engine/platform/network.ts";
import { restCredentials, type TwilioCarrierOptions } from "./carrier.ts";
import { resolveEndpoint } from "./endpoint.ts";

export interface TwilioLiveCheckOptions extends Pick<
  TwilioCarrierOptions,
  "accountSid" | "authToken" | "apiKey" | "apiSecret" | "region" | "edge" | "baseUrl"
> {
  readonly twimlAppSid: string;
  /** E.164. */
  readonly number: string;
  /** Origin that Twilio reaches, without a trailing slash. */
  readonly publicUrl: string;
  /** Whether anybody is paged by text: their replies come to the number. */
  readonly texts: boolean;
  readonly network: Network;
}

const url = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const Account = z.looseObject({ status: z.string(), type: z.string().optional() });
const App = z.looseObject({ voice_url: url, voice_method: url });
const PhoneNumber = z.looseObject({
  voice_url: url,
  voice_method: url,
  voice_fallback_url: url,
  voice_application_sid: url,
  trunk_sid: url,
  sms_url: url,
  sms_application_sid: url,
});
const Numbers = z.looseObject({ incoming_phone_numbers: z.array(PhoneNumber) });

export function twilioLiveCheck(options: TwilioLiveCheckOptions): LiveCheck {
  return {
    part: "carrier",
    run: async (signal) => {
      // The account itself is not shown to an API key, and webhooks are signed with the token in any case.
      const account = await accountFindings(options, signal);
      if (account.some(({ level }) => level === "mistake")) return account;
      const others = await Promise.all([appFindings(options, signal), numberFindings(options, signal)]);
      return [...account, ...others.flat()];
    },
  };
}

const mistake = (text: string, fix: string): LiveFinding => ({ level: "mistake", text, fix });
const warning = (text: string, fix: string): LiveFinding => ({ level: "warning", text, fix });

async function accountFindings(options: TwilioLiveCheckOptions, signal: AbortSignal): Promise<LiveFinding[]> {
  const { accountSid, authToken } = options;
  const account = await ask(options, signal, "", Account, [accountSid, authToken]);
  if ("problem" in account) return [mistake(`the account ${account.problem}`, account.fix)];
  const { status, type } = account.found;
  if (status !== "active") return [mistake(`the account is ${status}`, "see the Twilio console for why")];
  const found: LiveFinding[] = [{ level: "ok", text: `account ${accountSid.slice(0, 6)}… is active` }];
  if (type === "Trial") {
    const fix = "upgrade the account, or verify the numbers of all who are paged";
    found.push(warning("the account is a trial: it calls and texts verified numbers only", fix));
  }
  return found;
}

async function appFindings(options: TwilioLiveCheckOptions, signal: AbortSignal): Promise<LiveFinding[]> {
  const { twimlAppSid, publicUrl } = options;
  const app = await ask(options, signal, `/Applications/${twimlAppSid}`, App, restCredentials(options));
  if ("problem" in app) return [mistake(`the TwiML App (TWILIO_TWIML_APP_SID) ${app.problem}`, app.fix)];
  const wanted = `${publicUrl}/twilio/ai-leg`;
  return leadsTo("the TwiML App's voice URL", app.found.voice_url, app.found.voice_method, wanted);
}

async function numberFindings(options: TwilioLiveCheckOptions, signal: AbortSignal): Promise<LiveFinding[]> {
  const { number, publicUrl, texts } = options;
  const path = "/IncomingPhoneNumbers";
  const listed = await ask(options, signal, path, Numbers, restCredentials(options), { PhoneNumber: number });
  if ("problem" in listed) return [mistake(`the list of numbers ${listed.problem}`, listed.fix)];
  const [first] = listed.found.incoming_phone_numbers;
  if (!first) {
    return [mistake("TWILIO_NUMBER is not a number of this account", "give one that is, or buy it there")];
  }
  const what = "the number's voice URL";
  const found = leadsTo(what, first.voice_url, first.voice_method, `${publicUrl}/twilio/voice`);
  const shadow = first.trunk_sid || first.voice_application_sid;
  if (shadow !== "") {
    const problem = `the number is given to ${shadow.slice(0, 6)}…, so that its voice URL is not asked`;
    found.push(mistake(problem, "take the SIP trunk or TwiML App off the number"));
  }
  if (first.voice_fallback_url === "") {
    const problem = "the number has no fallback URL: when no engine answers, callers hear Twilio's own error";
    found.push(warning(problem, "give it a TwiML Bin with an apology and a number that is answered"));
  }
  if (texts && (first.sms_application_sid !== "" || first.sms_url !== `${publicUrl}/twilio/sms`)) {
    const problem = "the number's messaging URL does not lead here: replies to texts are lost";
    found.push(warning(problem, `set it to ${publicUrl}/twilio/sms, HTTP POST`));
  }
  return found;
}

function leadsTo(what: string, url_: string, method: string, wanted: string): LiveFinding[] {
  const fix = `set it to ${wanted}, HTTP POST`;
  // What stands there may hold a secret of somebody else's.
  if (url_ === "") return [mistake(`${what} is empty`, fix)];
  if (url_ !== wanted) return [mistake(`${what} leads elsewhere`, fix)];
  if (method !== "POST") return [mistake(`${what} is asked by ${method}`, "choose HTTP POST")];
  return [{ level: "ok", text: `${what} is ${wanted}` }];
}

type Asked<T> = { readonly found: T } | { readonly problem: string; readonly fix: string };

async function ask<T>(
  options: TwilioLiveCheckOptions,
  signal: AbortSignal,
  path: string,
  schema: z.ZodType<T>,
  [user, password]: readonly [string, string],
  query: Readonly<Record<string, string>> = {},
): Promise<Asked<T>> {
  const at = new URL(`${resolveEndpoint(options)}/2010-04-01/Accounts/${options.accountSid}${path}.json`);
  for (const [name, value] of Object.entries(query)) at.searchParams.set(name, value);
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const init: RequestInit = { headers: { authorization }, redirect: "manual", signal };
  const answer = await options.network.fetch(at.href, init).catch(() => null);
  if (!answer)
    return { problem: "could not be asked: no answer came", fix: `see that this machine reaches ${at.host}` };
  const { status } = answer;
  if (status === 401 || status === 403) {
    const whose = user.startsWith("SK") ? "TWILIO_API_KEY and TWILIO_API_SECRET" : "TWILIO_AUTH_TOKEN";
    const fix = `check ${whose}, and that they are of the region in TWILIO_REGION`;
    return { problem: `is refused with HTTP ${status}`, fix };
  }
  if (status === 404)
    return { problem: "was not found (HTTP 404)", fix: "copy its sid from the Twilio console" };
  if (status !== 200)
    return { problem: `is answered by HTTP ${status}`, fix: "try again, or see status.twilio.com" };
  const parsed = schema.safeParse(await answer.json().catch(() => null));
  if (parsed.success) return { found: parsed.data };
  return { problem: "is answered by something else than Twilio's API", fix: "check TWILIO_API_BASE_URL" };
}
