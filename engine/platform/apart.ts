/** Work in a process of its own that ends with it: so that it holds up nothing that its thread should do. */
import { getPriority, setPriority } from "node:os";
import { fileURLToPath } from "node:url";

/** Calls go first. */
const NICE = 10;

/**
 * Runs a script with `input` on its standard input. Resolves to what it wrote on its standard output; rejects when
 * `signal` ends it, or when it fails.
 */
export async function runApart(script: URL, input: string, signal: AbortSignal): Promise<string> {
  const child = Bun.spawn([process.execPath, fileURLToPath(script)], {
    stdin: new Blob([input]),
    stdout: "pipe",
    stderr: "pipe",
    env: {},
    signal,
    killSignal: "SIGKILL",
  });
  const [told, said, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code === 0) return told;
  throw new Error(signal.aborted ? "it took too long, or was not wanted any more" : said.slice(0, 500));
}

/** The first thing that such a script does. */
export function yieldToCalls(): void {
  setPriority(Math.max(getPriority(), NICE));
}
