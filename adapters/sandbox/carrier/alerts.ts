import type { Clock, Log } from "../../../engine/ports.ts";

/** One entry of what Twilio calls the debugger: a mistake of the customer's side, by error code. */
export interface Alert {
  readonly code: number;
  readonly message: string;
  readonly callSid: string | null;
  readonly at: string;
}

const KEPT = 200;

/** The last {@link KEPT} alerts, oldest first; older ones are dropped but stay counted. */
export class Alerts {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #kept: Alert[] = [];
  #total = 0;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  get total(): number {
    return this.#total;
  }

  raise(code: number, message: string, callSid: string | null = null): void {
    this.#total++;
    this.#kept.push({ code, message, callSid, at: new Date(this.#clock.now()).toISOString() });
    if (this.#kept.length > KEPT) this.#kept.shift();
    this.#log.warn("carrier.alert", { code, callSid });
    this.#log.debug("carrier.alert.text", { code, callSid, message });
  }

  list(): readonly Alert[] {
    return [...this.#kept];
  }
}

/** A mistake of the customer's that ends what was being done: `code` is Twilio's. */
export class CarrierAlert extends Error {
  override readonly name = "CarrierAlert";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}
