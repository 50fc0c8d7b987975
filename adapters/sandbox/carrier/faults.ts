/** Faults on demand: what the carrier does wrong, and how often. All off at start. */
import { z } from "zod";
import type { Ids } from "../../../engine/ports.ts";

const rate = z.number().min(0).max(1);
const times = z.int().min(1).max(1_000_000).default(1);
const where = {
  times,
  /** Only requests whose path contains this. */
  match: z.string().optional(),
  method: z.enum(["GET", "POST", "DELETE"]).optional(),
  /** `after`: the request takes effect and only its answer is lost. */
  phase: z.enum(["before", "after"]).default("before"),
};
const restFault = z.strictObject({
  status: z.int().min(400).max(599),
  code: z.int().optional(),
  ...where,
});
const restTimeout = z.strictObject({
  /** How long the request is held before its connection is dropped. */
  holdMs: z.int().min(1).max(120000).default(60000),
  ...where,
});
const callbackFault = z.strictObject({
  dropRate: rate.default(0),
  duplicateRate: rate.default(0),
  /** Each delivery waits a random time in this range, so that neighbours change places. */
  delayMs: z.tuple([z.number().min(0), z.number().max(600000)]).default([0, 0]),
  /** Only callbacks with this event or status. */
  match: z.string().optional(),
});
const smsFault = z.strictObject({
  status: z.enum(["undelivered", "failed"]),
  errorCode: z.int().default(30003),
  times,
});

export const faultsSchema = z.strictObject({
  /** Clears everything set before; then the other keys apply. */
  reset: z.boolean().optional(),
  rest: z.union([restFault, z.array(restFault).max(100)]).nullish(),
  restTimeout: z.union([restTimeout, z.array(restTimeout).max(100)]).nullish(),
  /** The same for `/sandbox/push/{name}`. */
  push: z.union([restFault, z.array(restFault).max(100)]).nullish(),
  pushTimeout: z.union([restTimeout, z.array(restTimeout).max(100)]).nullish(),
  callbacks: callbackFault.nullish(),
  marks: z.strictObject({ lossRate: rate }).nullish(),
  /** One-way delay of media between the carrier and a stream's server, for streams opened from now on. */
  mediaDelayMs: z.number().min(0).max(10000).optional(),
  /** Each such message takes up to this much longer, at random; order is kept, as TCP does. */
  mediaJitterMs: z.number().min(0).max(10000).optional(),
  /** Cuts the sockets of live media streams: all of them, or that of one call. */
  mediaDrop: z.union([z.literal(true), z.string()]).optional(),
  sms: smsFault.nullish(),
});
export type FaultsPatch = z.input<typeof faultsSchema>;

export type RequestTrouble =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly code: number;
      readonly phase: "before" | "after";
    }
  | { readonly kind: "timeout"; readonly holdMs: number; readonly phase: "before" | "after" };

type Counted<T> = T & { left: number };
interface Where {
  readonly match?: string | undefined;
  readonly method?: string | undefined;
  readonly phase: "before" | "after";
  left: number;
}

export class Faults {
  readonly #ids: Ids;
  readonly #rest = new RequestFaults();
  readonly #push = new RequestFaults();
  #callbacks: z.output<typeof callbackFault> | null = null;
  #sms: Counted<z.output<typeof smsFault>> | null = null;
  #markLossRate = 0;
  #mediaDelayMs = 0;
  #mediaJitterMs = 0;
  /** Set by the carrier: cuts the media sockets of one call, or of all. */
  onMediaDrop: (callSid: string | null) => void = () => undefined;

  constructor(ids: Ids) {
    this.#ids = ids;
  }

  get markLossRate(): number {
    return this.#markLossRate;
  }

  get mediaDelayMs(): number {
    return this.#mediaDelayMs;
  }

  get mediaJitterMs(): number {
    return this.#mediaJitterMs;
  }

