/** What `POST /v1/responses` takes, and how a wrong request is refused. */
import { z } from "zod";
import { invalidRequest, schemaError } from "../protocol-errors.ts";
import type { ProtocolError } from "../wire.ts";

const content = z.union([
  z.string(),
  z.array(z.looseObject({ type: z.string(), text: z.string().optional() })),
]);

const schema = z.looseObject({
  model: z.string().min(1),
  input: z.union([z.string(), z.array(z.looseObject({ role: z.string().optional(), content }))]),
  instructions: z.string().nullable().optional(),
  max_output_tokens: z.int().min(16).nullable().optional(),
  stream: z.boolean().nullable().optional(),
  store: z.boolean().nullable().optional(),
  text: z.looseObject({
    format: z.strictObject({
      type: z.literal("json_schema"),
      name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/, "does not match the pattern '^[a-zA-Z0-9_-]+$'"),
      schema: z.record(z.string(), z.unknown()),
      description: z.string().optional(),
      strict: z.boolean().nullable().optional(),
    }),
  }),
});

export type TextRequest = z.output<typeof schema>;

export function readRequest(
  body: unknown,
): { readonly request: TextRequest } | { readonly error: ProtocolError } {
  const parsed = schema.safeParse(body);
  if (!parsed.success) return { error: schemaError(parsed.error, body) };
  const request = parsed.data;
  if (request.stream === true) {
    return { error: invalidRequest("unsupported_value", "The sandbox does not stream text.", "stream") };
  }
  const { format } = request.text;
  const wrong = format.strict === true ? strictProblem(format.schema, []) : null;
  if (wrong === null) return { request };
  const message = `Invalid schema for response_format '${format.name}': ${wrong}`;
  return { error: invalidRequest("invalid_json_schema", message, "text.format.schema") };
}

/** All the text that the request asks about. */
export function inputText({ input }: TextRequest): string {
  if (typeof input === "string") return input;
  const parts = input.flatMap(({ content: each }) =>
    typeof each === "string" ? [each] : each.map(({ text = "" }) => text),
  );
  return parts.join("\n");
}

/** Strict structured output wants closed objects, all of whose members are required. */
function strictProblem(of: unknown, path: readonly string[]): string | null {
  if (typeof of !== "object" || of === null) return null;
  const node = of as Readonly<Record<string, unknown>>;
  const context = `In context=(${path.map((part) => `'${part}'`).join(", ")})`;
  if (path.length === 0 && node["type"] !== "object") {
    return `schema must be a JSON Schema of 'type: "object"', got 'type: "${String(node["type"])}"'.`;
  }
  if (node["type"] === "object") {
    if (node["additionalProperties"] !== false) {
      return `${context}, 'additionalProperties' is required to be supplied and to be false.`;
    }
    const names = Object.keys((node["properties"] ?? {}) as object);
    const required = Array.isArray(node["required"]) ? node["required"] : [];
    const missing = names.find((name) => !required.includes(name));
    if (missing !== undefined) {
      return `${context}, 'required' is required to be supplied and to be an array including every key in properties. Missing '${missing}'.`;
    }
    for (const [name, inner] of Object.entries((node["properties"] ?? {}) as object)) {
      const problem = strictProblem(inner, [...path, "properties", name]);
      if (problem !== null) return problem;
    }
  }
  if (node["items"] !== undefined) return strictProblem(node["items"], [...path, "items"]);
  const options = Array.isArray(node["anyOf"]) ? node["anyOf"] : [];
  for (const [index, option] of options.entries()) {
    const problem = strictProblem(option, [...path, "anyOf", String(index)]);
    if (problem !== null) return problem;
  }
  return null;
}
