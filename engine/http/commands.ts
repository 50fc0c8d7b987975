/** The body of `POST /api/calls/{callSid}/commands`. */
import { z } from "zod";
import { label, URGENCIES } from "../../machines/events.ts";
import { E164 } from "../config/deployment.ts";
import type { CommandName } from "../console/commands.ts";

export const Command = z.discriminatedUnion("command", [
  z.strictObject({
    command: z.literal("escalate"),
    to: z
      .string()
      .regex(E164, "must be a phone number in E.164 form, like +15550100")
      .nullable()
      .default(null),
    reason: z.string().trim().min(1).max(1000).nullable().default(null),
    urgency: z.enum(URGENCIES).default("normal"),
  }),
  z.strictObject({ command: z.literal("coach") }),
  z.strictObject({ command: z.literal("remove") }),
  z.strictObject({ command: z.literal("restore") }),
  z.strictObject({ command: z.literal("hold") }),
  z.strictObject({ command: z.literal("resume") }),
  // Of a participant, as `GET /api/calls/{callSid}/next` names them.
  z.strictObject({ command: z.literal("mute"), label }),
  z.strictObject({ command: z.literal("unmute"), label }),
  z.strictObject({ command: z.literal("hangup") }),
]);

/** What each command needs, for whoever gave it at the wrong time. */
export const NEEDS: Readonly<Record<CommandName, string>> = {
  escalate: "it needs a call with the AI in which nobody is sought yet",
  coach: "it needs a person in the room whom the AI does not coach",
  remove: "it needs a person in the room, and the AI with them",
  restore: "it needs a caller whom the AI does not have to itself",
  hold: "it needs a person in the room with the AI, and a caller who is not on hold",
  resume: "it needs a caller who is on hold",
  mute: "it needs the caller or a person in the room who is not muted, and of whom nothing of the kind is asked already",
  unmute:
    "it needs the caller or a person in the room who is muted, and of whom nothing of the kind is asked already",
  hangup: "it ends already",
};