  /** Adds to or replaces what is set, key by key; `null` switches a key off. Throws a `ZodError`. */
  set(patch: FaultsPatch): void {
    const next = faultsSchema.parse(patch);
    if (next.reset) this.reset();
    this.#rest.set(next.rest, next.restTimeout);
    this.#push.set(next.push, next.pushTimeout);
    if (next.callbacks !== undefined) this.#callbacks = next.callbacks;
    if (next.marks !== undefined) this.#markLossRate = next.marks?.lossRate ?? 0;
    if (next.mediaDelayMs !== undefined) this.#mediaDelayMs = next.mediaDelayMs;
    if (next.mediaJitterMs !== undefined) this.#mediaJitterMs = next.mediaJitterMs;
    if (next.sms !== undefined) this.#sms = next.sms ? { ...next.sms, left: next.sms.times } : null;
    if (next.mediaDrop !== undefined) this.onMediaDrop(next.mediaDrop === true ? null : next.mediaDrop);
  }

  reset(): void {
    this.#rest.set(null, null);
    this.#push.set(null, null);
    this.#callbacks = null;
    this.#sms = null;
    this.#markLossRate = 0;
    this.#mediaDelayMs = 0;
    this.#mediaJitterMs = 0;
  }

  /** What goes wrong with this REST request, if anything. */
  takeRest(method: string, path: string): RequestTrouble | null {
    return this.#rest.take(method, path);
  }

  /** The same for a push. */
  takePush(method: string, path: string): RequestTrouble | null {
    return this.#push.take(method, path);
  }

  /** The delays after which a callback is delivered: none when it is lost, two when it comes twice. */
  deliveries(event: string): readonly number[] {
    const fault = this.#callbacks;
    if (!fault || (fault.match !== undefined && !event.includes(fault.match))) return [0];
    if (this.#ids.random() < fault.dropRate) return [];
    const [min, max] = fault.delayMs;
    const delay = (): number => min + this.#ids.random() * Math.max(0, max - min);
    return this.#ids.random() < fault.duplicateRate ? [delay(), delay()] : [delay()];
  }

  takeSms(): { readonly status: "undelivered" | "failed"; readonly errorCode: number } | null {
    if (!this.#sms || this.#sms.left <= 0) return null;
    this.#sms.left--;
    return this.#sms;
  }
}

class RequestFaults {
  #faults: Counted<z.output<typeof restFault>>[] = [];
  #timeouts: Counted<z.output<typeof restTimeout>>[] = [];

  /** `undefined` leaves what is set. */
  set(
    faults: z.output<typeof faultsSchema>["rest"],
    timeouts: z.output<typeof faultsSchema>["restTimeout"],
  ): void {
    if (faults !== undefined) this.#faults = counted(faults);
    if (timeouts !== undefined) this.#timeouts = counted(timeouts);
  }

  take(method: string, path: string): RequestTrouble | null {
    const timeout = take(this.#timeouts, method, path);
    if (timeout) return { kind: "timeout", holdMs: timeout.holdMs, phase: timeout.phase };
    const fault = take(this.#faults, method, path);
    if (!fault) return null;
    // Twilio never processes a request that it answers with 429 (error 20429).
    const phase = fault.status === 429 ? "before" : fault.phase;
    return { kind: "status", status: fault.status, code: fault.code ?? defaultCode(fault.status), phase };
  }
}

function counted<T extends { times: number }>(value: T | T[] | null): Counted<T>[] {
  const list = value === null ? [] : Array.isArray(value) ? value : [value];
  return list.map((fault) => ({ ...fault, left: fault.times }));
}

function take<T extends Where>(faults: T[], method: string, path: string): T | null {
  const index = faults.findIndex(
    (f) =>
      (f.match === undefined || path.includes(f.match)) && (f.method === undefined || f.method === method),
  );
  const fault = faults[index];
  if (!fault) return null;
  if (--fault.left <= 0) faults.splice(index, 1);
  return fault;
}

function defaultCode(status: number): number {
  return status === 429 ? 20429 : status >= 500 ? 20500 : 20001;
}
