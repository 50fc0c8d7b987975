import { z } from "zod";
import type { MixerRegion, ModelAudioFormat, TurnDetection } from "../ports.ts";
import type { DeepReadonly } from "./types.ts";
import { hostKind, parseHttpUrl } from "./addresses.ts";
import { EXAMPLE_AGENT, EXAMPLE_CALLER_TEXT, EXAMPLE_RUNGS } from "./example.ts";
import { fixWith } from "./issues.ts";
import { pricesSchema } from "./prices.ts";
import { BUILT_IN_SLOTS, SLOT_TYPES } from "../postcall/schema.ts";

/** E.164 by pattern and nothing stricter. */
export const E164 = /^\+[1-9]\d{1,14}$/;

const name = z.string().trim().min(1).max(80);
const text = (max: number) => z.string().trim().min(1).max(max);
const wholeMs = (min: number, max: number) => z.number().int().min(min).max(max);

const phoneNumber = z.string().refine((value) => E164.test(value), {
  error: "is not a phone number in E.164 form",
  params: fixWith("write + and the country code, digits only, like +15550100"),
});

const modelName = z.string().refine((value) => /^[\w.:/-]{1,100}$/.test(value), {
  error: "is not the name of a model",
  params: fixWith("use the provider's name of the model, such as gpt-realtime-2.1"),
});

const LOOPBACK_OR_HTTPS = "use an https URL of a public host, or http to loopback";

/** What is wrong with the URL of a push, or `null`. */
function pushProblem(value: string): string | null {
  const url = parseHttpUrl(value);
  if (!url) return "is not an http(s) URL";
  if (url.username !== "" || url.password !== "") return "holds a user name or password";
  const kind = hostKind(url.hostname);
  if (kind === "private") return "leads to a private, link-local or reserved address";
  return url.protocol === "http:" && kind !== "loopback"
    ? "is plain http to a host that is not loopback"
    : null;
}

const pushUrl = z
  .string()
  .max(2000)
  .check((ctx) => {
    const problem = pushProblem(ctx.value);
    if (problem === null) return;
    const params = fixWith(LOOPBACK_OR_HTTPS);
    ctx.issues.push({ code: "custom", input: ctx.value, message: problem, params });
  });

const contact = z
  .strictObject({
    name,
    voice: phoneNumber.exactOptional(),
    sms: phoneNumber.exactOptional(),
    push: pushUrl.exactOptional(),
  })
  .refine((value) => value.voice !== undefined || value.sms !== undefined || value.push !== undefined, {
    error: "has no channel, so nobody would be reached",
    params: fixWith("add voice, sms or push"),
  });

/** One phone cannot ring twice at once, and a reply by text must be one person's. */
const rung = z.strictObject({ name, contacts: z.array(contact).min(1).max(20) }).check((ctx) => {
  if (ctx.issues.length > 0) return;
  const owners = new Map<string, number>();
  ctx.value.contacts.forEach((each, index) => {
    for (const channel of ["voice", "sms"] as const) {
      const number = each[channel];
      if (number === undefined) continue;
      const owner = owners.get(number) ?? index;
      owners.set(number, owner);
      if (owner === index) continue;
      const message = `is a number of contacts[${owner}] of the same rung`;
      const params = fixWith("give each contact of a rung numbers of their own, or make them one contact");
      ctx.issues.push({
        code: "custom",
        input: number,
        path: ["contacts", index, channel],
        message,
        params,
      });
    }
  });
});

const turnDetection = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("server_vad"),
    threshold: z.number().min(0).max(1).default(0.5),
    prefixPaddingMs: wholeMs(0, 5000).default(300),
    silenceMs: wholeMs(100, 10_000).default(500),
  }),
  z.strictObject({
    type: z.literal("semantic_vad"),
    eagerness: z.enum(["low", "medium", "high", "auto"]).default("auto"),
  }),
]) satisfies z.ZodType<TurnDetection>;

const AUDIO_FORMATS = ["pcmu", "pcm24k"] as const satisfies ModelAudioFormat[];

const agent = z.strictObject({
  name: name.default(EXAMPLE_AGENT.name),
  provider: z.enum(["openai", "elevenlabs"]).default("openai"),
  voice: name.default("marin"),
  /** The provider's model; `OPENAI_REALTIME_MODEL`, when set, goes before it. */
  model: modelName.exactOptional(),
  /** What the model hears and speaks: the telephone's own μ-law, or PCM16 at 24 kHz. */
  audioFormat: z.enum(AUDIO_FORMATS).default("pcmu"),
  instructions: text(50_000).default(EXAMPLE_AGENT.instructions),
  greeting: text(2000).default(EXAMPLE_AGENT.greeting),
  coachInstructions: text(50_000).default(EXAMPLE_AGENT.coachInstructions),
  /** What the caller hears when no model can be reached. */
  apology: text(2000).default(EXAMPLE_AGENT.apology),
  turnDetection: turnDetection.prefault({ type: "server_vad" }),
});

