/** Text messages of a phone's WebSocket, phone to carrier. */
import { z } from "zod";

/** One minute of μ-law. */
export const MAX_UTTERANCE_BYTES = 60 * 8_000;
/** Larger messages are refused without being parsed: an utterance in base64 and its text. */
export const MAX_COMMAND_CHARS = 700_000;

const number = z.string().regex(/^\+[1-9]\d{1,14}$/, "must be E.164, such as +15550100");
const plain = (type: "answer" | "decline" | "busy" | "voicemail" | "hangup") =>
  z.strictObject({ type: z.literal(type) });

const phoneCommand = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("dial"), from: number, to: number }),
  z.strictObject({ type: z.literal("register"), number }),
  plain("answer"),
  plain("decline"),
  plain("busy"),
  plain("voicemail"),
  plain("hangup"),
  z.strictObject({
    type: z.literal("digits"),
    digits: z.string().regex(/^[0-9*#]{1,32}$/, "must be 1 to 32 of 0-9, * and #"),
  }),
  z.strictObject({
    type: z.literal("utterance"),
    text: z.string().min(1).max(5_000),
    audio: z.base64("must be μ-law in base64"),
  }),
  z.strictObject({ type: z.literal("sms"), to: number, body: z.string().min(1).max(1_600) }),
]);

export type PhoneCommand = z.infer<typeof phoneCommand>;

/** The command, or what is wrong with the message, for the person who wrote the phone. */
export function parsePhoneCommand(text: string): PhoneCommand | { readonly problem: string } {
  if (text.length > MAX_COMMAND_CHARS) {
    return { problem: `message of ${text.length} characters: at most ${MAX_COMMAND_CHARS} are taken` };
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "message is not JSON" };
  }
  const parsed = phoneCommand.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.join(".") || "message";
  return { problem: `${field}: ${issue?.message ?? "not understood"}` };
}
