/** How `/api` answers. */
import type { z } from "zod";

export function json(value: unknown, status = 200): Response {
  return Response.json(value, { status, headers: { "cache-control": "no-store" } });
}

export function problem(status: number, text: string): Response {
  return json({ error: text }, status);
}

export function notAllowed(allow: string): Response {
  return new Response(null, { status: 405, headers: { allow } });
}

export function issuesOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; ");
}
