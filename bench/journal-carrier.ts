/**
 * The carrier of all calls of the journal's benchmark, which is not to be measured, in a process of its own. Its task
 * comes as a line of JSON on standard input, and is answered by one once all is under way.
 */
import { createInterface } from "node:readline";
import { invariant } from "../engine/errors.ts";
import { PacingWheel } from "../engine/media/wheel.ts";
import { systemClock } from "../engine/platform/clock.ts";
import { CarrierLine, type StreamNames } from "./carrier-line.ts";
import { goFirst } from "./load/go-first.ts";

export interface CarrierTask {
  readonly origin: string;
  readonly lines: readonly (StreamNames & { readonly token: string })[];
}

goFirst();
// When the parent goes, its end of the pipe does, and so does this process.
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await input.next();
invariant(!first.done, "no task came");
const { lines, origin } = JSON.parse(first.value) as CarrierTask;
const wheel = new PacingWheel({ clock: systemClock });
for (const line of lines) {
  const carrier = new CarrierLine(line, systemClock);
  await carrier.connect(`${origin}/media`, line.token);
  wheel.add(carrier);
}
process.stdout.write("[]\n");
while (!(await input.next()).done);
process.exit(0);
