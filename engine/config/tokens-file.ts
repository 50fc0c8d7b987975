/** The file that `TANDEM_TOKENS` names: tokens of people and programs, each with a name and a role. */
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { z } from "zod";
import { OWN_NAMES, ROLES } from "../console/who.ts";
import type { ConfigIssue } from "../errors.ts";
import { fixWith, issuesOf } from "./issues.ts";
import { loadJson } from "./json-file.ts";
import type { ReadFile } from "./types.ts";

const VARIABLE = "TANDEM_TOKENS";
const MAX_TOKENS = 200;
const MAKE_ONE = "copy the entry that `bun run token --name NAME --role ROLE` prints";

/** What is kept of a token, in lower-case hexadecimal. */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Stands in a cookie and in every log line, so nothing but what is plain in both. */
export const TokenName = z.string().check((ctx) => {
  const own = OWN_NAMES.some((name) => name === ctx.value.toLowerCase());
  if (!own && /^[A-Za-z0-9][\w.@+-]{0,63}$/.test(ctx.value)) return;
  const message = own ? "is a name that Tandem gives itself" : "is not a name for a token";
  const fix =
    "use up to 64 letters, digits and . _ @ + -, such as ann or ann@desk; not console, viewer or local";
  ctx.issues.push({ code: "custom", input: ctx.value, message, params: fixWith(fix) });
});

const entry = z.strictObject({
  name: TokenName,
  role: z.enum(ROLES),
  /**
   * SHA-256 of the token, in hexadecimal. A slow hash is for what people think up: nobody finds 192 random bits by
   * trying, and a slow hash of every request would hold up the calls.
   */
  sha256: z
    .string()
    .toLowerCase()
    .refine((value) => /^[0-9a-f]{64}$/.test(value), {
      error: "is not a SHA-256 in hexadecimal",
      params: fixWith(MAKE_ONE),
    }),
});

export type NamedToken = Readonly<z.output<typeof entry>>;

const file = z.strictObject({
  [VARIABLE]: z
    .array(entry)
    .max(MAX_TOKENS)
    .check((ctx) => {
      for (const key of ["name", "sha256"] as const) {
        const seen = new Map<string, number>();
        ctx.value.forEach((each, index) => {
          const value = each[key].toLowerCase();
          const first = seen.get(value);
          if (first === undefined) return seen.set(value, index);
          const params = fixWith(`give each its own, or remove one of the two: ${MAKE_ONE}`);
          const path = [index, key];
          const message = `is that of ${VARIABLE}[${first}] as well`;
          return ctx.issues.push({ code: "custom", input: each[key], path, message, params });
        });
      }
    }),
});

export interface TokensReading {
  readonly tokens: readonly NamedToken[];
  readonly issues: readonly ConfigIssue[];
}

/** Reads the file at `path` (relative to `cwd`); without a path there are no such tokens. */
export async function readTokens(
  path: string | undefined,
  cwd: string,
  readFile: ReadFile,
): Promise<TokensReading> {
  if (path === undefined) return { tokens: [], issues: [] };
  const loaded = await loadJson(VARIABLE, resolve(cwd, path), readFile);
  if ("issue" in loaded) return { tokens: [], issues: [loaded.issue] };
  const input = { [VARIABLE]: loaded.value };
  const result = file.safeParse(input);
  if (result.success) return { tokens: result.data[VARIABLE], issues: [] };
  return { tokens: [], issues: issuesOf(result.error, input, () => Object.keys(entry.shape)) };
}
