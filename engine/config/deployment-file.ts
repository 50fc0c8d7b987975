import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { errorText, type ConfigIssue } from "../errors.ts";
import { deploymentKeys, deploymentSchema, type Deployment } from "./deployment.ts";
import { issuesOf } from "./issues.ts";
import { type Loaded, loadJson } from "./json-file.ts";
import type { ReadFile } from "./types.ts";

const MODULES = [".ts", ".mts", ".js", ".mjs"];

/** A deployment, or what is wrong with it. `provider` is what it asks for even when other things are wrong. */
export type DeploymentReading =
  | { readonly deployment: Deployment; readonly file: string | null; readonly issues: readonly [] }
  | { readonly deployment: null; readonly provider: string | null; readonly issues: readonly ConfigIssue[] };

function refuse(problem: string, fix: string): Loaded {
  return { issue: { name: "TANDEM_CONFIG", problem, fix } };
}

async function loadModule(path: string): Promise<Loaded> {
  let module: Record<string, unknown>;
  try {
    module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    return refuse(`cannot be loaded: ${errorText(error)}`, `correct ${path}`);
  }
  const value = module["default"];
  if (typeof value === "object" && value !== null && !(value instanceof Promise)) return { value };
  const found = value === undefined ? "has no default export" : "has a default export that is not an object";
  return refuse(found, `write in ${path}: export default defineDeployment({ … })`);
}

async function load(path: string, readFile: ReadFile): Promise<Loaded> {
  const extension = extname(path).toLowerCase();
  if (extension === ".json") return await loadJson("TANDEM_CONFIG", path, readFile);
  if (MODULES.includes(extension)) return await loadModule(path);
  return refuse("is not a .json, .ts or .js file", "rename the file, or point to another");
}

function providerOf(value: unknown): string | null {
  const agent = (value as { readonly agent?: { readonly provider?: unknown } } | null)?.agent;
  return typeof agent?.provider === "string" ? agent.provider : null;
}

/** Checks a deployment that has been read from anywhere. */
export function checkDeployment(value: unknown, file: string | null): DeploymentReading {
  const result = deploymentSchema.safeParse(value);
  if (result.success) return { deployment: result.data, file, issues: [] };
  const issues = issuesOf(result.error, value, deploymentKeys);
  return { deployment: null, provider: providerOf(value), issues };
}

/** Reads the deployment file at `path` (relative to `cwd`); without a path, the after-hours example. */
export async function readDeployment(
  path: string | undefined,
  cwd: string,
  readFile: ReadFile,
): Promise<DeploymentReading> {
  if (path === undefined) return checkDeployment({}, null);
  const file = resolve(cwd, path);
  const loaded = await load(file, readFile);
  if ("issue" in loaded) return { deployment: null, provider: null, issues: [loaded.issue] };
  return checkDeployment(loaded.value, file);
}
