/** Twilio's webhooks and the ack pages, signed and unsigned, over raw HTTP. */
import { AckTokens } from "../../engine/http/ack-tokens.ts";
import { signTwilioRequest } from "../../engine/http/twilio-signature.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { parseXml } from "../../adapters/sandbox/carrier/twiml/xml.ts";
import type { Dice } from "../sim/dice.ts";
import { ACCOUNT, CALLER, NUMBER, ON_CALL } from "../support/world.ts";
import { Broken, count, type Edge, type Input } from "./edge.ts";
import { INJECTED, mangleBytes, mangleText, oneOf, scrap, shown } from "./mangle.ts";
import { type Answer, rawRequest } from "./raw.ts";
import type { Target } from "./target.ts";

/** Calls that are begun at the same time, and for how many inputs they are spoken of. */
const CALLS = 8;
const EPOCH = 400;

export function sidOf(prefix: string, number: number): string {
  return prefix + number.toString(16).padStart(32, "0");
}

function callAt(dice: Dice, at: number): string {
  return sidOf("CA", (1 + Math.floor(at / EPOCH)) * CALLS + dice.between(0, CALLS - 1));
}

type Fields = [name: string, value: string][];
type Weighted<T> = readonly (readonly [number, T])[];

const CONFERENCE_EVENTS: Weighted<string> = [
  [6, "participant-join"],
  [2, "participant-leave"],
  [1, "participant-modify"],
  [1, "participant-mute"],
  [1, "conference-start"],
  [1, "conference-end"],
  [1, "announcement-end"],
];
const STATUSES: Weighted<string> = [
  [3, "in-progress"],
  [2, "ringing"],
  [1, "completed"],
  [1, "busy"],
  [1, "no-answer"],
  [1, "failed"],
];
const LABELS = ["caller", "ai-1", "ai-2", "human-1", "human-2", "human-1/x", ""];

/** Every webhook with what Twilio sends to it. Weights: those that begin calls come oftenest. */
const HOOKS: Weighted<string> = [
  [6, "voice"],
  [2, "ai-leg"],
  [2, "after-stream"],
  [6, "conference"],
  [3, "leg-status"],
  [1, "stream-status"],
  [2, "after-dial"],
  [1, "after-fallback"],
  [1, "goodbye"],
  [2, "human"],
  [3, "human-key"],
  [2, "human-after-dial"],
  [2, "human-menu"],
  [3, "sms"],
  [1, "message-status"],
];

function fieldsOf(dice: Dice, hook: string, callSid: string): Fields {
  const fields: Record<string, string> = {
    AccountSid: ACCOUNT.accountSid,
    ApiVersion: "2010-04-01",
    CallSid: hook === "voice" || dice.chance(0.5) ? callSid : sidOf("CA", dice.between(1, 99)),
    From: CALLER,
    To: NUMBER,
    CallStatus: dice.pick(...STATUSES),
    Direction: "inbound",
    SequenceNumber: String(dice.between(0, 6)),
    Timestamp: "Thu, 26 Nov 2026 21:00:00 +0000",
  };
  if (hook === "conference") {
    fields["ConferenceSid"] = sidOf("CF", dice.between(1, 3));
    fields["FriendlyName"] = `af-${callSid}`;
    fields["StatusCallbackEvent"] = dice.pick(...CONFERENCE_EVENTS);
    fields["ParticipantLabel"] = oneOf(dice, LABELS);
    for (const name of ["Muted", "Hold", "Coaching"]) fields[name] = oneOf(dice, ["true", "false"]);
    fields["ReasonParticipantLeft"] = "participant_hung_up";
  }
  if (hook.startsWith("human")) {
    fields["Digits"] = oneOf(dice, ["1", "2", "3", "*", "0", ""]);
    fields["AnsweredBy"] = oneOf(dice, ["human", "machine_start", "unknown"]);
  }
  if (hook === "sms" || hook === "message-status") {
    fields["MessageSid"] = sidOf("SM", dice.between(1, 50));
    fields["From"] = oneOf(dice, [CALLER, ON_CALL]);
    fields["Body"] = oneOf(dice, ["1", "ack", "no", "yes 1234", "help", "2 0000"]);
    fields["NumMedia"] = "0";
    fields["MessageStatus"] = oneOf(dice, ["sent", "delivered", "failed", "undelivered"]);
    fields["ErrorCode"] = "30003";
  }
  if (hook === "stream-status") {
    fields["StreamSid"] = sidOf("MZ", 1);
    fields["StreamEvent"] = oneOf(dice, ["stream-started", "stream-stopped", "stream-error"]);
    fields["StreamError"] = scrap(dice);
  }
  if (hook === "after-fallback" || hook.endsWith("after-dial"))
    fields["DialCallStatus"] = oneOf(dice, ["completed", "no-answer", "busy"]);
  return Object.entries(fields);
}

