/** What the webhooks answer alike, and the count of those that nobody waited for. */
import type { Log } from "../ports.ts";

export function twiml(xml: string): Response {
  return new Response(xml, { headers: { "content-type": "text/xml; charset=utf-8" } });
}

export function noContent(): Response {
  return new Response(null, { status: 204 });
}

export interface StrayOptions {
  readonly isOver: (callSid: string) => boolean;
  readonly log: Log;
}

/** Signed requests about calls that are unknown or over, or whose form cannot be read. */
export class StrayRequests {
  readonly #options: StrayOptions;
  readonly counters = { unknownCall: 0, malformed: 0 };

  constructor(options: StrayOptions) {
    this.#options = options;
  }

  unknown(hook: string, callSid: string): void {
    this.counters.unknownCall++;
    const over = this.#options.isOver(callSid);
    this.#options.log.info("twilio.unknown_call", { hook, callSid: callSid.slice(0, 40), over });
  }

  malformed(hook: string, issues: readonly string[]): Response {
    this.counters.malformed++;
    this.#options.log.warn("twilio.malformed", { hook, issues });
    return new Response(`${issues.join("\n")}\n`, { status: 400 });
  }
}
