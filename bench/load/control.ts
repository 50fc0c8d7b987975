/** The parent's side: starts the generator and a system under test, and talks to them. */
import { fileURLToPath } from "node:url";
import { InvariantError } from "../../engine/errors.ts";
import type { AudioFormat } from "./model-line.ts";
import { Child, GENERATOR_CORE, SYSTEM_CORE } from "./processes.ts";
import type {
  Answer,
  ChurnPlan,
  Churned,
  Command,
  GeneratorOptions,
  GeneratorReady,
  Offer,
  Started,
  Target,
  Window,
} from "./protocol.ts";

const START_LIMIT_MS = 20_000;
const ANSWER_LIMIT_MS = 20_000;
/** To place one call, at the slowest. */
const CALL_LIMIT_MS = 12_000;

const GENERATOR = fileURLToPath(new URL("./generator.ts", import.meta.url));
const RELAY = fileURLToPath(new URL("./suts/relay.ts", import.meta.url));

export async function spawnGenerator(options: GeneratorOptions): Promise<Generator> {
  const command = [process.execPath, GENERATOR, JSON.stringify(options)];
  const child = new Child({ command, core: GENERATOR_CORE });
  try {
    const ready = await child.line("the generator", START_LIMIT_MS, (line) =>
      line.startsWith("{") ? (JSON.parse(line) as GeneratorReady) : null,
    );
    return new Generator(child, ready);
  } catch (error) {
    await child.stop();
    throw error;
  }
}

export class Generator {
  readonly ready: GeneratorReady;
  readonly #child: Child;

  constructor(child: Child, ready: GeneratorReady) {
    this.#child = child;
    this.ready = ready;
  }

  async start(calls: number, target: Target): Promise<Started> {
    const limitMs = ANSWER_LIMIT_MS + calls * CALL_LIMIT_MS;
    return (await this.#ask({ op: "start", calls, target }, limitMs)) as Started;
  }

  async settle(settleMs: number): Promise<void> {
    await this.#ask({ op: "settle", settleMs }, ANSWER_LIMIT_MS + settleMs);
  }

  async window(windowMs: number, offer: Offer | null = null): Promise<Window> {
    const limitMs = ANSWER_LIMIT_MS + windowMs + (offer?.calls ?? 0) * CALL_LIMIT_MS;
    return (await this.#ask({ op: "window", windowMs, offer }, limitMs)) as Window;
  }

  async hangUp(): Promise<void> {
    await this.#ask({ op: "hangUp" }, 6 * ANSWER_LIMIT_MS);
  }

  async churn(target: Target, plan: ChurnPlan): Promise<Churned> {
    const limitMs = plan.durationMs + 6 * ANSWER_LIMIT_MS;
    return (await this.#ask({ op: "churn", target, plan }, limitMs)) as Churned;
  }

  cpuUs(): number {
    return this.#child.cpuUs();
  }

  async stop(): Promise<void> {
    await this.#child.stop();
  }

  async #ask(command: Command, limitMs: number): Promise<unknown> {
    this.#child.write(JSON.stringify(command));
    const answer = await this.#child.line(`the answer to ${command.op}`, limitMs, (line) =>
      line.startsWith('{"ok"') ? (JSON.parse(line) as Answer) : null,
    );
    if (!answer.ok) throw new InvariantError(`${command.op}: ${answer.problem}`);
    return answer.result;
  }
}

/** A system under test, running. */
export interface System {
  readonly name: string;
  readonly child: Child;
  readonly target: Target;
  stop(): Promise<void>;
}

/** How to start one, told where the model is. */
export interface SystemKind {
  readonly name: string;
  start(where: GeneratorReady, format: AudioFormat): Promise<System>;
}

/**
 * A system that keeps the contract: it is told `PORT=0`, `MODEL_URL` and `AUDIO_FORMAT`, says `ready PORT` on
 * standard output once it listens, takes Media Streams at `/media`, opens one model socket with an Authorization
 * header for each, and ends on SIGTERM.
 */
export function contractSystem(name: string, command: readonly string[], cwd?: string): SystemKind {
  return {
    name,
    start: async ({ modelPort }, format) => {
      const child = new Child({
        command,
        core: SYSTEM_CORE,
        ...(cwd === undefined ? {} : { cwd }),
        env: {
          PORT: "0",
          MODEL_URL: `ws://127.0.0.1:${modelPort}/v1/realtime?model=load`,
          AUDIO_FORMAT: format,
        },
      });
      try {
        const port = await child.line(`"ready" of ${name}`, START_LIMIT_MS, (line) => {
          const found = /^ready (\d+)$/.exec(line);
          return found ? Number(found[1]) : null;
        });
        return { name, child, target: { kind: "stream", port }, stop: () => child.stop() };
      } catch (error) {
        await child.stop();
        throw error;
      }
    },
  };
}

export const relay: SystemKind = contractSystem("bare Bun relay", [process.execPath, RELAY]);
