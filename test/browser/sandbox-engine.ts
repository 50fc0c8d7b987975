/** `bun run engine` without any account, as a newcomer starts it: a process of its own in a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DeploymentInput } from "../../engine/config/deployment.ts";

const MAIN = new URL("../../engine/main.ts", import.meta.url).pathname;

export interface SandboxEngine {
  readonly origin: string;
  readonly phonesUrl: string;
  /** Where the phones are served. */
  readonly phonesOrigin: string;
  api<T>(path: string): Promise<T>;
  /** Ends it at once. */
  kill(): Promise<void>;
}

export interface SandboxOptions {
  /** Given the address of the phones, which push hooks are at. */
  readonly deployment?: (phonesOrigin: string) => DeploymentInput;
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
}

export async function startSandboxEngine(options: SandboxOptions = {}): Promise<SandboxEngine> {
  const folder = mkdtempSync(join(tmpdir(), "tandem-browser-"));
  const port = options.port ?? freePair();
  const env: Record<string, string> = { PATH: Bun.env["PATH"] ?? "", HOME: folder, PORT: String(port) };
  if (options.deployment) {
    const deployment = options.deployment(`http://127.0.0.1:${port + 1}`);
    writeFileSync(join(folder, "deployment.json"), JSON.stringify(deployment));
    env["TANDEM_CONFIG"] = join(folder, "deployment.json");
  }
  const child = Bun.spawn([process.execPath, MAIN], {
    cwd: folder,
    env: { ...env, ...options.env, LOG_LEVEL: "warn" },
    stdout: "pipe",
    stderr: "pipe",
  });
  // Its log is told only if it does not start: what a test expects of it, the test looks at.
  const log = new Response(child.stderr).text();
  const banner = await untilReady(child.stdout);
  if (banner === null) throw new Error(`the engine did not start: ${await log}`);
  const phonesUrl = /^\s*phones\s+(\S+)$/m.exec(banner)?.[1] ?? "";
  const origin = `http://127.0.0.1:${port}`;
  return {
    origin,
    phonesUrl,
    phonesOrigin: new URL(phonesUrl).origin,
    api: async <T>(path: string) => (await (await fetch(`${origin}/api/${path}`)).json()) as T,
    kill: async () => {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `null`: it has ended. */
async function untilReady(stdout: ReadableStream<Uint8Array>): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stdout) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("bun run call")) return text;
  }
  return null;
}

/** A free port whose next one, the phones', is free as well. */
function freePair(): number {
  const listen = (port: number) =>
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } });
  for (;;) {
    const first = listen(0);
    try {
      listen(first.port + 1).stop(true);
      return first.port;
    } catch {
      // Somebody has the next one: look for another pair.
    } finally {
      first.stop(true);
    }
  }
}
