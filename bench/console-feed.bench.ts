/** What people who look at the console cost the calls that they look at. */
import { Switchboard, type LiveSession } from "../engine/console/switchboard.ts";
import { type ViewerData, Viewers, type ViewerSocket } from "../engine/console/viewers.ts";
import { Views } from "../engine/console/views.ts";
import { deploymentSchema } from "../engine/config/deployment.ts";
import type { Engine } from "../engine/engine.ts";
import { invariant } from "../engine/errors.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { pause } from "../engine/platform/clock.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { silentLog } from "../engine/platform/log.ts";
import type { Clock } from "../engine/ports.ts";
import { startFakeEngine } from "../test/support/fake-ports.ts";
import { type Bench, type BenchOptions, type Row, type Rows, fold, sampledRow } from "./runner.ts";

const PROCESS = new URL("./console-viewers.ts", import.meta.url).pathname;
const FULL = { calls: 1_000, viewers: 20, rounds: 5, windowMs: 6_000 };
const SMOKE: typeof FULL = { calls: 20, viewers: 2, rounds: 1, windowMs: 700 };
const SLOT_MS = 20;
/** Something happens in each call this often. */
const EVENT_EVERY_MS = 2_000;
const OPERATOR = { name: "bench", role: "operator", via: "console" } as const;

export const bench: Bench = {
  name: "console-feed",
  claim:
    "A thousand live calls on twenty screens cost less than a twentieth of a core, and make no frame late.",
  limitMs: () => 240_000,
  run,
};

interface Window {
  /** Share of a core, in per cent. */
  readonly share: number;
  readonly latenessMs: readonly number[];
}

async function run({ smoke, clock }: BenchOptions): Promise<Rows> {
  const parameters = smoke ? SMOKE : FULL;
  const stage = startStage(clock, parameters.calls);
  try {
    const alone: Window[] = [];
    const watched: Window[] = [];
    let told = { bytes: 0, snapshots: 0 };
    for (let round = 0; round < parameters.rounds; round++) {
      alone.push(await measure(clock, parameters.windowMs));
      const browsers = await openBrowsers(stage.url, parameters.viewers);
      watched.push(await measure(clock, parameters.windowMs));
      told = await browsers.close();
    }
    return {
      rows: rowsOf(alone, watched, stage.turnMs, parameters),
      hash: fold(told.snapshots, stage.events()),
      notes: [
        `In each call something happens every ${EVENT_EVERY_MS / 1000} s, and its levels move all the time. The screens are sockets in a process of their own; each got ${Math.round(told.bytes / parameters.viewers / 1024 / (parameters.windowMs / 1000))} KiB/s.`,
        "The calls are the engine's own, on ports that answer at once, and carry no audio: the wheel beside them shows what a frame would wait.",
      ],
    };
  } finally {
    await stage.stop();
  }
}

function rowsOf(
  alone: readonly Window[],
  watched: readonly Window[],
  turnMs: readonly number[],
  { calls, viewers }: typeof FULL,
): Row[] {
  const shares = alone.map(({ share }) => share);
  const added = watched.map(({ share }, round) => share - (shares[round] ?? 0));
  const lateness = (windows: readonly Window[]): number[] => windows.flatMap(({ latenessMs }) => latenessMs);
  const unit = "%" as const;
  return [
    sampledRow({
      what: `${calls} calls, nobody looks: share of a core`,
      unit,
      values: shares,
      against: "is the baseline",
    }),
    sampledRow({
      what: `${calls} calls, ${viewers} viewers: share of a core`,
      unit,
      values: watched.map(({ share }) => share),
    }),
    sampledRow({
      what: `what ${viewers} viewers add: share of a core`,
      unit,
      values: added,
      target: { of: "median", atMost: 5 },
    }),
    sampledRow({
      what: `one turn of a beat for ${viewers} viewers: what a frame may wait for it`,
      unit: "ms",
      values: turnMs,
      target: { of: "p99", atMost: 5 },
    }),
    sampledRow({
      what: "lateness of the pacing wheel, nobody looks",
      unit: "ms",
      values: lateness(alone),
      against: "is the baseline",
    }),
    sampledRow({
      what: `lateness of the pacing wheel, ${viewers} viewers`,
      unit: "ms",
      values: lateness(watched),
      target: { of: "p99", atMost: 5 },
    }),
  ];
}

// ---------------------------------------------------------------- the calls

interface Stage {
  readonly url: string;
  /** Processor time of each turn of a beat, with all that it sends. */
  readonly turnMs: readonly number[];
  events(): number;
  stop(): Promise<void>;
}

