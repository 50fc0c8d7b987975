/** Fills in a form: a JSON Schema of the strict subset. */
import { claimOf, type Said } from "./rules.ts";

type Schema = Readonly<Record<string, unknown>>;

const asSchema = (value: unknown): Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Schema) : {};

/** A value that fits `schema`. Where it asks for a value with its confidence and spans, what was said decides. */
export function fill(schema: Schema, subject: string, said: Said): unknown {
  const properties = asSchema(schema["properties"]);
  if (schema["type"] === "object") {
    if ("value" in properties && "confidence" in properties && "spans" in properties) {
      return claimed(schema, properties, subject, said);
    }
    return Object.fromEntries(
      Object.entries(properties).map(([name, inner]) => [name, fill(asSchema(inner), name, said)]),
    );
  }
  return least(schema);
}

function claimed(schema: Schema, properties: Schema, subject: string, said: Said): unknown {
  const wanted = asSchema(properties["value"]);
  const options = optionsOf(wanted);
  const main = options.find(({ type }) => type !== "null") ?? {};
  const description = typeof schema["description"] === "string" ? schema["description"] : "";
  const type = typeof main["type"] === "string" ? main["type"] : "string";
  const claim = claimOf(subject, { description, type }, said);
  const fits = options.some((option) => isOf(option, claim.value));
  return fits ? { ...claim } : { value: least(wanted), confidence: 0, spans: [] };
}

function optionsOf(schema: Schema): readonly Schema[] {
  const { anyOf, type } = schema as { readonly anyOf?: unknown; readonly type?: unknown };
  if (Array.isArray(anyOf)) return anyOf.map(asSchema);
  if (Array.isArray(type)) return type.map((each: unknown) => ({ ...schema, type: each }));
  return [schema];
}

function isOf(schema: Schema, value: unknown): boolean {
  const { type, enum: named } = schema as { readonly type?: unknown; readonly enum?: unknown };
  if (Array.isArray(named)) return named.includes(value);
  if (type === "null") return value === null;
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}

/** The least that fits: nothing where that is allowed. */
function least(schema: Schema): unknown {
  const options = optionsOf(schema);
  if (options.some(({ type }) => type === "null")) return null;
  const [first = {}] = options;
  if (Array.isArray(first["enum"])) return first["enum"][0];
  if ("const" in first) return first["const"];
  switch (first["type"]) {
    case "number":
    case "integer":
      return typeof first["minimum"] === "number" ? first["minimum"] : 0;
    case "boolean":
      return false;
    case "array":
      return [];
    case "object":
      return Object.fromEntries(
        Object.entries(asSchema(first["properties"])).map(([name, inner]) => [name, least(asSchema(inner))]),
      );
    default:
      return "";
  }
}
