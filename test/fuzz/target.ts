/**
 * What is fuzzed: a real engine in a process of its own, with production settings, against the sandbox's carrier and
 * model; and what is held against it whatever it was sent.
 */
import type { DeploymentInput } from "../../engine/config/deployment.ts";
import type { CallRow } from "../../engine/ports.ts";
import type { Phone } from "../../adapters/sandbox/phone/phone.ts";
import { CONSOLE_TOKEN, type EngineProcess, type Outside, startOutside } from "../support/engine-process.ts";
import { readFamilies } from "../support/exposition.ts";
import { ACCOUNT, CALLER, MODEL_KEY, noise, NUMBER, ON_CALL } from "../support/world.ts";
import { Broken } from "./edge.ts";
import { MEMORY_LINE, type Memory } from "./gc-on-signal.ts";
import { ModelFront } from "./model-front.ts";

const VIEWER_TOKEN = "a-viewer-token-for-tests";
const ENCRYPTION_KEY = "dGhlIGtleSB0aGF0IG5vYm9keSBtYXkgZXZlciBzZWU";
const WEBHOOK_SECRET = "a-webhook-secret-for-tests-only";
/** What an honest caller says: nobody without the right hears it again. */
const CANARY = "heron-canary-7311";
const PRELOAD = new URL("./gc-on-signal.ts", import.meta.url).pathname;

const DEPLOYMENT: DeploymentInput = {
  escalation: {
    ackTimeoutMs: 1000,
    ringTimeoutMs: 5000,
    againAfterMs: 1000,
    repeat: 0,
    rungs: [{ name: "primary", contacts: [{ name: "on call", voice: ON_CALL }] }],
  },
  // Calls whose callers never come, or that nobody ends, end by themselves.
  limits: { arriveTimeoutMs: 15_000, maxCallMs: 60_000, modelReadyTimeoutMs: 30_000 },
  overload: { loopLatenessMs: 0 },
  postCall: { attempts: 2, retryAfterMs: 100, timeoutMs: 2000 },
};

/** Gauges that are 0 when nobody calls and nobody looks. */
const AT_REST = [
  "tandem_calls_live",
  "tandem_media_now",
  "tandem_console_now",
  "tandem_effects_open",
  "tandem_post_calls_open",
  "tandem_follow_ups_open",
  "tandem_store_failing",
] as const;

export interface Target {
  readonly origin: string;
  readonly port: number;
  readonly authToken: string;
  readonly consoleToken: string;
  readonly viewerToken: string;
  readonly front: ModelFront;
  /** Throws {@link Broken} for what nobody may be told. */
  look(text: string): void;
  /** Throws {@link Broken} when the engine has died, or logged an error that was not to be expected. */
  alive(expected: readonly string[]): Promise<void>;
  /** Values by series, as `name{label="value"}`. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  memory(): Promise<Memory>;
  /** Calls, is answered, says something, and hangs up. */
  honestCall(): Promise<void>;
  /** A caller who is put through to the engine, and stays; their phones are told apart by a number below 30. */
  dial(nth: number): Promise<Caller>;
  /** Resolves once nothing is left of what was begun. */
  atRest(): Promise<void>;
  stop(): Promise<void>;
}

export interface Caller {
  readonly callSid: string;
  /** Resolves once the AI and the caller talk, or after a while in which they could not. */
  answered(): Promise<void>;
  hangUp(): Promise<void>;
}

/** How long an honest call may take for each of its steps, on a machine that has other work. */
const HONEST_GUARD_MS = 60_000;
/** Callers who stay have numbers from here on. */
const FIRST_NUMBER = 15_550_160;
/** How long a caller waits for a greeting that may never come, from a model that is being fuzzed. */
const PATIENCE_MS = 3000;

export async function startTarget(): Promise<Target> {
  const fronts: ModelFront[] = [];
  const outside = await startOutside({
    deployment: DEPLOYMENT,
    modelUrl: (sandboxUrl) => {
      const front = new ModelFront(sandboxUrl);
      fronts.push(front);
      return front.url;
    },
    env: {
      BUN_OPTIONS: `--preload=${PRELOAD}`,
      TANDEM_VIEWER_TOKEN: VIEWER_TOKEN,
      TANDEM_ENCRYPTION_KEY: ENCRYPTION_KEY,
      TANDEM_WEBHOOK_SECRET: WEBHOOK_SECRET,
    },
  });
  const [front] = fronts;
  if (!front) throw new Error("the model's address was not asked for");
  const engine = await outside.start();
  // Whoever is paged answers and takes it, so that no incident stays open.
  const taken = { behaviour: "answer", afterMs: 50, press: "1", hangUpAfterMs: 300 } as const;
  outside.carrier.phones.setBehaviour(ON_CALL, taken);
  return new EngineTarget(outside, engine, front);
}

class EngineTarget implements Target {
  readonly origin: string;
  readonly port: number;
  readonly authToken = ACCOUNT.authToken;
  readonly consoleToken = CONSOLE_TOKEN;
  readonly viewerToken = VIEWER_TOKEN;
  readonly front: ModelFront;
  readonly #outside: Outside;
  readonly #pid: number;
  #code: number | null = null;
  #calls = 0;

