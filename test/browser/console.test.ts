/** The console's page in a real browser: what holds of it however it looks. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { launch, openWatched, skipsBrowser } from "./chromium.ts";
import { type SandboxEngine, startSandboxEngine } from "./sandbox-engine.ts";

const SETUP_TIMEOUT_MS = 60_000;

let engine: SandboxEngine;
let browser: Browser;

beforeAll(async () => {
  if (skipsBrowser) return;
  engine = await startSandboxEngine();
  browser = await launch(null);
}, SETUP_TIMEOUT_MS);

afterAll(async () => {
  await engine?.kill();
  await browser?.close();
});

describe.skipIf(skipsBrowser)("the console", () => {
  test("opens without an error, within its own policy, and asks nobody else for anything", async () => {
    const context = await browser.newContext();
    const { page, wrongs } = await openWatched(context, `${engine.origin}/console`, [engine.origin]);
    expect(await page.title()).toContain("Tandem");
    // Once more, to see that it follows what happens.
    const feed = page.waitForEvent("websocket");
    await page.reload();
    expect(new URL((await feed).url()).pathname).toBe("/api/feed");
    await page.getByRole("heading").first().waitFor();
    expect(wrongs).toEqual([]);
    await context.close();
  });
});
