/** The region's budget of a running engine, by the command that an operator gives. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { begin, call, ended } from "../support/steps.ts";

const RUN = join(import.meta.dir, "../../bench/run.ts");

test("`bun run bench --only region --from` shows what an engine has measured in its calls", async () => {
  const world = await begin({ deployment: { agent: { greeting: "Hello there." } } });
  const { phone, callSid } = await call(world);
  phone.ear.forget();
  await world.until("the greeting was heard", () => phone.ear.heardSpeech && phone.ear.quietMs >= 200);
  const command = [process.execPath, RUN, "--only", "region", "--from", world.engine.origin];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, code] = await Promise.all([child.stdout.text(), child.exited]);
  expect(out).not.toContain("FAILED");
  expect(code).toBe(0);
  for (const part of ["engine in:", "engine out:", "the engine's own share of 60 ms", "This engine adds"]) {
    expect(out).toContain(part);
  }
  phone.hangUp();
  await ended(world, callSid);
});