function startStage(clock: Clock, calls: number): Stage {
  const limits = { maxLiveCalls: calls, arriveTimeoutMs: 600_000 };
  const fake = startFakeEngine({ deployment: deploymentSchema.parse({ limits }) });
  const { engine } = fake;
  for (let i = 0; i < calls; i++) begin(engine, `CA${i.toString(16).padStart(32, "0")}`);
  const sessions = withLevels(engine);
  const switchboard = new Switchboard({ calls: () => sessions, escalations: { open: function* none() {} } });
  const views = new Views(clock, silentLog);
  const turnMs: number[] = [];
  const timed = timedClock(clock, turnMs);
  const viewers = new Viewers({ switchboard, call: () => null, views, clock: timed, log: silentLog });
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, bun) => {
      const data = viewers.admit(OPERATOR);
      return data && bun.upgrade(request, { data }) ? undefined : new Response(null, { status: 503 });
    },
    websocket: {
      data: {} as ViewerData,
      perMessageDeflate: false,
      open: (socket) => viewers.open(socket as ViewerSocket),
      message: () => undefined,
      close: (socket) => viewers.close(socket as ViewerSocket),
    },
  });
  const churn = startChurn(clock, engine, calls);
  const stop = async (): Promise<void> => {
    churn.stop();
    viewers.stop();
    await server.stop(true);
    await fake.stop();
  };
  return { url: `ws://127.0.0.1:${server.port}`, events: churn.events, turnMs, stop };
}

/** Times what its timers do: those of the feed are the turns of its beats. Processor time, which others cannot take from it. */
function timedClock(clock: Clock, tookMs: number[]): Clock {
  return {
    ...clock,
    setTimeout: (fn, delayMs) =>
      clock.setTimeout(() => {
        const before = process.cpuUsage();
        fn();
        const { user, system } = process.cpuUsage(before);
        tookMs.push((user + system) / 1000);
      }, delayMs),
  };
}

function begin({ supervisor }: Engine, callSid: string): void {
  const start = { callSid, conferenceName: `af-${callSid}`, from: "+15550177", to: "+15550123" };
  invariant(typeof supervisor.begin(start) !== "string", "the bench's calls are taken");
}

/** Without audio nothing is loud: the levels wander as those of talk do. */
function withLevels({ supervisor }: Engine): readonly LiveSession[] {
  const ids = seededIds(7);
  const level = (): number => (ids.random() < 0.5 ? -127 : -40 + Math.round(ids.random() * 20));
  return supervisor.all().map((session) => ({
    callSid: session.callSid,
    from: session.from,
    get standing() {
      return session.standing;
    },
    heard: { said: [], lastTurn: null, peaks: () => [level(), level()] as const },
  }));
}

/** Something happens in every call, one after the other, all the time. */
function startChurn(clock: Clock, { supervisor }: Engine, calls: number) {
  const sessions = supervisor.all();
  const perSlot = (calls * SLOT_MS) / EVENT_EVERY_MS;
  let owed = 0;
  let events = 0;
  let timer: unknown = null;
  const slot = (): void => {
    timer = clock.setTimeout(slot, SLOT_MS);
    for (owed += perSlot; owed >= 1; owed--) {
      const muted = Math.floor(events / calls) % 2 === 0;
      const change = {
        type: "participant.changed",
        label: "caller",
        muted,
        coaching: null,
        hold: null,
      } as const;
      sessions[events++ % calls]?.deliver(change);
    }
  };
  slot();
  return { events: () => events, stop: () => clock.clearTimeout(timer) };
}

async function measure(clock: Clock, windowMs: number): Promise<Window> {
  const latenessMs: number[] = [];
  const originMs = clock.monotonicMs();
  const wheel = new PacingWheel({ clock, slotMs: SLOT_MS });
  let due = 1;
  wheel.add({
    onSlot: (nowMs) => {
      latenessMs.push(Math.max(0, nowMs - originMs - due * SLOT_MS));
      due = Math.floor((nowMs - originMs) / SLOT_MS) + 1;
    },
  });
  const before = process.cpuUsage();
  await pause(clock, windowMs);
  const { user, system } = process.cpuUsage(before);
  wheel.stop();
  return { share: (user + system) / 10 / (clock.monotonicMs() - originMs), latenessMs };
}

// ---------------------------------------------------------------- the screens

async function openBrowsers(url: string, count: number) {
  const child = Bun.spawn([process.execPath, PROCESS, url, String(count)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  const line = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
  invariant((await line()).startsWith("ready"), "all screens have their first picture");
  const close = async (): Promise<{ readonly bytes: number; readonly snapshots: number }> => {
    await child.stdin.write("end\n");
    await child.stdin.flush();
    const told = JSON.parse(await line()) as { readonly bytes: number; readonly snapshots: number };
    await child.exited;
    return told;
  };
  return { close };
}
