/**
 * Parameter tables: which names a request takes and what their values may be. The sandbox refuses what Twilio's
 * OpenAPI description does not have; the names are those of the `twilio` package 6.2.0.
 */
import { E164, type Fields } from "../types.ts";
import { invalid } from "./errors.ts";

export interface Parameter {
  readonly required?: boolean;
  /** Twilio's error code for a missing value; 20001 when there is no special one. */
  readonly missingCode?: number;
  /** Its code for a bad value. */
  readonly invalidCode?: number;
  /** May be given more than once, or as words separated by spaces. */
  readonly list?: boolean;
  /** What a good value is, for the message. */
  readonly expected: string;
  readonly check: (value: string) => boolean;
}

export type Table = Readonly<Record<string, Parameter>>;

export function text(max = 2048): Parameter {
  return { expected: `a text of at most ${max} characters`, check: (v) => v.length <= max };
}

export const bool: Parameter = { expected: "true or false", check: (v) => /^(?:true|false)$/i.test(v) };
export const method: Parameter = { expected: "GET or POST", check: (v) => v === "GET" || v === "POST" };

export function url(invalidCode = 21205): Parameter {
  return { expected: "an absolute http(s) URL", invalidCode, check: isHttpUrl };
}

/** A URL, or empty for silence. */
export const urlOrEmpty: Parameter = {
  expected: "an absolute http(s) URL, or empty",
  invalidCode: 21205,
  check: (v) => v === "" || isHttpUrl(v),
};

export function oneOf(...values: readonly string[]): Parameter {
  return { expected: `one of ${values.join(", ")}`, check: (v) => values.includes(v) };
}

export function listOf(...values: readonly string[]): Parameter {
  return { list: true, expected: `any of ${values.join(", ")}`, check: (v) => values.includes(v) };
}

export function int(min: number, max: number): Parameter {
  return {
    expected: `a whole number from ${min} to ${max}`,
    check: (v) => /^\d{1,10}$/.test(v) && Number(v) >= min && Number(v) <= max,
  };
}

export function sid(prefix: string): Parameter {
  const pattern = new RegExp(`^${prefix}[0-9a-fA-F]{32}$`);
  return { expected: `${prefix} and 32 hexadecimal digits`, check: (v) => pattern.test(v) };
}

export function required(parameter: Parameter, missingCode = 20001): Parameter {
  return { ...parameter, required: true, missingCode };
}

function isHttpUrl(value: string): boolean {
  return /^https?:\/\//i.test(value) && URL.canParse(value);
}

/** Where a call can go or come from: a phone number, a SIP address, a client, a TwiML App. */
export function address(
  kinds: readonly ("phone" | "client" | "sip" | "app")[],
  invalidCode: number,
): Parameter {
  const patterns = {
    phone: E164,
    client: /^client:[^\s?]{1,256}(?:\?.*)?$/,
    sip: /^sip:[^\s@]+@[^\s]+$/,
    app: /^app:AP[0-9a-fA-F]{32}(?:\?.*)?$/,
  };
  return {
    expected: `an address of kind ${kinds.join(", ")}`,
    invalidCode,
    check: (v) => kinds.some((kind) => patterns[kind].test(v)),
  };
}

/** The values of one request that passed its table. */
export class Values {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  text(name: string): string | null {
    return this.#values.get(name)?.[0] ?? null;
  }

  bool(name: string): boolean | null {
    const value = this.text(name);
    return value === null ? null : value.toLowerCase() === "true";
  }

  int(name: string): number | null {
    const value = this.text(name);
    return value === null ? null : Number(value);
  }

  list(name: string): readonly string[] | null {
    return this.#values.get(name) ?? null;
  }

  method(name: string, fallback: "GET" | "POST" = "POST"): "GET" | "POST" {
    const method = this.text(name);
    return method === "GET" || method === "POST" ? method : fallback;
  }
}

/** Checks `fields` against `table`. Throws a `RestError` that names the first wrong parameter. */
export function validate(table: Table, fields: Fields): Values {
  const values = new Map<string, string[]>();
  for (const [name, raw] of fields) {
    const parameter = Object.hasOwn(table, name) ? table[name] : undefined;
    if (!parameter) throw invalid(`Unknown parameter: ${name}`);
    const parts = parameter.list ? raw.split(/\s+/).filter((part) => part !== "") : [raw];
    const before = values.get(name);
    if (before && !parameter.list) throw invalid(`Parameter ${name} is given more than once`);
    for (const part of parts) {
      if (parameter.check(part)) continue;
      if (part === "" && parameter.required) continue;
      throw invalid(
        `Invalid parameter ${name}: '${part.slice(0, 100)}' is not ${parameter.expected}`,
        parameter.invalidCode,
      );
    }
    values.set(name, [...(before ?? []), ...parts]);
  }
  for (const [name, parameter] of Object.entries(table)) {
    if (parameter.required && (values.get(name)?.[0] ?? "") === "") {
      throw invalid(`Required parameter ${name} is missing`, parameter.missingCode);
    }
  }
  return new Values(values);
}
