/** What can be made to go wrong, set by code or by `POST /sandbox/faults`. */
import { z } from "zod";
import type { AudioFormat } from "./wire.ts";

/** How often a fault strikes before it is gone; without it, until it is cleared. */
const times = z.int().min(1).optional();
const delay = z.int().min(0).max(600_000).nullable();

const closeCode = z.union([z.literal([1000, 1001, 1008, 1011, 1012, 1013]), z.int().min(3000).max(4999)]);

export const faultsSchema = z.strictObject({
  /** Answer upgrades with this HTTP status. */
  refuseUpgrade: z.strictObject({ status: z.int().min(400).max(599), times }).nullable(),
  /** Close a session's socket: after so many ms (0 = at once) or appends. `code` null = no close frame. */
  close: z
    .strictObject({
      afterMs: z.int().min(0).max(3_600_000).optional(),
      afterAppends: z.int().min(1).optional(),
      code: closeCode.nullable().default(1011),
      times,
    })
    .refine((c) => (c.afterMs === undefined) !== (c.afterAppends === undefined), {
      message: "give either afterMs or afterAppends",
    })
    .nullable(),
  /** `session.updated` shows this format both ways, and the session uses it. */
  echoFormat: z.enum(["audio/pcm", "audio/pcmu", "audio/pcma"] satisfies AudioFormat[]).nullable(),
  /** `session.update` is never answered and has no effect. */
  ignoreSessionUpdate: z.boolean(),
  /** Responses end with `response.done` status `failed` and no `error` event. */
  failResponse: z.strictObject({ code: z.string(), message: z.string().default(""), times }).nullable(),
  /** Asking for a response gets an `error` event of type `server_error` instead. */
  serverError: z.strictObject({ times }).nullable(),
  /** Instead of the usual think time. */
  firstAudioDelayMs: delay,
  /** Instead of the usual time between two deltas: long ones keep a response active while it is heard. */
  deltaIntervalMs: delay,
  /** Handles one client message per this many ms. */
  slowReaderMs: delay,
  /** What `POST /v1/responses` gives instead of its answer; `hang`: nothing, until the client gives up. */
  textResponse: z
    .strictObject({
      kind: z.enum(["error", "refusal", "incomplete", "failed", "garbage", "hang"]),
      /** Of an `error`. */
      status: z.int().min(400).max(599).default(500),
      times,
    })
    .nullable(),
  /** Transcriptions of the caller end in `…transcription.failed`. */
  failTranscription: z.boolean(),
});

export type Faults = z.output<typeof faultsSchema>;
export type FaultsPatch = Partial<z.input<typeof faultsSchema>>;

const NONE: Faults = {
  refuseUpgrade: null,
  close: null,
  echoFormat: null,
  ignoreSessionUpdate: false,
  failResponse: null,
  serverError: null,
  firstAudioDelayMs: null,
  deltaIntervalMs: null,
  slowReaderMs: null,
  textResponse: null,
  failTranscription: false,
};

type Counted = "refuseUpgrade" | "close" | "failResponse" | "serverError" | "textResponse";

export class FaultBox {
  #faults: Faults = NONE;

  get current(): Faults {
    return this.#faults;
  }

  /** Changes the named faults and leaves the others. Throws a `ZodError` naming what is wrong. */
  set(patch: FaultsPatch): void {
    const given = Object.entries(faultsSchema.partial().parse(patch)).filter(([, v]) => v !== undefined);
    this.#faults = { ...this.#faults, ...(Object.fromEntries(given) as Partial<Faults>) };
  }

  clear(): void {
    this.#faults = NONE;
  }

  /** The fault if it strikes now; one of its `times` is used up. */
  take<K extends Counted>(name: K): Faults[K] {
    const fault = this.#faults[name];
    if (!fault?.times) return fault;
    const left = fault.times > 1 ? { ...fault, times: fault.times - 1 } : null;
    this.#faults = { ...this.#faults, [name]: left };
    return fault;
  }
}
