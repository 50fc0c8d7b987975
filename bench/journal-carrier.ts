/**
 * What the journal's benchmark does not measure, in processes of its own: the carrier of all calls, or somebody who
 * sends a message now and then and times the answer. Commands come as JSON lines on standard input.
 */
import { createInterface } from "node:readline";
import { invariant } from "../engine/errors.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { pause, systemClock } from "../engine/platform/clock.ts";
import { seededIds } from "../engine/platform/ids.ts";
import { CarrierLine, Prompt, type StreamNames } from "./carrier-line.ts";
import { goFirst } from "./load/go-first.ts";

interface CarrierTask {
  readonly kind: "carrier";
  readonly origin: string;
  readonly lines: readonly (StreamNames & { readonly token: string })[];
}

/** The first line. It is answered by an empty list once all is under way. */
export type Task = CarrierTask | { readonly kind: "prompt"; readonly origin: string };

/** Any other line, to a prompt: one window, which is answered by its milliseconds. */
export interface Ask {
  readonly durationMs: number;
}

/** Between two messages at random, so that they do not keep in step with what is paced: in whole milliseconds. */
const ECHO_AFTER_MS = 4;

const clock = systemClock;
goFirst();
// When the parent goes, its end of the pipe does, and so does this process.
const commands = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await commands.next();
invariant(!first.done, "no task came");
const task = JSON.parse(first.value) as Task;
const perform = task.kind === "carrier" ? await carry(task) : await prompt(task.origin);
process.stdout.write("[]\n");
for (let next = await commands.next(); !next.done; next = await commands.next()) {
  process.stdout.write(`${JSON.stringify(await perform(JSON.parse(next.value) as Ask))}\n`);
}
process.exit(0);

async function carry({ lines, origin }: CarrierTask): Promise<() => Promise<number[]>> {
  const wheel = new PacingWheel({ clock });
  for (const line of lines) {
    const carrier = new CarrierLine(line, clock);
    await carrier.connect(`${origin}/media`, line.token);
    wheel.add(carrier);
  }
  return async () => [];
}

/** How long a message waits for the engine's loop, both ways: what a frame that comes at that moment waits too. */
async function prompt(origin: string): Promise<(ask: Ask) => Promise<number[]>> {
  const socket = new Prompt(clock);
  await socket.open(origin);
  const ids = seededIds(29);
  return async ({ durationMs }) => {
    const took: number[] = [];
    const endMs = clock.monotonicMs() + durationMs;
    while (clock.monotonicMs() < endMs) {
      took.push(await socket.echo());
      await pause(clock, 1 + Math.floor(ids.random() * ECHO_AFTER_MS));
    }
    return took;
  };
}
