/** Engines that come and go on one store and one carrier, whose answers can be lost. */
import type { EffectAnswer } from "../../../engine/call/effect-answer.ts";
import { EffectRunner } from "../../../engine/call/effect-runner.ts";
import { CarrierEffects, type CarrierEffect } from "../../../engine/call/effects.ts";
import { LegKeys } from "../../../engine/call/leg-keys.ts";
import { PageEffects } from "../../../engine/call/page-effects.ts";
import { createPageWording } from "../../../engine/call/page-wording.ts";
import { Recorder } from "../../../engine/call/recorder.ts";
import { createUrls } from "../../../engine/call/urls.ts";
import { Journal } from "../../../engine/effects/journal.ts";
import { CarrierError } from "../../../engine/errors.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import type { PageEffect } from "../../../machines/ladder.types.ts";
import { FAKE_ACCOUNT, InstantCarrier, MemoryStore } from "../../support/fake-ports.ts";
import { KeptPushes } from "../../support/kept-pushes.ts";
import { CALL_SID, CONFERENCE_SID, deploymentOf, keptLog, settle, START_MS } from "../call/support.ts";

export type AnyEffect = CarrierEffect | PageEffect;
type Create = "createParticipant" | "createCall" | "sendMessage";
/** - `before`: nothing was done; - `after`: it was; - `hangs`: it was, and no answer ever comes. */
export type Loss = "before" | "after" | "hangs";

function lost(operation: string): CarrierError {
  const init = { status: 0, code: 0, retryable: true, ambiguous: true, operation };
  return new CarrierError("no answer in time", init);
}

/** Loses the answers of its next creates as it is told, and makes nothing that was withdrawn before. */
export class LossyCarrier extends InstantCarrier {
  readonly #losses: Loss[] = [];
  constructor(clock: VirtualClock) {
    super(clock);
    for (const operation of ["createParticipant", "createCall", "sendMessage"] as const)
      this.#wrap(operation);
  }

  lose(...losses: readonly Loss[]): void {
    this.#losses.push(...losses);
  }

  #wrap(operation: Create): void {
    const real = this[operation].bind(this) as (input: never) => Promise<unknown>;
    const lossy = async (input: never, signal?: AbortSignal): Promise<unknown> => {
      signal?.throwIfAborted();
      const loss = this.#losses.shift();
      if (loss === "before") throw lost(operation);
      const answer = await real(input);
      if (loss === "hangs") return await new Promise(() => undefined);
      if (loss === "after") throw lost(operation);
      return answer;
    };
    Object.assign(this, { [operation]: lossy });
  }
}

/** The words of a text change with the time: its link has an expiry. */
const ackUrl = (clock: VirtualClock) => (callSid: string, label: string) =>
  `https://voice.example/ack/${callSid}-${label}-${clock.now()}`;

export function makeWorld(store = new MemoryStore()) {
  const clock = new VirtualClock(START_MS);
  const carrier = new LossyCarrier(clock);
  const pushes = new KeptPushes();
  const from = FAKE_ACCOUNT.number;
  const made = async (to: string) => ({
    calls: await carrier.findCalls({ to, from, sinceMs: 0 }),
    texts: await carrier.findMessages({ to, from, sinceMs: 0 }),
  });
  return { clock, carrier, pushes, store, made };
}

export type World = ReturnType<typeof makeWorld>;

/** Of an engine that is dead no request arrives, and to it no answer. */
function mortal<T extends object>(real: T, life: { readonly over: boolean }): T {
  const never = new Promise(() => undefined);
  return new Proxy(real, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...input: unknown[]) => {
        if (life.over) return never;
        const answer: unknown = Reflect.apply(value, target, input);
        if (!(answer instanceof Promise)) return answer;
        return answer.then(
          (given) => (life.over ? never : given),
          (error: unknown) => (life.over ? never : Promise.reject(error as Error)),
        );
      };
    },
  });
}

/** An engine that has one call; `resumed` reads what the engines before it have left. */
export async function startEngine(world: World, resumed = false) {
  const { clock, pushes } = world;
  const life = { over: false };
  const carrier = mortal(world.carrier, life);
  const store = mortal(world.store, life);
  const { log, lines } = keptLog(clock);
  const journal = new Journal({ store, clock, log });
  if (resumed) await journal.resume(CALL_SID);
  const urls = createUrls("https://voice.example");
  const deployment = deploymentOf();
  const legKeys = new LegKeys("not-a-secret");
  const carrierEffects = new CarrierEffects({ carrier, clock, urls, legKeys, deployment, ...FAKE_ACCOUNT });
  const pageEffects = new PageEffects({
    carrier,
    pushes,
    claims: journal.claims,
    clock,
    urls,
    wording: createPageWording(deployment.escalation),
    number: FAKE_ACCOUNT.number,
    ackUrl: ackUrl(clock),
    escalations: {
      page: (_callSid, label) => viewOf(label),
      code: () => "K7",
      knownCode: () => "K7",
      incidents: () => [],
      texted: () => undefined,
    },
  });
  const answers: EffectAnswer[] = [];
  const ended = new AbortController();
  const call = { callSid: CALL_SID, conferenceName: `af-${CALL_SID}`, conferenceSid: CONFERENCE_SID };
  const runner = new EffectRunner<AnyEffect>({
    clock,
    log,
    recorder: new Recorder(CALL_SID, clock, store),
    journal: journal.of(CALL_SID),
    perform: (effect, turn) =>
      effect.name.startsWith("carrier.")
        ? carrierEffects.run(effect as CarrierEffect, () => call, ended.signal, turn)
        : pageEffects.run(
            effect as PageEffect,
            { callSid: CALL_SID, ringTimeoutMs: 25_000, from: "+15550177" },
            ended.signal,
            turn,
          ),
    tell: () => undefined,
    deliver: (answer) => void answers.push(answer),
  });
  /** Nothing of what it still does reaches the world, and nothing is answered. */
  const die = (): void => void (life.over = true);
  return { journal, runner, answers, lines, die };
}

function viewOf(label: string) {
  return {
    callSid: CALL_SID,
    incident: 1,
    label,
    channel: "sms",
    contactName: "on-call nurse",
    rungName: "primary",
    agent: "after-hours",
    reason: "chest pain",
    urgency: "high",
    standing: "open",
    ownerName: null,
    followUp: false,
    rings: true,
    came: false,
    unmet: false,
    callerNumber: null,
  } as const;
}

/** Time passes in steps, so that each pause can begin when the one before is over. */
export async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await settle();
    clock.advance(100);
  }
  await settle();
}

/** An engine writes the intent, and dies before it does it. */
export async function diesBefore(world: World, each: AnyEffect): Promise<void> {
  const { runner, die } = await startEngine(world);
  runner.run(each);
  die();
  await settle();
}

let ordinal = 0;
/** An effect of a page or of the call, with an id of its own. */
export function effect<N extends AnyEffect["name"]>(
  name: N,
  input: Extract<AnyEffect, { readonly name: N }>["input"],
): AnyEffect {
  return { type: "effect", id: `${CALL_SID}/${++ordinal}/${name}`, name, input } as unknown as AnyEffect;
}
