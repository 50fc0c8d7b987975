/** The console's page in a real browser: what holds of it however it looks. */
import { describe, expect, test } from "bun:test";
import { openWatched, skipsBrowser } from "./chromium.ts";
import { share } from "./setup.ts";

const shared = share();

describe.skipIf(skipsBrowser)("the console", () => {
  test("opens without an error, within its own policy, and asks nobody else for anything", async () => {
    const context = await shared.browser.newContext();
    const { page, wrongs } = await openWatched(context, `${shared.engine.origin}/console`, [
      shared.engine.origin,
    ]);
    expect(await page.title()).toContain("Tandem");
    // Once more, to see that it follows what happens.
    const feed = page.waitForEvent("websocket");
    await page.reload();
    expect(new URL((await feed).url()).pathname).toBe("/api/switchboard");
    await page.getByRole("heading").first().waitFor();
    expect(wrongs).toEqual([]);
    await context.close();
  });
});
