/**
 * Rows handed on over HTTP: one signed `POST` of JSON. The signature covers the time and the body as it is sent, so
 * that what is recorded on the way cannot be sent again later, nor changed.
 */
import { createHmac } from "node:crypto";
import { PushError } from "../../engine/errors.ts";
import { type Network, systemNetwork } from "../../engine/platform/network.ts";
import type { Clock } from "../../engine/ports.ts";
import type { WebhookSender } from "../../engine/postcall-port.ts";
import { postOnce, unreachable } from "./post.ts";
import { type Resolve, systemResolve } from "./receiver.ts";

export interface WebhookOptions {
  readonly secret: string;
  readonly clock: Clock;
  /** For one attempt, its name look-up included. */
  readonly timeoutMs: number;
  readonly resolve?: Resolve;
  readonly network?: Pick<Network, "fetch">;
}

const NEVER = new AbortController().signal;

export function createWebhookSender(options: WebhookOptions): WebhookSender {
  const { secret, clock } = options;
  const post = { resolve: systemResolve, network: systemNetwork, ...options };
  return {
    send: async ({ url, eventId, body }, signal = NEVER) => {
      const headers = {
        "tandem-event-id": eventId,
        "tandem-signature": signatureOf(secret, Math.floor(clock.now() / 1000), body),
      };
      try {
        await postOnce({ url, headers, body }, post, signal);
      } catch (error) {
        throw error instanceof PushError ? error : unreachable();
      }
    },
  };
}

/** `t=<seconds since 1970>,v1=<HMAC-SHA256 in hex>`, over the time as it stands there, a full stop and the body. */
function signatureOf(secret: string, atS: number, body: string): string {
  const mac = createHmac("sha256", secret).update(`${atS}.${body}`).digest("hex");
  return `t=${atS},v1=${mac}`;
}
