/**
 * The whole engine as a system under test, as it is deployed: `engine/main.ts` in a process of its own, with its
 * Twilio and its model at the load generator, its calls in a database, its log in a file, and somebody who reads
 * its metrics and its list of calls all the time.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InvariantError } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { freePort } from "../../engine/platform/free-port.ts";
import { APP_SID, ACCOUNT_SID, AUTH_TOKEN, NUMBER } from "./mini-twilio.ts";
import type { System } from "./control.ts";
import { Child, SYSTEM_CORE } from "./processes.ts";
import type { GeneratorReady } from "./protocol.ts";

const MAIN = fileURLToPath(new URL("../../engine/main.ts", import.meta.url));
const START_LIMIT_MS = 20_000;
/** Without calls it needs less; with calls it would say goodbye to each of them, and nobody listens any more. */
const STOP_LIMIT_MS = 1_000;
const SCRAPE_EVERY_MS = 5_000;
const CONSOLE_TOKEN = "load-console-token";
/** Calls come as fast as the generator places them. */
const CALLS_PER_SECOND = 1000;
const PAGE = 500;

export interface EngineOptions {
  /** Sections of the deployment file that are not to be as {@link UNLIMITED} has them. */
  readonly deployment?: Readonly<Record<string, unknown>>;
}

/** Nobody is turned away, and nobody is waited for at the end. */
const UNLIMITED = { limits: { maxLiveCalls: 10_000, drainMs: 0 }, overload: { loopLatenessMs: 0 } };

export interface LogLine {
  readonly level: string;
  readonly event: string;
}

export class EngineSystem implements System {
  readonly name = "full engine";
  readonly child: Child;
  readonly target: { readonly kind: "twilio"; readonly origin: string };
  readonly #origin: string;
  readonly #folder: string;
  #timer: unknown = null;
  #stopped = false;

  private constructor(child: Child, origin: string, folder: string) {
    this.child = child;
    this.#origin = origin;
    this.#folder = folder;
    this.target = { kind: "twilio", origin };
    this.#scrapeLater();
  }

  static async start(where: GeneratorReady, options: EngineOptions = {}): Promise<EngineSystem> {
    const folder = mkdtempSync(join(tmpdir(), "tandem-bench-"));
    const config = join(folder, "deployment.json");
    // The engine's public URL holds its port, so it must be known before.
    const port = freePort("127.0.0.1");
    const origin = `http://127.0.0.1:${port}`;
    await Bun.write(config, JSON.stringify({ ...UNLIMITED, ...options.deployment }));
    const child = new Child({
      command: [process.execPath, MAIN],
      core: SYSTEM_CORE,
      stderr: Bun.file(join(folder, "log")),
      env: environment(where, origin, port, folder, config),
    });
    try {
      await child.line("the engine", START_LIMIT_MS, (line) => (line.includes("console  ") ? true : null));
      return new EngineSystem(child, origin, folder);
    } catch (error) {
      await child.stop(STOP_LIMIT_MS);
      const log = readFileSync(join(folder, "log"), "utf8").slice(0, 2000);
      rmSync(folder, { recursive: true, force: true });
      throw new InvariantError(`the engine did not start: ${String(error)}; its log: ${log}`);
    }
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.#origin}/metrics`)).text();
  }

  /** The sum of a metric over all its labels. */
  async metric(name: string): Promise<number> {
    const lines = (await this.metrics()).split("\n").filter((line) => new RegExp(`^${name}[ {]`).test(line));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /** Sids of all calls that have a row, and how many of them are over. */
  async rows(): Promise<{ readonly callSids: ReadonlySet<string>; readonly ended: number }> {
    const callSids = new Set<string>();
    let ended = 0;
    for (let before = ""; ;) {
      const rows = (await this.#api(`calls?limit=${PAGE}${before === "" ? "" : `&before=${before}`}`)) as {
        readonly callSid: string;
        readonly state: string;
      }[];
      for (const row of rows) {
        callSids.add(row.callSid);
        if (row.state === "ended") ended++;
        before = row.callSid;
      }
      if (rows.length < PAGE) return { callSids, ended };
    }
  }

  /** What was logged at `warn` or above. */
  complaints(): readonly LogLine[] {
    const lines = readFileSync(join(this.#folder, "log"), "utf8").split("\n");
    return lines.flatMap((line) => {
      if (line === "") return [];
      const { level = "error", event = line.slice(0, 200) } = parseLine(line);
      return level === "warn" || level === "error" ? [{ level, event }] : [];
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    systemClock.clearTimeout(this.#timer);
    await this.child.stop(STOP_LIMIT_MS);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #api(path: string): Promise<unknown> {
    const headers = { authorization: `Bearer ${CONSOLE_TOKEN}` };
    return await (await fetch(`${this.#origin}/api/${path}`, { headers })).json();
  }

  #scrapeLater(): void {
    this.#timer = systemClock.setTimeout(() => {
      const scrape = async (): Promise<void> => {
        await this.metrics();
        await this.#api("calls");
      };
      // One that fails is missed: if the engine is gone, whoever measures it finds out.
      void scrape()
        .catch(() => undefined)
        .finally(() => {
          if (!this.#stopped) this.#scrapeLater();
        });
    }, SCRAPE_EVERY_MS);
  }
}

function environment(
  where: GeneratorReady,
  origin: string,
  port: number,
  folder: string,
  config: string,
): Readonly<Record<string, string>> {
  return {
    PORT: String(port),
    PUBLIC_URL: origin,
    TWILIO_ACCOUNT_SID: ACCOUNT_SID,
    TWILIO_AUTH_TOKEN: AUTH_TOKEN,
    TWILIO_TWIML_APP_SID: APP_SID,
    TWILIO_NUMBER: NUMBER,
    TWILIO_CALLS_PER_SECOND: String(CALLS_PER_SECOND),
    TWILIO_API_BASE_URL: `http://127.0.0.1:${where.restPort}`,
    OPENAI_API_KEY: "load",
    OPENAI_BASE_URL: `http://127.0.0.1:${where.modelPort}/v1`,
    DATABASE_URL: `sqlite://${join(folder, "calls.db")}`,
    TANDEM_CONFIG: config,
    TANDEM_CONSOLE_TOKEN: CONSOLE_TOKEN,
    LOG_LEVEL: "info",
  };
}

function parseLine(line: string): { readonly level?: string; readonly event?: string } {
  try {
    return JSON.parse(line) as { readonly level?: string; readonly event?: string };
  } catch {
    // Not from the log: the runtime's own last words.
    return {};
  }
}
