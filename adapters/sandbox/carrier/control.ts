/** `/sandbox/…`: what tests and tools do to the carrier itself. Not part of Twilio. */
import { z } from "zod";
import { faultsSchema, type Faults } from "./faults.ts";
import type { Phones } from "./media/phones.ts";
import type { Pushes } from "./pushes.ts";
import { E164, type Routing } from "./types.ts";
import type { CarrierState } from "./state.ts";

const phoneNumber = z.string().regex(E164, "must be E.164, such as +15550100");
const delayMs = z.int().min(0).max(600_000);
const scriptSchema = z.strictObject({
  behaviour: z.enum(["answer", "no-answer", "busy", "decline", "voicemail"]),
  afterMs: delayMs.optional(),
  press: z
    .string()
    .regex(/^[0-9*#]{1,32}$/, "must be 1 to 32 of 0-9 * #")
    .optional(),
  presses: z
    .array(z.strictObject({ afterMs: delayMs, key: z.string().regex(/^[0-9*#]$/, "must be one of 0-9 * #") }))
    .max(32)
    .optional(),
  hangUpAfterMs: delayMs.optional(),
});
/** What it does when it rings first, and `later`, one after the other, at the rings after that. */
const numberSchema = scriptSchema.extend({
  number: phoneNumber,
  later: z.array(scriptSchema).max(99).default([]),
});
const smsSchema = z.strictObject({
  from: phoneNumber,
  /** The account's number by default. */
  to: phoneNumber.optional(),
  body: z.string().min(1).max(1600),
});
const httpUrl = z.url({ protocol: /^https?$/ });
const routingSchema = z.strictObject({
  numbers: z
    .array(z.strictObject({ number: phoneNumber, voiceUrl: httpUrl, smsUrl: httpUrl.optional() }))
    .max(1000)
    .optional(),
  appVoiceUrl: httpUrl.optional(),
});

export interface ControlParts {
  readonly faults: Faults;
  readonly phones: Pick<Phones, "setBehaviour" | "inbox" | "sendSms">;
  readonly pushes: Pushes;
  /** The number that an SMS goes to when it does not say. */
  readonly smsNumber: () => string | null;
  readonly state: () => CarrierState;
  readonly configure: (routing: Routing) => void;
}

/** Answers a request below `/sandbox/` (except the phones' socket). */
export async function handleControl(parts: ControlParts, request: Request, path: string): Promise<Response> {
  const pushName = /^\/sandbox\/push\/([^/]+)$/.exec(path)?.[1];
  if (pushName !== undefined) return await parts.pushes.handle(request, pushName);
  const route = `${request.method} ${path}`;
  switch (route) {
    case "GET /sandbox/state":
      return Response.json(parts.state());
    case "GET /sandbox/messages": {
      const number = new URL(request.url).searchParams.get("number") ?? "";
      if (!E164.test(number)) return problem("number: must be E.164, as in ?number=%2B15550100");
      return Response.json(parts.phones.inbox(number));
    }
    case "POST /sandbox/numbers":
      return await withBody(request, numberSchema, ({ number, later, ...first }) => {
        const known = parts.phones.setBehaviour(number, first, ...later);
        return known ? new Response(null, { status: 204 }) : problem("number: too many scripted phones");
      });
    case "POST /sandbox/sms":
      return await withBody(request, smsSchema, ({ from, to = parts.smsNumber(), body }) => {
        if (to === null) return problem("to: the account has no number yet");
        parts.phones.sendSms(from, to, body);
        return new Response(null, { status: 204 });
      });
    case "POST /sandbox/faults":
      return await withBody(request, faultsSchema, (patch) => {
        parts.faults.set(patch);
        return new Response(null, { status: 204 });
      });
    case "DELETE /sandbox/faults":
      parts.faults.reset();
      return new Response(null, { status: 204 });
    case "POST /sandbox/routing":
      return await withBody(request, routingSchema, (routing) => {
        parts.configure(parseRouting(routing));
        return new Response(null, { status: 204 });
      });
    default:
      return Response.json({ error: `no such sandbox control: ${route}` }, { status: 404 });
  }
}

function parseRouting(routing: z.output<typeof routingSchema>): Routing {
  return {
    ...(routing.appVoiceUrl === undefined ? {} : { appVoiceUrl: routing.appVoiceUrl }),
    ...(routing.numbers === undefined
      ? {}
      : {
          numbers: routing.numbers.map(({ number, voiceUrl, smsUrl }) => ({
            number,
            voiceUrl,
            ...(smsUrl === undefined ? {} : { smsUrl }),
          })),
        }),
  };
}

async function withBody<T extends z.ZodType>(
  request: Request,
  schema: T,
  run: (body: z.output<T>) => Response,
): Promise<Response> {
  let json: unknown;
  try {
    json = await request.json();
  } catch {
    return problem("the body must be JSON");
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return run(parsed.data);
  const issues = parsed.error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`);
  return problem(issues.join("; "));
}

function problem(error: string): Response {
  return Response.json({ error }, { status: 400 });
}
