/** Status callbacks: fire and forget, each its own HTTP request, in no guaranteed order. */
import type { Ids, Log } from "../../../engine/ports.ts";
import { CarrierAlert, type Alerts } from "./alerts.ts";
import type { Faults } from "./faults.ts";
import type { Tally } from "./tally.ts";
import type { Timers } from "./timers.ts";
import type { Fields, HttpMethod } from "./types.ts";
import type { Webhooks } from "./webhooks.ts";

export interface CallbackTarget {
  readonly url: string;
  readonly method: HttpMethod;
}

export interface Callback {
  readonly target: CallbackTarget;
  readonly fields: Fields;
  readonly product: "voice" | "sms";
  /** What fault rules match on: the event's or the status' name. */
  readonly event: string;
  readonly callSid: string | null;
}

/** More deliveries than this at once are not accepted: the newest is dropped and counted. */
const MAX_PENDING = 5000;

export class Callbacks {
  readonly #webhooks: Webhooks;
  readonly #timers: Timers;
  readonly #faults: Faults;
  readonly #alerts: Alerts;
  readonly #tally: Tally;
  readonly #ids: Ids;
  readonly #log: Log;
  readonly #live = new Set<Promise<void>>();
  #delayed = 0;
  #stopped = false;

  constructor(parts: {
    webhooks: Webhooks;
    timers: Timers;
    faults: Faults;
    alerts: Alerts;
    tally: Tally;
    ids: Ids;
    log: Log;
  }) {
    this.#webhooks = parts.webhooks;
    this.#timers = parts.timers;
    this.#faults = parts.faults;
    this.#alerts = parts.alerts;
    this.#tally = parts.tally;
    this.#ids = parts.ids;
    this.#log = parts.log;
  }

  get pending(): number {
    return this.#live.size + this.#delayed;
  }

  send(callback: Callback): void {
    if (this.#stopped) return;
    const delays = this.#faults.deliveries(callback.event);
    if (delays.length === 0) this.#tally.add("callback.dropped_by_fault");
    if (delays.length > 1) this.#tally.add("callback.duplicated_by_fault");
    // A repetition is one request delivered twice, hence one token for both.
    const token = this.#ids.token();
    for (const delayMs of delays) {
      if (this.pending >= MAX_PENDING) {
        this.#tally.add("callback.overflow");
        continue;
      }
      if (delayMs > 0) this.#later(delayMs, callback, token);
      else this.#now(callback, token);
    }
  }

  /** What has not been delivered will not be; resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#delayed = 0;
    await Promise.all(this.#live);
  }

  #later(delayMs: number, callback: Callback, token: string): void {
    this.#delayed++;
    this.#timers.after(delayMs, () => {
      this.#delayed--;
      this.#now(callback, token);
    });
  }

  #now(callback: Callback, token: string): void {
    if (this.#stopped) return;
    const delivery = this.#deliver(callback, token).finally(() => this.#live.delete(delivery));
    this.#live.add(delivery);
  }

  /** Never rejects. */
  async #deliver(callback: Callback, token: string): Promise<void> {
    try {
      await this.#webhooks.request({
        ...callback.target,
        fields: callback.fields,
        product: callback.product,
        idempotencyToken: token,
      });
      this.#tally.add("callback.delivered");
    } catch (error) {
      if (this.#stopped) return;
      this.#tally.add("callback.failed");
      if (error instanceof CarrierAlert) this.#alerts.raise(error.code, error.message, callback.callSid);
      else this.#log.error("carrier.callback.crashed", { error: String(error) });
    }
  }
}
