import { errorText, type ConfigIssue } from "../errors.ts";
import { findJsonMistake } from "./json-syntax.ts";
import type { ReadFile } from "./types.ts";

export type Loaded = { readonly value: unknown } | { readonly issue: ConfigIssue };

/** Reads JSON. `name`: the variable that names the file. */
export async function loadJson(name: string, path: string, readFile: ReadFile): Promise<Loaded> {
  let text: string;
  try {
    text = await readFile(path);
  } catch (error) {
    return {
      issue: { name, problem: `cannot be read: ${errorText(error)}`, fix: `check the path: ${path}` },
    };
  }
  // Editors on Windows begin a file with a byte order mark, which is no JSON.
  const body = text.replace(/^\uFEFF/, "");
  try {
    return { value: JSON.parse(body) as unknown };
  } catch {
    const mistake = findJsonMistake(body);
    const where = mistake ? ` at line ${mistake.line}, column ${mistake.column}: ${mistake.problem}` : "";
    return { issue: { name, problem: `is not valid JSON${where}`, fix: `correct ${path}` } };
  }
}
