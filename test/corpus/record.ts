/** Plays a call of the corpus in the simulation's world, and takes its log. */
import { LOG_CLOSED } from "../../engine/audit/chain.ts";
import type { ChainedEntry } from "../../engine/platform/hash-chain.ts";
import type { AuditEntry } from "../../engine/ports.ts";
import { type Audience, Drama } from "../sim/drama.ts";
import { buildWorld, type Observer, step } from "../sim/world.ts";
import type { CorpusCall } from "./calls.ts";

/** After this a call of the corpus is taken for one that does not end. */
const MAX_MS = 10 * 60_000;
const STOP_LIMIT_MS = 3000;

const nothing = (): void => undefined;
const NOBODY: Observer & Audience = {
  log: nothing,
  audit: nothing,
  row: nothing,
  instructed: nothing,
  played: nothing,
  dialled: nothing,
  ear: nothing,
  callerSpoke: nothing,
  callerLeft: nothing,
  rang: nothing,
  pickedUp: nothing,
  pressed: nothing,
  gotText: nothing,
  gotPush: nothing,
  texted: nothing,
  said: nothing,
};

/** The same call gives the same log, until something that it depends on changes. To be warmed up before. */
export function record(call: CorpusCall): readonly ChainedEntry[] {
  const world = buildWorld(call.plan, NOBODY);
  let first: string | null = null;
  const drama = new Drama(world, { ...NOBODY, dialled: (callSid) => void (first ??= callSid) });
  drama.begin();
  let over = false;
  const stop = (): void => void world.engine.stop(STOP_LIMIT_MS).then(() => (over = true));
  if (call.stopMs !== null) world.clock.setTimeout(stop, call.stopMs);
  const log = () => world.store.logs.get(first ?? "") ?? [];
  while (!over && log().at(-1)?.name !== LOG_CLOSED) {
    if (!step(world, MAX_MS)) throw new Error(`${call.name} does not end`);
  }
  drama.end();
  return log() as readonly AuditEntry[] as readonly ChainedEntry[];
}
