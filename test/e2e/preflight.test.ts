/** `bun run preflight --live` as a process, against the sandbox's carrier and model. */
import { expect, test } from "bun:test";
import { stopAfterTest } from "../support/after-test.ts";
import { runCommand, startOutside } from "../support/engine-process.ts";

const KEY = "ab".repeat(32);
const SECRETS = ["TWILIO_AUTH_TOKEN", "OPENAI_API_KEY", "TANDEM_CONSOLE_TOKEN", "TANDEM_ENCRYPTION_KEY"];

test("a deployment that would work is found to, but for what is not as it should be", async () => {
  const outside = await startOutside({ env: { TANDEM_ENCRYPTION_KEY: KEY } });
  stopAfterTest(() => outside.stop());
  const env: Readonly<Record<string, string>> = {
    ...outside.env,
    OPENAI_API_KEY: "another-key-for-tests-only",
  };
  const { code, text } = await runCommand(["preflight", "--live"], env);
  const lines = text.split("\n");
  const starting = (word: string) =>
    lines.filter((line) => line.startsWith(word)).map((line) => line.slice(12));
  expect([code, starting("ok"), starting("MISTAKE")]).toEqual([
    1,
    [
      `store: ${outside.databasePath} is not there yet, and will be made`,
      "carrier: account AC0000… is active",
      `carrier: the TwiML App's voice URL is ${outside.origin}/twilio/ai-leg`,
      `carrier: the number's voice URL is ${outside.origin}/twilio/voice`,
    ],
    [
      expect.stringMatching(/^model: .* refuses OPENAI_API_KEY with HTTP 401$/),
      expect.stringMatching(/^model: .* refuses OPENAI_API_KEY with HTTP 401$/),
    ],
  ]);
  expect(starting("WARNING").join()).toContain("the number has no fallback URL");
  for (const name of SECRETS) expect(text).not.toContain(env[name] ?? "");
});