const detail = z.enum(["none", "reason"]);

/** What a page tells of the caller, by channel. A text or a push lies open on a screen. */
const details = z.strictObject({
  voice: detail.default("reason"),
  sms: detail.default("none"),
  push: detail.default("none"),
});

const escalation = z.strictObject({
  /** How long one rung may take to acknowledge, from its first page. */
  ackTimeoutMs: wholeMs(1000, 3_600_000).default(120_000),
  /** How often the whole ladder is walked; 0 = until somebody owns the incident. */
  repeat: z.number().int().min(0).max(100).default(1),
  afterHandover: z.enum(["coach", "remove"]).default("coach"),
  /** How long one phone rings. */
  ringTimeoutMs: wholeMs(5000, 600_000).default(30_000),
  /** From the end of the ladder until it is walked again, until somebody owns the incident. */
  againAfterMs: wholeMs(1000, 86_400_000).default(600_000),
  /** How long a caller who waits for somebody hears nothing before the AI says that it still tries. */
  reassureAfterMs: wholeMs(3000, 600_000).default(15_000),
  /** Whether the caller gets a text about what happens next when nobody could be reached. */
  textCaller: z.boolean().default(true),
  /** That text. */
  callerText: text(480).default(EXAMPLE_CALLER_TEXT),
  details: details.prefault({}),
  rungs: z.array(rung).min(1).max(50).prefault(EXAMPLE_RUNGS),
});

const limits = z.strictObject({
  /** The longest a call may last. */
  maxCallMs: wholeMs(10_000, 86_400_000).default(14_400_000),
  /** From the voice webhook until the caller must be in the conference. */
  arriveTimeoutMs: wholeMs(1000, 600_000).default(30_000),
  /** From opening a model session until it must be ready. */
  modelReadyTimeoutMs: wholeMs(500, 120_000).default(10_000),
  /** After SIGTERM: how long live calls may go on before what `onDrainEnd` says. */
  drainMs: wholeMs(0, 86_400_000).default(30_000),
  /**
   * They are left for the engine that comes next, if it will find them: with a database that this engine alone
   * uses. Otherwise, or with `end`, their callers are told and they end.
   */
  onDrainEnd: z.enum(["hand-over", "end"]).default("hand-over"),
  /** Calls beyond this number are turned away with the apology. */
  maxLiveCalls: z.number().int().min(1).max(100_000).default(500),
});

const overload = z.strictObject({
  /**
   * New calls are turned away while the event loop runs later than that in most seconds; 0 = never.
   * Left out: see `withLatenessLimit`.
   */
  loopLatenessMs: z.number().min(0).max(10_000).exactOptional(),
  /** With fewer live calls the load is not ours, and turning callers away would not lessen it. */
  minLiveCalls: z.number().int().min(1).max(100_000).default(20),
  /** Whoever is turned away is put through to this number, instead of hearing the apology at once. */
  fallbackNumber: phoneNumber.exactOptional(),
});

/** What is done once a call is over; see docs/rows.md. */
const slot = z.strictObject({
  name: z.string().refine((value) => /^[a-z][A-Za-z0-9]{0,39}$/.test(value) && !(value in {}), {
    error: "is not a name for a slot",
    params: fixWith("use letters and digits, beginning with a small letter, such as dateOfBirth"),
  }),
  /** Told to the model: what is to be found. */
  description: text(500),
  type: z.enum(SLOT_TYPES).default("text"),
});

const webhook = z.strictObject({
  url: pushUrl,
  /** For one attempt. */
  timeoutMs: wholeMs(100, 120_000).default(10_000),
  attempts: z.number().int().min(1).max(20).default(8),
  /** After the first attempt that failed; after each further one four times as long, two hours at most. */
  retryAfterMs: wholeMs(10, 3_600_000).default(10_000),
});

const postCall = z
  .strictObject({
    /** Whether the transcript is read by a model. */
    extract: z.boolean().default(true),
    model: modelName.default("gpt-5.4-mini"),
    /** For one attempt. */
    timeoutMs: wholeMs(100, 600_000).default(60_000),
    attempts: z.number().int().min(1).max(20).default(5),
    /** As `webhook.retryAfterMs`. */
    retryAfterMs: wholeMs(10, 3_600_000).default(30_000),
    slots: z.array(slot).max(20).default([]),
    /** Who gets each row; nobody when left out. */
    webhook: webhook.exactOptional(),
  })
  .check((ctx) => {
    const names: string[] = [...BUILT_IN_SLOTS];
    for (const [index, { name: slotName }] of ctx.value.slots.entries()) {
      if (names.includes(slotName)) {
        const params = fixWith("give each slot a name of its own");
        const path = ["slots", index, "name"];
        ctx.issues.push({ code: "custom", input: slotName, path, message: "is taken already", params });
      }
      names.push(slotName);
    }
  });

