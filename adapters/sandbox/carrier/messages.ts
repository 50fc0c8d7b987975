/** SMS: out through the REST API, in from phones. */
import { CarrierAlert } from "./alerts.ts";
import { parseTwiml } from "./twiml/document.ts";
import { API_VERSION, E164, type Core, type Fields } from "./types.ts";
import { errorText } from "../../../engine/errors.ts";

export interface Message {
  readonly sid: string;
  readonly direction: "inbound" | "outbound-api" | "outbound-reply";
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly createdMs: number;
  updatedMs: number;
  sentMs: number | null;
  status: "queued" | "sent" | "delivered" | "undelivered" | "failed" | "received";
  errorCode: number | null;
}

/** Messages that can still be fetched; the oldest goes first. */
const MAX_MESSAGES = 1000;
/** From `queued` to `sent`, and from there to its end. */
const STEP_MS = 20;

export class Messages {
  readonly #core: Core;
  readonly #messages = new Map<string, Message>();

  constructor(core: Core) {
    this.#core = core;
    core.phones.onSms = (sms) => void this.#inbound(sms);
  }

  get(sid: string): Message | undefined {
    return this.#messages.get(sid);
  }

  /** Newest first. */
  all(): readonly Message[] {
    return [...this.#messages.values()].toReversed();
  }

  /** Queues a message and delivers it soon; `statusCallback` hears of each step. */
  send(
    sms: { readonly from: string; readonly to: string; readonly body: string },
    statusCallback: string | null,
    direction: "outbound-api" | "outbound-reply" = "outbound-api",
  ): Message {
    const message = this.#keep(sms, direction, "queued");
    this.#core.timers.after(STEP_MS, () => this.#sent(message, statusCallback));
    return message;
  }

  #sent(message: Message, statusCallback: string | null): void {
    const trouble = this.#core.faults.takeSms();
    if (trouble?.status === "failed") {
      this.#step(message, "failed", statusCallback, trouble.errorCode);
      return;
    }
    message.sentMs = this.#core.clock.now();
    this.#step(message, "sent", statusCallback, null);
    this.#core.timers.after(STEP_MS, () => {
      if (trouble) {
        this.#step(message, "undelivered", statusCallback, trouble.errorCode);
        return;
      }
      this.#core.phones.deliverSms({
        messageSid: message.sid,
        from: message.from,
        to: message.to,
        body: message.body,
      });
      this.#step(message, "delivered", statusCallback, null);
    });
  }

  #step(
    message: Message,
    status: Message["status"],
    statusCallback: string | null,
    code: number | null,
  ): void {
    message.status = status;
    message.errorCode = code;
    message.updatedMs = this.#core.clock.now();
    this.#core.tally.add(`sms.${status}`);
    if (statusCallback === null) return;
    const fields: [string, string][] = [
      ["AccountSid", this.#core.accountSid],
      ["ApiVersion", API_VERSION],
      ["From", message.from],
      ["To", message.to],
      ["MessageSid", message.sid],
      ["SmsSid", message.sid],
      ["MessageStatus", status],
      ["SmsStatus", status],
    ];
    if (code !== null) fields.push(["ErrorCode", String(code)]);
    if (status === "delivered" || status === "undelivered") fields.push(["RawDlrDoneDate", this.#dlrDate()]);
    this.#core.callbacks.send({
      target: { url: statusCallback, method: "POST" },
      fields,
      product: "sms",
      event: status,
      callSid: null,
    });
  }

  /** `YYMMDDhhmm` in UTC. */
  #dlrDate(): string {
    return new Date(this.#core.clock.now()).toISOString().replaceAll(/\D/g, "").slice(2, 12);
  }

  /** Never rejects: nobody waits for it. */
  async #inbound(sms: { readonly from: string; readonly to: string; readonly body: string }): Promise<void> {
    const core = this.#core;
    const number = core.routing.numbers.find((n) => n.number === sms.to);
    if (!number) {
      // From one phone of the sandbox to another.
      core.phones.deliverSms({ messageSid: core.ids.sid("SM"), ...sms });
      return;
    }
    const message = this.#keep(sms, "inbound", "received");
    core.tally.add("sms.received");
    if (number.smsUrl === undefined) {
      core.alerts.raise(11200, "an SMS came for a number that has no SMS URL");
      return;
    }
    try {
      const answer = await core.webhooks.request({
        url: number.smsUrl,
        method: "POST",
        fields: inboundFields(core, message),
        product: "sms",
      });
      const body = new TextDecoder().decode(answer.body);
      if (body.trim() !== "") this.#reply(message, body, answer.contentType);
    } catch (error) {
      if (error instanceof CarrierAlert) core.alerts.raise(error.code, error.message);
      else core.log.error("carrier.sms.crashed", { error: errorText(error) });
    }
  }

  #reply(message: Message, body: string, contentType: string): void {
    const core = this.#core;
    const back = { from: message.to, to: message.from };
    if (contentType === "text/plain") {
      this.send({ ...back, body }, null, "outbound-reply");
      return;
    }
    for (const verb of parseTwiml(body, (problem) => core.alerts.raise(12200, problem))) {
      if (verb.verb !== "Message") throw new CarrierAlert(12100, `<${verb.verb}> is not a verb of an SMS`);
      const to = verb.to !== null && E164.test(verb.to) ? verb.to : back.to;
      this.send({ from: back.from, to, body: verb.body }, null, "outbound-reply");
    }
  }

  #keep(
    sms: { readonly from: string; readonly to: string; readonly body: string },
    direction: Message["direction"],
    status: Message["status"],
  ): Message {
    const now = this.#core.clock.now();
    const message: Message = {
      sid: this.#core.ids.sid("SM"),
      direction,
      from: sms.from,
      to: sms.to,
      body: sms.body,
      createdMs: now,
      updatedMs: now,
      sentMs: null,
      status,
      errorCode: null,
    };
    this.#messages.set(message.sid, message);
    const oldest = this.#messages.keys().next();
    if (this.#messages.size > MAX_MESSAGES && !oldest.done) this.#messages.delete(oldest.value);
    return message;
  }
}

function inboundFields(core: Core, message: Message): Fields {
  const fields: [string, string][] = [
    ["AccountSid", core.accountSid],
    ["ApiVersion", API_VERSION],
    ["MessageSid", message.sid],
    ["SmsSid", message.sid],
    ["SmsMessageSid", message.sid],
    ["SmsStatus", "received"],
    ["From", message.from],
    ["To", message.to],
    ["Body", message.body],
    ["NumMedia", "0"],
    ["NumSegments", "1"],
  ];
  for (const place of ["From", "To"]) {
    fields.push([`${place}City`, ""], [`${place}State`, ""], [`${place}Zip`, ""], [`${place}Country`, "US"]);
  }
  return fields;
}
