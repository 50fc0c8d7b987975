/** Arguments for a declared tool, fitted to the top level of its JSON Schema. */
import type { FunctionTool } from "./wire.ts";

type Schema = Readonly<Record<string, unknown>>;

function asSchema(value: unknown): Schema {
  return typeof value === "object" && value !== null ? (value as Schema) : {};
}

/** Drops what the tool does not declare and fills in what it requires; `said` stands in for any text. */
export function fitArguments(
  tool: FunctionTool,
  args: Readonly<Record<string, unknown>>,
  said: string,
): Record<string, unknown> {
  const schema = asSchema(tool.parameters);
  const properties = asSchema(schema["properties"]);
  const declared = Object.keys(properties);
  const fitted: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(args)) {
    if (declared.length === 0 || declared.includes(key)) fitted[key] = value;
  }
  const required = Array.isArray(schema["required"]) ? schema["required"] : [];
  for (const key of required) {
    if (typeof key === "string" && !(key in fitted)) fitted[key] = example(asSchema(properties[key]), said);
  }
  return fitted;
}

function example(schema: Schema, said: string): unknown {
  if (Array.isArray(schema["enum"])) return schema["enum"][0];
  switch (schema["type"]) {
    case "number":
    case "integer":
      return typeof schema["minimum"] === "number" ? schema["minimum"] : 0;
    case "boolean":
      return false;
    case "array":
      return [];
    case "object":
      return {};
    default:
      return said || "unknown";
  }
}