function mangleFields(dice: Dice, fields: Fields): Fields {
  const at = dice.between(0, fields.length - 1);
  const [name, value] = fields[at] as [string, string];
  const others = fields.filter((_, i) => i !== at);
  const change = dice.between(0, 5);
  if (change === 0) return others;
  if (change === 1) return [...fields, [name, scrap(dice)]];
  if (change === 2) return [[name, mangleText(dice, value)], ...fields];
  if (change === 3) return [...others, [name, scrap(dice)]];
  if (change === 4) return [...fields, [scrap(dice), scrap(dice)]];
  return [...others, [name, mangleText(dice, value)]];
}

/** A request before it is signed. */
interface Draft {
  method: string;
  path: string;
  body: Buffer;
  headers: [string, string][];
  sign: "right" | "wrong" | "none" | "other" | "huge";
  /** The length that it says, when it is another than the body's. */
  claims: number | null;
  chunked: boolean;
  cutAt: number;
  dropAfter: number | null;
}

function draftOf(dice: Dice, at: number): Draft {
  const callSid = callAt(dice, at);
  const hook = dice.pick(...HOOKS);
  let fields = fieldsOf(dice, hook, callSid);
  const changes = dice.pick([4, 0], [4, 1], [2, 2], [1, 5]);
  for (let i = 0; i < changes; i++) fields = mangleFields(dice, fields);
  let query = `?call=${callSid}&label=${encodeURIComponent(oneOf(dice, LABELS))}&round=${dice.between(1, 3)}`;
  if (dice.chance(0.12)) query = queryOf(dice, query);
  const draft: Draft = {
    method: "POST",
    path: `/twilio/${hook}${query}`,
    body: Buffer.from(encoded(dice, fields), "latin1"),
    headers: [["Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"]],
    sign: dice.pick([16, "right"], [1, "wrong"], [1, "none"], [1, "other"], [1, "huge"]),
    claims: null,
    chunked: false,
    cutAt: dice.chance(0.1) ? dice.between(1, 200) : 0,
    dropAfter: null,
  };
  if (dice.chance(0.2)) roughen(dice, draft);
  return draft;
}

/** Percent-encoded, at times badly: what is written straight into the request has no line breaks of its own. */
function encoded(dice: Dice, fields: Fields): string {
  const text = new URLSearchParams(
    fields.map(([name, value]): [string, string] => [name, value.toWellFormed()]),
  ).toString();
  if (!dice.chance(0.1)) return text;
  return oneOf(dice, [
    text.replaceAll("%2B", "+"),
    text.replace("%", "%%"),
    text.replaceAll(/%(.)(.)/g, "%u00$1$2"),
    `${text}&=&&%&%zz=%ff%fe&a[]=1&a[b]=2`,
    text.replace("&", ";"),
    `${"a=b&".repeat(15_000)}${text}`,
    JSON.stringify(Object.fromEntries(fields)),
    `--x\r\nContent-Disposition: form-data; name="CallSid"\r\n\r\nCA\r\n--x--`,
  ]);
}

function queryOf(dice: Dice, query: string): string {
  const safe = encodeURIComponent(scrap(dice).toWellFormed()).slice(0, 6000);
  return oneOf(dice, [
    "",
    "?",
    `?call=${safe}`,
    `${query}&call=${safe}`,
    query.replace(/label=[^&]*/, `label=${safe}`),
    query.replace(/round=\d+/, `round=${safe}`),
    `${query}&bodySHA256=${safe}`,
    query.replaceAll("=", "%3D"),
    `?call=%ff%fe&label=%`,
  ]);
}

/** What only whoever does not speak HTTP as Twilio does would send. */
function roughen(dice: Dice, draft: Draft): void {
  const change = dice.between(0, 9);
  if (change === 0) draft.body = mangleBytes(dice, draft.body);
  else if (change === 1) draft.headers[0] = ["Content-Type", oneOf(dice, TYPES)];
  else if (change === 2) draft.claims = Math.max(0, draft.body.length - dice.between(1, 20));
  else if (change === 3) draft.dropAfter = dice.between(1, draft.body.length + 200);
  else if (change === 4) draft.chunked = true;
  else if (change === 5) draft.method = oneOf(dice, ["GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]);
  else if (change === 6) draft.path = oneOf(dice, PATHS) + draft.path.replace(/^[^?]*/, "");
  else if (change === 7) draft.headers.push(["I-Twilio-Idempotency-Token", headerText(scrap(dice))]);
  else if (change === 8) draft.headers.push(["X-Filler", "x".repeat(dice.between(1, 30_000))]);
  else draft.body = Buffer.alloc(70_000, "a=b&");
}

const TYPES = ["application/json", "multipart/form-data; boundary=x", "text/xml", "", "x/y; charset=utf-16"];
const PATHS = [
  "/twilio/",
  "/twilio//voice",
  "/twilio/voice/",
  "/twilio/VOICE",
  "/twilio/../twilio/voice",
  "/twilio/%76oice",
  "/twilio/constructor",
  "/twilio/media",
  "//twilio/voice",
  "/",
  "/metrics",
  "/readyz",
];

export function headerText(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]/g, "?").slice(0, 8000);
}

