/** `bun run preflight`: what it prints, what it keeps to itself, and how it ends. */
import { describe, expect, test } from "bun:test";
import type { LiveCheck } from "../../../engine/live-check-port.ts";
import { VirtualClock } from "../../../engine/platform/clock.ts";
import { runPreflight } from "../../../engine/preflight/run.ts";
import { ConfigError } from "../../../engine/errors.ts";
import { type Env, REAL } from "../config/support.ts";

function run(argv: readonly string[], env: Env, checks: readonly LiveCheck[] = []) {
  const clock = new VirtualClock();
  const said: string[] = [];
  const out = (text: string): void => void said.push(text);
  const code = runPreflight(argv, { env, liveChecks: () => checks, clock, out });
  return { code, clock, text: () => said.join("") };
}

describe("a configuration", () => {
  test("with mistakes is refused with all of them", async () => {
    const { code, text } = run([], { ...REAL, PORT: "x", TWILIO_NUMBER: "", TANDEM_CONSOL_TOKEN: "y" });
    expect(await code).toBe(1);
    expect(text()).toStartWith("3 configuration mistakes:\n");
    for (const name of ["PORT", "TWILIO_NUMBER", "TANDEM_CONSOL_TOKEN"])
      expect(text()).toContain(`  ${name}: `);
    expect(text().match(/ {4}fix: /g)).toHaveLength(3);
  });

  test("that would run is told with its ladder and who sees what, without secrets", async () => {
    const env = {
      ...REAL,
      TANDEM_CONSOLE_TOKEN: "fake-secret-console-token",
      TANDEM_VIEWER_TOKEN: "fake-secret-viewer-token",
      TANDEM_ENCRYPTION_KEY: "ab".repeat(32),
      DATABASE_URL: "postgres://user:fake-secret-password@db.example:5432/tandem",
    };
    const { code, text } = run([], env);
    expect(await code).toBe(0);
    expect(text()).toContain("rung 1      primary: on-call nurse (voice …00, sms …00)\n");
    expect(text()).toContain("looks on    whoever has TANDEM_VIEWER_TOKEN: ");
    expect(text()).not.toMatch(/fake-secret|abab|\+1555|user:/);
  });

  test("that is seldom meant is warned of, and would run", async () => {
    const { code, text } = run([], REAL);
    expect(await code).toBe(0);
    expect(text()).toContain("WARNING     TANDEM_CONSOLE_TOKEN is not set: nobody can open the console");
  });
});

describe("what is asked outside", () => {
  const finds = (level: "ok" | "warning" | "mistake"): LiveCheck => ({
    part: "model",
    run: () =>
      Promise.resolve([{ level, text: `it is ${level}`, ...(level !== "ok" && { fix: "mend it" }) }]),
  });

  test("is asked only when it is to be", async () => {
    const { code, text } = run([], REAL, [finds("mistake")]);
    expect(await code).toBe(0);
    expect(text()).not.toContain("model: it is");
  });

  test("ends in 1 for a mistake, and in 0 for a warning", async () => {
    const warned = run(["--live"], REAL, [finds("ok"), finds("warning")]);
    expect(await warned.code).toBe(0);
    expect(warned.text()).toContain("ok          model: it is ok\n");
    expect(warned.text()).toContain("WARNING     model: it is warning\n            fix: mend it\n");
    const wrong = run(["--live"], REAL, [finds("mistake"), finds("ok")]);
    expect(await wrong.code).toBe(1);
    expect(wrong.text()).toContain("MISTAKE     model: it is mistake\n");
    expect(wrong.text()).toContain("ok          model: it is ok\n");
  });

  test("that throws is a mistake, and the others are asked all the same", async () => {
    const broken: LiveCheck = { part: "store", run: () => Promise.reject(new Error("it is\n damaged")) };
    const { code, text } = run(["--live"], REAL, [broken, finds("ok")]);
    expect(await code).toBe(1);
    expect(text()).toContain("MISTAKE     store: it is damaged\n");
    expect(text()).toContain("model: it is ok");
  });

  test("that does not answer is given up, and told to stop", async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    const silent: LiveCheck = {
      part: "carrier",
      run: (signal) => {
        asked.resolve(signal);
        return new Promise(() => undefined);
      },
    };
    const { code, text, clock } = run(["--live"], REAL, [silent]);
    const signal = await asked.promise;
    await clock.advance(15_000);
    expect(await code).toBe(1);
    expect([signal.aborted, text()]).toEqual([
      true,
      expect.stringContaining("MISTAKE     carrier: did not answer within 15 s\n"),
    ]);
  });
});

test("what the command does not know is refused", async () => {
  const { code } = run(["--liv"], REAL);
  expect(await code.catch((error: unknown) => error)).toBeInstanceOf(ConfigError);
});
