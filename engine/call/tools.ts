/** The agent's built-in tools: their declarations, and the check of what the model passed. */
import { z } from "zod";
import type { UnstampedCallEvent } from "../../machines/events.ts";
import { URGENCIES } from "../../machines/events.ts";
import { errorText } from "../errors.ts";
import type { ModelToolCall, ToolDeclaration } from "../ports.ts";

const escalate = z.strictObject({
  reason: z.string().trim().min(1).max(1000).describe("Why a person is needed, in one sentence."),
  urgency: z.enum(URGENCIES).default("normal").describe("How soon a person is needed."),
});

const endCall = z.strictObject({
  reason: z.string().trim().max(1000).optional().describe("Why the call is over, in a few words."),
});

const takeBack = z.strictObject({
  reason: z
    .string()
    .trim()
    .max(1000)
    .optional()
    .describe("Why the caller comes back to you, in a few words."),
});

export const BUILT_IN_TOOLS = [
  {
    name: "escalate",
    description: "Calls a person to join this call. You stay on the line with the caller meanwhile.",
    parameters: escalate,
  },
  {
    name: "end_call",
    description:
      "Ends the call; use it only after you have said goodbye. As the coach you leave, and the others go on.",
    parameters: endCall,
  },
  {
    name: "take_back",
    description: "As the coach only: the person hands the caller back, and you speak with the caller again.",
    parameters: takeBack,
  },
] as const satisfies readonly ToolDeclaration[];

export type ToolName = (typeof BUILT_IN_TOOLS)[number]["name"];

/** `null`: there is no such tool. */
export function toolNameOf({ name }: ModelToolCall): ToolName | null {
  return BUILT_IN_TOOLS.find((tool) => tool.name === name)?.name ?? null;
}

export type ToolCheck =
  | { readonly ok: true; readonly event: UnstampedCallEvent }
  /** What the model is told, so that it can correct itself. */
  | { readonly ok: false; readonly problem: string };

/** Checks a tool call's name and arguments, made in this role, and turns it into the call's event. */
export function checkToolCall(call: ModelToolCall, role: "agent" | "coach"): ToolCheck {
  let args: unknown;
  try {
    args = call.argumentsJson.trim() === "" ? {} : JSON.parse(call.argumentsJson);
  } catch (error) {
    return { ok: false, problem: `the arguments are not JSON: ${errorText(error)}` };
  }
  if (call.name === "escalate") {
    const parsed = escalate.safeParse(args);
    if (!parsed.success) return { ok: false, problem: problemOf(parsed.error) };
    return { ok: true, event: { type: "tool.escalate", toolCallId: call.callId, ...parsed.data } };
  }
  if (call.name === "end_call") {
    const parsed = endCall.safeParse(args);
    if (!parsed.success) return { ok: false, problem: problemOf(parsed.error) };
    const reason = parsed.data.reason ?? null;
    return { ok: true, event: { type: "tool.endCall", toolCallId: call.callId, reason } };
  }
  if (call.name === "take_back") {
    const parsed = takeBack.safeParse(args);
    if (!parsed.success) return { ok: false, problem: problemOf(parsed.error) };
    if (role !== "coach") return { ok: false, problem: "take_back is for the coach; you are the agent" };
    const reason = parsed.data.reason ?? null;
    return { ok: true, event: { type: "tool.takeBack", toolCallId: call.callId, reason } };
  }
  const names = BUILT_IN_TOOLS.map((tool) => tool.name).join(", ");
  return { ok: false, problem: `there is no such tool; the tools are: ${names}` };
}

function problemOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".") || "arguments"}: ${issue.message}`).join("; ");
}