function ackDraft(dice: Dice, at: number): Draft {
  const good = dice.chance(0.6);
  // The engine's, which a fuzzer of its own engine may know.
  const secret = dice.chance(0.9) ? ACCOUNT.authToken : "another";
  const tokens = new AckTokens({ secret, clock: systemClock });
  const token = tokens.issue(
    callAt(dice, at),
    oneOf(dice, ["human-1", "human-2", "__proto__", "x".repeat(40)]),
  );
  const wrong = encodeURIComponent(mangleText(dice, token).toWellFormed()).slice(0, 6000);
  const accept = oneOf(dice, ["text/html", "application/json", "*/*"]);
  return {
    method: dice.pick([4, "POST"], [3, "GET"], [1, "HEAD"], [1, "PUT"]),
    path: `/ack/${good ? token : wrong}`,
    body: Buffer.from(dice.pick([4, "decline=1"], [4, ""], [1, "x".repeat(5000)], [1, "%&decline=%zz"])),
    headers: [["Accept", accept]],
    sign: "none",
    claims: null,
    chunked: dice.chance(0.1),
    cutAt: dice.chance(0.1) ? dice.between(1, 100) : 0,
    dropAfter: dice.chance(0.05) ? dice.between(1, 100) : null,
  };
}

function signatureOf(draft: Draft, target: Target): string | null {
  if (draft.sign === "none") return null;
  if (draft.sign === "huge") return "A".repeat(9000);
  const url = `${target.origin}${draft.path}`;
  const params = new URLSearchParams(draft.body.toString("utf8"));
  const authToken = draft.sign === "wrong" ? "another" : target.authToken;
  return signTwilioRequest({ authToken, url: draft.sign === "other" ? `${url}x` : url, params });
}

function bytesOf(draft: Draft, target: Target): Buffer {
  const { method, path, body, headers, claims, chunked } = draft;
  const signature = signatureOf(draft, target);
  const length = chunked
    ? "Transfer-Encoding: chunked"
    : `Content-Length: ${claims === null ? body.length : claims}`;
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${target.port}`,
    "Connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(signature === null ? [] : [`X-Twilio-Signature: ${signature}`]),
    length,
  ];
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  if (!chunked) return Buffer.concat([head, body]);
  const size = Buffer.from(`${body.length.toString(16)}\r\n`);
  const rest = body.length === 0 ? "0\r\n\r\n" : "\r\n0\r\n\r\n";
  return Buffer.concat([
    head,
    body.length === 0 ? Buffer.alloc(0) : Buffer.concat([size, body]),
    Buffer.from(rest),
  ]);
}

/** What may be answered to anything at all. */
export function checkAnswer(answer: Answer | null, target: Target): void {
  if (!answer) return;
  const { status, head, body } = answer;
  if (status < 200 || status === 500 || status > 505) throw new Broken(`the answer is ${status}: ${body}`);
  if (/^x-injected/im.test(head)) throw new Broken("a header was injected");
  target.look(head);
  target.look(body);
  if (!/^content-type: text\/xml/im.test(head)) return;
  if (new RegExp(`<${INJECTED}|<[^>]* ${INJECTED}=`).test(body)) throw new Broken(`not escaped: ${body}`);
  try {
    parseXml(body);
  } catch (error) {
    throw new Broken(`the TwiML is not well-formed (${String(error)}): ${body}`);
  }
}

export function createWebhookEdge(): Edge {
  const depth: Record<string, number> = {};
  return {
    name: "webhooks",
    depth,
    warmUpInputs: 1000,
    together: 4,
    expected: [],
    draw: (dice, at) => inputOf(dice.chance(0.9) ? draftOf(dice, at) : ackDraft(dice, at), dice, depth),
    settle: endCalls,
  };
}

/** Nobody hangs up for the callers of whom the webhooks told. */
async function endCalls(target: Target): Promise<void> {
  const headers = { authorization: `Bearer ${target.consoleToken}` };
  const listed = await fetch(`${target.origin}/api/calls?limit=500`, { headers });
  const calls = (await listed.json()) as readonly {
    readonly callSid: string;
    readonly endedAt: string | null;
  }[];
  for (const { callSid } of calls.filter(({ endedAt }) => endedAt === null)) {
    const url = `${target.origin}/twilio/after-dial?call=${callSid}`;
    const params = new URLSearchParams({ CallSid: callSid, CallStatus: "completed" });
    const signature = signTwilioRequest({ authToken: target.authToken, url, params });
    await fetch(url, { method: "POST", body: params, headers: { "x-twilio-signature": signature } });
  }
}

function inputOf(draft: Draft, dice: Dice, depth: Record<string, number>): Input {
  const from = `127.0.0.${dice.between(10, 99)}`;
  return {
    shown: () => shown({ ...draft, body: draft.body.toString("latin1") }),
    send: async (target) => {
      const { cutAt, dropAfter, sign, path } = draft;
      const options = { cutAt, ...(dropAfter === null ? {} : { dropAfter }) };
      const answer = await rawRequest(bytesOf(draft, target), { port: target.port, from }, options);
      checkAnswer(answer, target);
      count(depth, answer ? String(answer.status) : "closed");
      if (answer && answer.status < 300 && sign !== "right" && path.startsWith("/twilio/"))
        throw new Broken(`a request that is not signed rightly is answered ${answer.status}`);
    },
  };
}
