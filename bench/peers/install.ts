/**
 * Installs what Tandem is measured against, on first use. It is a package of its own so that nobody who runs
 * the engine pays for its 120 MB, most of them the OpenAI SDK with its types and maps.
 */
import { join } from "node:path";
import { InvariantError } from "../../engine/errors.ts";

const FOLDER = import.meta.dir;
/** Written when an install has ended well: what a killed one left behind does not count. */
const STAMP = join(FOLDER, "node_modules/.installed");
const LIMIT_MS = 120_000;

/**
 * Makes the packages of bench/peers/bun.lock available. A moment's work when they are.
 *
 * @throws InvariantError with Bun's first words when they cannot be fetched.
 */
export async function installPeers(): Promise<void> {
  const lock = Bun.hash(await Bun.file(join(FOLDER, "bun.lock")).bytes()).toString(16);
  const stamp = Bun.file(STAMP);
  if ((await stamp.exists()) && (await stamp.text()) === lock) return;
  const child = Bun.spawn([process.execPath, "install", "--frozen-lockfile", "--cwd", FOLDER], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: LIMIT_MS,
  });
  const [said, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) {
    // One line for each package follows, all alike.
    const why =
      child.signalCode === null ? said.trim().split("\n")[0] : `not done after ${LIMIT_MS / 1000} s`;
    throw new InvariantError(`The packages to compare with cannot be fetched from the registry: ${why}`);
  }
  await Bun.write(STAMP, lock);
}
