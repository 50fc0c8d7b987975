/**
 * The load generator: carrier and speech model in one process, so that one clock times both ends of what is
 * measured. Commands come as JSON lines on standard input, answers go out on standard output.
 */
import { createInterface } from "node:readline";
import { InvariantError, errorText } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import type { Answer, Command, GeneratorOptions, GeneratorReady } from "./protocol.ts";
import { LoadRun } from "./load-run.ts";

const options = JSON.parse(process.argv[2] ?? "null") as GeneratorOptions | null;
if (!options) throw new InvariantError("usage: generator.ts OPTIONS, as JSON");
const run = new LoadRun(options, systemClock);

function say(line: GeneratorReady | Answer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function perform(command: Command): Promise<unknown> {
  switch (command.op) {
    case "start":
      return await run.start(command.calls, command.target);
    case "settle":
      return await run.settle(command.settleMs);
    case "window":
      return await run.measure(command.windowMs, command.offer);
    case "hangUp":
      return await run.hangUp();
    case "churn":
      return await run.churn(command.target, command.plan);
  }
}

say(run.ports());
// When the parent goes, its end of the pipe does, and so does this process.
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say({ ok: true, result: await perform(JSON.parse(line) as Command) });
  } catch (error) {
    say({ ok: false, problem: errorText(error) });
  }
}
process.exit(0);
