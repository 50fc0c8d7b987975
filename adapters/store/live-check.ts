/** Whether the database is there, whole, of a version that this Tandem knows, and under the key that is set. */
import { accessSync, constants, existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { StoreError } from "../../engine/errors.ts";
import type { LiveCheck, LiveFinding } from "../../engine/live-check-port.ts";
import { keyIdOf, masterKeys } from "../../engine/platform/seal.ts";
import type { Clock } from "../../engine/ports.ts";
import { type Inspected, inspectFile, NEWEST_VERSION } from "./inspect.ts";
import { inspectPostgres } from "./postgres-driver.ts";
import { sqlitePath } from "./sqlite-file.ts";
import { fileKeyId } from "./text-cipher.ts";

export interface StoreLiveCheckOptions {
  readonly url: string;
  readonly key: Uint8Array | null;
  readonly previousKey: Uint8Array | null;
  readonly clock: Clock;
}

export function storeLiveCheck(options: StoreLiveCheckOptions): LiveCheck {
  const { url, clock } = options;
  return {
    part: "store",
    run: async () => {
      const path = sqlitePath(url);
      if (path === null) {
        return findingsOf(await inspectPostgres({ url, clock }), "answers, and is", options);
      }
      const found = existsSync(path) ? await inspectFile(path) : null;
      assertWritable(path);
      if (found) return findingsOf(found, "every page is whole, and it is", options);
      return [{ level: "ok", text: `${path} is not there yet, and will be made` }];
    },
  };
}

function findingsOf(
  { version, keyIds }: Inspected,
  how: string,
  options: StoreLiveCheckOptions,
): readonly LiveFinding[] {
  return [versionFinding(version, how), ...keyFindings(keyIds, options)];
}

function versionFinding(version: number, how: string): LiveFinding {
  if (version === NEWEST_VERSION) return { level: "ok", text: `${how} of version ${version}` };
  if (version === 0) return { level: "ok", text: `${how} empty: its tables will be made` };
  const text = `${how} of version ${version}: the engine will bring it to ${NEWEST_VERSION}, and the Tandem of before will not take it`;
  return { level: "warning", text, fix: "make a backup first" };
}

function keyFindings(
  keyIds: readonly string[],
  { url, key, previousKey }: StoreLiveCheckOptions,
): readonly LiveFinding[] {
  if (key === null || keyIds.length === 0) return [];
  const ours = masterKeys(key, previousKey).map(keyIdOf);
  // Of before there was a key, and of calls that are over by now.
  const path = sqlitePath(url);
  const made = path === null ? null : fileKeyId(`${path}.key`);
  if (made !== null) ours.push(made);
  if (keyIds.every((id) => ours.includes(id))) {
    return [{ level: "ok", text: "what it keeps is under the key that is set" }];
  }
  const fix = "set the key of before as TANDEM_ENCRYPTION_KEY_PREVIOUS, and see `bun run rewrap`";
  const text =
    "some of what it keeps is under a key that is neither TANDEM_ENCRYPTION_KEY nor the previous one";
  return [{ level: "warning", text, fix }];
}

/** The file, or what it would be made in. */
function assertWritable(path: string): void {
  let place = resolve(path);
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place);
  try {
    accessSync(place, constants.W_OK);
    if (place === resolve(path)) accessSync(dirname(place), constants.W_OK);
  } catch {
    throw new StoreError(
      `${place} may not be written, or its folder; fix: let the user that runs Tandem write there`,
    );
  }
}