  constructor(outside: Outside, engine: EngineProcess, front: ModelFront) {
    this.#outside = outside;
    this.front = front;
    this.origin = outside.origin;
    this.port = Number(new URL(outside.origin).port);
    this.#pid = engine.pid;
    void engine.exited.then((code) => (this.#code = code));
  }

  look(text: string): void {
    const secrets = [ACCOUNT.authToken, MODEL_KEY, CONSOLE_TOKEN, VIEWER_TOKEN, ENCRYPTION_KEY];
    for (const secret of [...secrets, WEBHOOK_SECRET, CANARY])
      if (text.includes(secret)) throw new Broken(`an answer holds ${secret}`);
  }

  async alive(expected: readonly string[]): Promise<void> {
    if (this.#code !== null)
      throw new Broken(
        `the engine has ended with ${this.#code}: ${this.#outside.said.join("").slice(-2000)}`,
      );
    const health = await fetch(`${this.origin}/healthz`, { signal: AbortSignal.timeout(20_000) });
    if (health.status !== 200) throw new Broken(`/healthz answers ${health.status}`);
    const errors = this.#errors(expected);
    if (errors !== "") throw new Broken(`the engine has logged ${errors}`);
  }

  async metrics(): Promise<ReadonlyMap<string, number>> {
    const families = readFamilies(await (await fetch(`${this.origin}/metrics`)).text());
    return new Map([...families.values()].flatMap(({ series }) => [...series]));
  }

  async memory(): Promise<Memory> {
    const { said } = this.#outside;
    const before = said.length;
    process.kill(this.#pid, "SIGUSR2");
    return await this.#outside.until("the engine tells of its memory", () => {
      const line = new RegExp(`^${MEMORY_LINE}(.*)$`, "m").exec(said.slice(before).join(""))?.[1];
      return line === undefined ? null : (JSON.parse(line) as Memory);
    });
  }

  async honestCall(): Promise<void> {
    const { script, answer } = this.front;
    this.front.script = null;
    this.front.answer = null;
    try {
      await this.#honestly(await this.#outside.phone(CALLER));
    } catch (error) {
      throw new Broken(`an honest call failed: ${String(error)}`);
    } finally {
      this.front.script = script;
      this.front.answer = answer;
    }
  }

  async #honestly(phone: Phone): Promise<void> {
    const { until } = this.#outside;
    try {
      const callSid = await phone.dial(NUMBER);
      await until("the AI is heard", () => phone.ear.heardSpeech, 5, HONEST_GUARD_MS);
      // The canary is said once: later calls have enough to do with being answered.
      if (this.#calls++ === 0) await phone.speak(noise("canary", 400), `I say ${CANARY}.`);
      const inState = (state: string) => async () => (await this.#state(callSid)) === state;
      await until("streaming", inState("streaming"), 20, HONEST_GUARD_MS);
      phone.hangUp();
      await until("ended", inState("ended"), 20, HONEST_GUARD_MS);
    } finally {
      phone.close();
      await phone.closed;
    }
  }

  async dial(nth: number): Promise<Caller> {
    const phone = await this.#outside.phone(`+${FIRST_NUMBER + nth}`);
    const callSid = await phone.dial(NUMBER);
    const streams = async (): Promise<boolean> => (await this.#state(callSid)) === "streaming";
    return {
      callSid,
      answered: async () => {
        await this.#outside.until("streaming", streams, 20, PATIENCE_MS).catch(() => undefined);
      },
      hangUp: async () => {
        phone.close();
        await phone.closed;
      },
    };
  }

  async #state(callSid: string): Promise<string | undefined> {
    return (await this.#outside.api<{ readonly state?: string }>(`calls/${callSid}`)).state;
  }

  async atRest(): Promise<void> {
    let left: readonly string[] = [];
    const rest = async (): Promise<boolean> => {
      const metrics = await this.metrics();
      if (metrics.get("tandem_follow_ups_open") !== 0) await this.#endFollowUps();
      left = [...metrics]
        .filter(([name, value]) => value !== 0 && AT_REST.some((gauge) => name.startsWith(gauge)))
        .map(([name, value]) => `${name} is ${value}`);
      if (this.front.open > 0) left = [...left, `${this.front.open} sockets to the model are open`];
      return left.length === 0;
    };
    await this.#outside.until("rest", rest, 100, 120_000).catch(() => {
      throw new Broken(`something is left: ${left.join(", ")}`);
    });
  }

  /** Whoever asked for a person, and was cut off by what was sent, is sought on for until an operator ends that. */
  async #endFollowUps(): Promise<void> {
    const rows = await this.#outside.api<readonly CallRow[]>("calls?limit=500");
    for (const { callSid, escalation } of rows) {
      if (escalation && escalation.endedAt === null)
        await this.#outside.command(callSid, { command: "hangup" });
    }
  }

  async stop(): Promise<void> {
    await this.#outside.stop();
    await this.front.stop();
  }

  /** What was logged as an error since it was asked last. */
  #errors(expected: readonly string[]): string {
    const lines = this.#outside.said.splice(0).join("").split("\n");
    const bad = lines.filter((line) => line.includes('"level":"error"'));
    return bad.filter((line) => !expected.some((event) => line.includes(`"event":"${event}"`))).join("\n");
  }
}
