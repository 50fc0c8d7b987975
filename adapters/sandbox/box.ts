/**
 * The whole sandbox: carrier and speech model on loopback, in a worker thread of their own, so that mixing
 * audio does not share a loop with the engine that is being tried.
 */
import type { Ids, LogLevel } from "../../engine/ports.ts";
import { StoreError } from "../../engine/errors.ts";
import type { PhonesSetting } from "./web/phone-pages.ts";
import type { BoxMessage, BoxReply } from "./box-protocol.ts";

export interface Sandbox {
  readonly carrierUrl: string;
  /** For `OPENAI_BASE_URL`. */
  readonly modelUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  readonly twimlAppSid: string;
  /** The number callers dial. */
  readonly number: string;
  readonly modelKey: string;
  /** Where the browser phones are. */
  readonly phonesUrl: string;
  /** Tells the carrier where the engine's webhooks are, and its browser phones whom they can be. */
  configure(phones: PhonesSetting): Promise<void>;
  stop(): Promise<void>;
}

export interface SandboxOptions {
  readonly ids: Ids;
  readonly logLevel: LogLevel;
  /** Persona of the speech model; `after-hours` by default. */
  readonly persona?: string;
  readonly callsPerSecond?: number;
  /** Of the carrier and its phones; when it is taken, or by default, any that is free. */
  readonly carrierPort?: number;
}

const NUMBER = "+15550123";

/** Starts the sandbox. Its credentials are made up anew at each start and are good for nothing else. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { ids } = options;
  const account = {
    accountSid: ids.sid("AC"),
    authToken: ids.token(),
    twimlAppSid: ids.sid("AP"),
    number: NUMBER,
    modelKey: ids.token(),
  };
  const worker = new Worker(new URL("./box-worker.ts", import.meta.url));
  const replies = new Replies(worker);
  const { logLevel, persona = "after-hours", callsPerSecond = 1, carrierPort = 0 } = options;
  const asked = { account, logLevel, persona, callsPerSecond, carrierPort };
  const started = await replies.ask({ type: "start", ...asked });
  return {
    ...account,
    carrierUrl: started.carrierUrl,
    phonesUrl: `${started.carrierUrl}/phones`,
    modelUrl: started.modelUrl,
    configure: async (phones) => {
      await replies.ask({ type: "configure", phones });
    },
    stop: async () => {
      await replies.ask({ type: "stop" });
      worker.terminate();
    },
  };
}

/** One question to the worker at a time, in order. */
class Replies {
  readonly #worker: Worker;
  readonly #waiting: { resolve(reply: BoxReply & { ok: true }): void; reject(error: Error): void }[] = [];

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.addEventListener("message", (message: MessageEvent<BoxReply>) => {
      const next = this.#waiting.shift();
      if (message.data.ok) next?.resolve(message.data);
      else next?.reject(new StoreError(message.data.problem));
    });
    worker.addEventListener("error", (event) => {
      for (const waiting of this.#waiting.splice(0))
        waiting.reject(new StoreError(`sandbox: ${event.message}`));
    });
  }

  async ask(message: BoxMessage): Promise<BoxReply & { ok: true }> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(message);
    });
  }
}
