/** Runs one world from the first ring to the last timer. */
import { Drama } from "./drama.ts";
import type { Violation } from "./court.ts";
import { Watch } from "./invariants.ts";
import type { Plan } from "./plan.ts";
import { replayLogs } from "./replays.ts";
import { buildWorld, step, type Tampering, type World } from "./world.ts";

export interface Outcome {
  readonly violations: readonly Violation[];
  /** Of everything that happened, in order and with its time. */
  readonly hash: string;
  readonly events: number;
  readonly virtualMs: number;
  readonly reached: ReadonlySet<string>;
  /** The last events, oldest first. */
  readonly last: readonly string[];
}

/** More steps than any world needs: one that takes more goes round in circles. */
const MAX_STEPS = 400_000;
/** How often it is looked whether everything is over. */
const LOOK_MS = 500;
/** Longer than anything takes on the network. */
const IN_TRANSIT_MS = 2000;
/** From the caller's leaving; a little longer than what is allowed. */
const GIVE_UP_MS = 90_000;
/** How long it is looked on when somebody is still sought and no caller is there any more. */
const FOLLOW_MS = 6000;
/** A world has no machine: what the engine reads of it is slow to find out, and never twice the same. */
const NO_CPU = { user: 0, system: 0 } as const;

export function simulate(plan: Plan, tampering: Tampering = {}): Outcome {
  const { cpuUsage } = process;
  process.cpuUsage = () => NO_CPU;
  try {
    return run(plan, tampering);
  } finally {
    process.cpuUsage = cpuUsage;
  }
}

function run(plan: Plan, tampering: Tampering): Outcome {
  const watch = new Watch(plan);
  const world = buildWorld(plan, watch, tampering);
  watch.attend(world);
  const drama = new Drama(world, watch);
  drama.begin();
  play(world, watch);
  drama.end();
  watch.finish();
  close(world, watch);
  replayLogs(world, watch);
  return {
    violations: watch.violations,
    hash: world.trace.hash,
    events: world.trace.events,
    virtualMs: world.clock.monotonicMs(),
    reached: watch.met,
    last: world.trace.last,
  };
}

/** Until nothing is left of the call, or for long enough to say that something will stay. */
function play(world: World, watch: Watch): void {
  const { clock } = world;
  let lookMs = 0;
  for (let steps = 0; steps < MAX_STEPS; steps++) {
    if (!step(world, Number.POSITIVE_INFINITY)) break;
    watch.check();
    const nowMs = clock.monotonicMs();
    if (nowMs < lookMs) continue;
    lookMs = nowMs + LOOK_MS;
    const { emptyMs } = watch;
    if (emptyMs === null || world.seat.isDown) continue;
    const enoughMs = watch.incidents.following ? FOLLOW_MS : 0;
    if (nowMs - emptyMs >= enoughMs && watch.leftovers().length === 0) return;
    if (nowMs - Math.max(emptyMs, world.seat.startedMs) > GIVE_UP_MS) return;
  }
}

/** Stops everything; then there must be no timer left. */
function close(world: World, watch: Watch): void {
  let stopped = false;
  const stop = async (): Promise<void> => {
    await world.seat.stop();
    await world.carrier.stop();
    await world.model.stop();
    stopped = true;
  };
  void stop();
  const untilMs = world.clock.monotonicMs() + GIVE_UP_MS;
  while (!stopped && step(world, untilMs));
  // What is still on its way to somebody who has gone.
  const arrivedMs = world.clock.monotonicMs() + IN_TRANSIT_MS;
  while (step(world, arrivedMs));
  watch.stopped(stopped, world.clock.pendingTimers);
}
