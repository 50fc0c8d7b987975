/** Plays a call of the corpus in the simulation's world, and takes its log. */
import { type ChainedEntry, LOG_CLOSED } from "../../engine/audit/chain.ts";
import { type Deployment, deploymentSchema } from "../../engine/config/deployment.ts";
import type { AuditEntry } from "../../engine/ports.ts";
import type { Audience } from "../sim/drama.ts";
import { Drama } from "../sim/drama.ts";
import { buildWorld, NUMBER, type Observer, step, type World } from "../sim/world.ts";
import type { CorpusCall } from "./calls.ts";

/** After this a call of the corpus is taken for one that does not end. */
const MAX_MS = 10 * 60_000;
/** From exhaustion until the rungs are walked again. */
const AGAIN_MS = 30_000;
const STOP_LIMIT_MS = 3000;
/** `…/ack/{token}` in a text. */
const LINK = /http\S+\/ack\/\S+/;

const nothing = (): void => undefined;
const NOBODY: Observer & Audience = {
  log: nothing,
  audit: nothing,
  row: nothing,
  instructed: nothing,
  played: nothing,
  ear: nothing,
  callerSpoke: nothing,
  callerLeft: nothing,
  rang: nothing,
  pickedUp: nothing,
  said: nothing,
};

/** The same call gives the same log, until something that it depends on changes. To be warmed up before. */
export function record(call: CorpusCall): readonly ChainedEntry[] {
  const world = buildWorld(call.plan, NOBODY, {
    engine: (options) => ({ ...options, deployment: deploymentOf(call, options.deployment) }),
  });
  const drama = new Drama(world, NOBODY);
  drama.begin();
  for (const { atMs, from, body } of call.texts) {
    world.clock.setTimeout(() => world.carrier.phones.sendSms(from, NUMBER, body), atMs);
  }
  for (const { atMs, of } of call.links) world.clock.setTimeout(() => open(world, of), atMs);
  let over = false;
  const stop = (): void => void world.engine.stop(STOP_LIMIT_MS).then(() => (over = true));
  if (call.stopMs !== null) world.clock.setTimeout(stop, call.stopMs);
  const log = () => world.store.logs.get(drama.callSid) ?? [];
  while (!over && log().at(-1)?.name !== LOG_CLOSED) {
    if (!step(world, MAX_MS)) throw new Error(`${call.name} does not end`);
  }
  drama.end();
  return log() as readonly AuditEntry[] as readonly ChainedEntry[];
}

function open({ carrier, network }: World, of: string): void {
  const url = carrier.phones
    .inbox(of)
    .map(({ body }) => LINK.exec(body)?.[0])
    .findLast((found) => found !== undefined);
  if (url === undefined) throw new Error(`${of} has no link in a text`);
  void network.fetch(url, { method: "POST" });
}

function deploymentOf({ plan, rungs }: CorpusCall, base: Deployment): Deployment {
  if (rungs === null) return base;
  const { ackTimeoutMs, afterHandover } = plan;
  const { escalation } = deploymentSchema.parse({
    escalation: { ackTimeoutMs, afterHandover, againAfterMs: AGAIN_MS, rungs },
  });
  return { ...base, escalation };
}
