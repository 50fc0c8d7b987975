import { z } from "zod";
import type { CallInfo, FoundCall, FoundMessage, ParticipantInfo } from "../../engine/ports.ts";
import { failureError, unreadableFailure } from "./failure.ts";

/** The SDK's instances as the port's types. They are checked: the SDK copies whatever JSON came. */

const Participant = z.object({
  callSid: z.string().min(1),
  conferenceSid: z.string().min(1),
  label: z.string().nullish(),
  muted: z.boolean().default(false),
  hold: z.boolean().default(false),
  coaching: z.boolean().nullish(),
  callSidToCoach: z.string().nullish(),
  status: z.enum(["queued", "connecting", "ringing", "connected", "complete", "failed"]),
});

const Call = z.object({
  sid: z.string().min(1),
  status: z.enum([
    "queued",
    "initiated",
    "ringing",
    "in-progress",
    "completed",
    "busy",
    "failed",
    "no-answer",
    "canceled",
  ]),
});

const Message = z.object({ sid: z.string().min(1), status: z.string().min(1) });

const ListedCall = Call.extend({ dateCreated: z.date(), direction: z.string() });
const ListedMessage = Message.extend({ dateCreated: z.date(), direction: z.string(), body: z.string() });
/** Not a call that came in, nor the answer to a text. */
const BY_API = "outbound-api";

export function toParticipant(instance: unknown): ParticipantInfo {
  const found = read(Participant, instance, "participant");
  return {
    callSid: found.callSid,
    conferenceSid: found.conferenceSid,
    label: found.label ?? null,
    muted: found.muted,
    hold: found.hold,
    coaching: found.coaching ?? false,
    callSidToCoach: found.callSidToCoach ?? null,
    status: found.status,
  };
}

export function toCall(instance: unknown): CallInfo {
  const found = read(Call, instance, "call");
  return { callSid: found.sid, status: found.status };
}

export function toMessage(instance: unknown): { readonly messageSid: string; readonly status: string } {
  const found = read(Message, instance, "message");
  return { messageSid: found.sid, status: found.status };
}

/** `null`: it was not made over the API. */
export function toFoundCall(instance: unknown): FoundCall | null {
  const found = read(ListedCall, instance, "call");
  if (found.direction !== BY_API) return null;
  return { callSid: found.sid, status: found.status, createdMs: found.dateCreated.getTime() };
}

/** `null`: it was not sent over the API. */
export function toFoundMessage(instance: unknown): FoundMessage | null {
  const found = read(ListedMessage, instance, "message");
  if (found.direction !== BY_API) return null;
  const { sid: messageSid, status, body } = found;
  return { messageSid, status, body, createdMs: found.dateCreated.getTime() };
}

/** Whether a call in this status will do nothing any more. */
export function isOver(call: CallInfo): boolean {
  return ["completed", "busy", "failed", "no-answer", "canceled"].includes(call.status);
}

function read<T>(schema: z.ZodType<T>, instance: unknown, what: string): T {
  const parsed = schema.safeParse(instance);
  if (parsed.success) return parsed.data;
  const fields = [...new Set(parsed.error.issues.map((issue) => issue.path.join(".")))].join(", ");
  throw failureError(unreadableFailure(200, `the answer is no ${what}: ${fields} missing or unknown`));
}