/** How the model's speech is handed to the carrier; see docs/configuration.md. */
const media = z
  .strictObject({
    /** How far the carrier's buffer is kept filled. */
    leadMs: wholeMs(20, 1000).default(160),
    /** Speech per message, in whole frames of 20 ms. */
    chunkMs: wholeMs(20, 200)
      .refine((value) => value % 20 === 0, {
        error: "is not a multiple of 20",
        params: fixWith("use whole frames of 20 ms: 20, 40, … 200"),
      })
      .default(20),
    /** How often a mark asks the carrier where it is. */
    markEveryMs: wholeMs(20, 1000).default(160),
  })
  .check((ctx) => {
    const { leadMs, chunkMs } = ctx.value;
    if (ctx.issues.length > 0 || leadMs >= chunkMs) return;
    ctx.issues.push({
      code: "custom",
      input: ctx.value,
      path: ["leadMs"],
      message: `is ${leadMs}, less than one chunk of ${chunkMs} ms`,
      params: fixWith("use media.chunkMs or more; twice as much keeps the carrier from running dry"),
    });
  });

const BOTH_RECORDINGS = "asks for both recordings at once, and both are billed";

const recording = z.enum(["none", "conference", "leg"], {
  error: (issue) => {
    const asked = Array.isArray(issue.input) ? issue.input.join() : String(issue.input);
    return asked === "both" || (asked.includes("conference") && asked.includes("leg"))
      ? BOTH_RECORDINGS
      : undefined;
  },
});

const days = z.number().int().min(1).max(36_500).nullable().default(null);

/** For how many days after its end what of a call is kept; `null`: for ever. */
const privacy = z.strictObject({
  retention: z.strictObject({ rowsDays: days, recordingsDays: days, auditDays: days }).prefault({}),
});

const REGIONS = ["us1", "us2", "ie1", "de1", "sg1", "br1", "au1", "jp1"] as const satisfies MixerRegion[];

/** Schema of the deployment file; a key left out takes the after-hours example's value. */
export const deploymentSchema = z.strictObject({
  agent: agent.prefault({}),
  escalation: escalation.prefault({}),
  /** Where the conference is mixed. */
  region: z.enum(REGIONS).default("us1"),
  recording: recording.default("none"),
  /** Whether the audio of each phone is forked, so that it is known who spoke; see docs/speakers.md. */
  speakers: z.enum(["mixed", "forked"]).default("mixed"),
  limits: limits.prefault({}),
  overload: overload.prefault({}),
  media: media.prefault({}),
  postCall: postCall.prefault({}),
  privacy: privacy.prefault({}),
  prices: pricesSchema,
});

/** What a deployment file may hold. */
export type DeploymentInput = z.input<typeof deploymentSchema>;

/** A deployment with every default filled in. */
export type Deployment = DeepReadonly<z.output<typeof deploymentSchema>>;

/** Who can be reached by phone or text, in the ladder's order. */
export function peopleOnCall(deployment: Deployment): readonly {
  readonly rung: string;
  readonly name: string;
  readonly number: string;
  readonly push: string | null;
}[] {
  return deployment.escalation.rungs.flatMap(({ name: rungName, contacts }) =>
    contacts.flatMap(({ name: contactName, voice, sms, push = null }) => {
      const number = voice ?? sms;
      return number === undefined ? [] : [{ rung: rungName, name: contactName, number, push }];
    }),
  );
}

/** Names of the keys that the schema knows at a path where `value` stands, for "did you mean". */
export function deploymentKeys(path: readonly PropertyKey[], value: unknown): readonly string[] {
  let schema: z.core.$ZodType | undefined = deploymentSchema;
  for (const part of path) schema = schema && childOf(unwrap(schema), part);
  return schema ? keysOf(unwrap(schema), value) : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let inner = schema;
  while (
    inner instanceof z.ZodDefault ||
    inner instanceof z.ZodPrefault ||
    inner instanceof z.ZodExactOptional
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

function childOf(schema: z.core.$ZodType, part: PropertyKey): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodArray) return schema.element;
  if (schema instanceof z.ZodRecord) return schema.valueType;
  return schema instanceof z.ZodObject ? schema.shape[String(part)] : undefined;
}

function keysOf(schema: z.core.$ZodType, value: unknown): readonly string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  if (schema !== turnDetection) return [];
  const type = (value as { readonly type?: unknown } | undefined)?.type;
  const chosen = turnDetection.options.find((option) => option.shape.type.value === type);
  return chosen ? Object.keys(chosen.shape) : ["type"];
}
