import { readFileSync } from "node:fs";
import { join } from "node:path";

const PACKAGE = join(import.meta.dir, "..", "..", "package.json");

/** Tandem's own version, such as `0.1.0`. */
export const VERSION: string = (JSON.parse(readFileSync(PACKAGE, "utf8")) as { readonly version: string })
  .version;
