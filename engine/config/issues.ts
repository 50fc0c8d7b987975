import type { z } from "zod";
import type { ConfigIssue } from "../errors.ts";
import { nearest } from "./suggest.ts";

type Path = readonly PropertyKey[];

/** Names of the keys that may stand at a path, given what stands there. */
type KnownKeys = (path: Path, value: unknown) => readonly string[];

/** `escalation.rungs[0].contacts[1].voice` of a zod path. */
export function pathName(path: Path): string {
  let name = "";
  for (const part of path) {
    if (typeof part === "number") name += `[${part}]`;
    else name += name === "" ? String(part) : `.${String(part)}`;
  }
  return name;
}

/** Parameters of a refinement: how to mend what it refuses. */
export function fixWith(fix: string): { readonly fix: string } {
  return { fix };
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

function at(input: unknown, path: Path): unknown {
  let value: unknown = input;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function article(word: string): string {
  return /^[aeiou]/.test(word) ? `an ${word}` : `a ${word}`;
}

function sizeIssue(name: string, issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig): ConfigIssue {
  const small = issue.code === "too_small";
  const limit = small ? issue.minimum : issue.maximum;
  const bound = small ? "at least" : "at most";
  if (issue.origin === "string") {
    const empty = small && Number(limit) === 1;
    return {
      name,
      problem: empty ? "is empty" : `is too ${small ? "short" : "long"}`,
      fix: empty ? "write a text of one character or more" : `use ${bound} ${limit} characters`,
    };
  }
  if (issue.origin === "array") {
    const empty = small && Number(limit) === 1;
    return {
      name,
      problem: empty ? "is empty" : `has too ${small ? "few" : "many"} entries`,
      fix: empty ? "add one entry or more" : `use ${bound} ${limit} entries`,
    };
  }
  return {
    name,
    problem: `is too ${small ? "small" : "large"}`,
    fix: `use a number that is ${bound} ${limit}`,
  };
}

/** One zod issue as mistakes by name; `input` is what was parsed, `knownKeys` the keys of an object there. */
function convert(issue: z.core.$ZodIssue, input: unknown, knownKeys: KnownKeys): ConfigIssue[] {
  const name = pathName(issue.path) || "the deployment";
  const value = at(input, issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(issue.path, value);
    return issue.keys.map((key) => {
      const meant = nearest(key, known);
      const list = known.length > 0 ? `; known keys: ${known.join(", ")}` : "";
      const fix = meant === null ? `remove it${list}` : `did you mean ${meant}?`;
      return { name: pathName([...issue.path, key]), problem: "is not a known key", fix };
    });
  }
  if (issue.code === "invalid_value" || issue.code === "invalid_union") {
    const options = issue.code === "invalid_value" ? issue.values : unionOptions(issue);
    // A message of the schema's own says more than zod's, which begins with "Invalid".
    const wrong = issue.message.startsWith("Invalid ") ? "is not a known value" : issue.message;
    const problem = value === undefined ? "is missing" : wrong;
    return [{ name, problem, fix: `use one of: ${options.join(", ")}` }];
  }
  if (issue.code === "invalid_type") {
    const wanted = issue.expected === "int" ? "whole number" : issue.expected;
    if (value === undefined) return [{ name, problem: "is missing", fix: `add it, as ${article(wanted)}` }];
    const found = typeof value === "number" ? "another number" : typeName(value);
    return [{ name, problem: `must be ${article(wanted)}, not ${found}`, fix: `write ${article(wanted)}` }];
  }
  if (issue.code === "too_small" || issue.code === "too_big") return [sizeIssue(name, issue)];
  const fix = issue.code === "custom" ? issue.params?.["fix"] : undefined;
  return [{ name, problem: issue.message, fix: typeof fix === "string" ? fix : "correct it" }];
}

function unionOptions(issue: z.core.$ZodIssueInvalidUnion): readonly string[] {
  return "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
}

/** All mistakes that zod found, by name, without any of the values. */
export function issuesOf(error: z.ZodError, input: unknown, knownKeys: KnownKeys): ConfigIssue[] {
  return error.issues.flatMap((issue) => convert(issue, input, knownKeys));
}
