/** Text messages of the sandbox carrier's phone WebSocket (`/sandbox/phone`). */
import { z } from "zod";

/** Phone to carrier. `audio` is base64 of the μ-law that the following frames carry from their start. */
export type PhoneCommand =
  | { readonly type: "dial"; readonly from: string; readonly to: string }
  | { readonly type: "register"; readonly number: string }
  | { readonly type: "answer" | "decline" | "busy" | "voicemail" | "hangup" }
  | { readonly type: "digits"; readonly digits: string }
  | { readonly type: "utterance"; readonly text: string; readonly audio: string }
  | { readonly type: "sms"; readonly to: string; readonly body: string };

const phoneNotice = z.discriminatedUnion("type", [
  z.object({ type: z.literal("dialing"), callSid: z.string() }),
  z.object({ type: z.literal("answered"), callSid: z.string() }),
  z.object({ type: z.literal("ended"), callSid: z.string(), reason: z.string() }),
  z.object({ type: z.literal("incoming"), callSid: z.string(), from: z.string() }),
  z.object({ type: z.literal("cancelled"), callSid: z.string() }),
  z.object({
    type: z.literal("sms"),
    messageSid: z.string(),
    from: z.string(),
    to: z.string(),
    body: z.string(),
  }),
  z.object({ type: z.literal("error"), message: z.string() }),
]);

/** Carrier to phone. */
export type PhoneNotice = z.infer<typeof phoneNotice>;

/** `null` for what is not a message of this protocol. */
export function parsePhoneNotice(text: string): PhoneNotice | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = phoneNotice.safeParse(value);
  return parsed.success ? parsed.data : null;
}
