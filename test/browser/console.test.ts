/** The console's page in a real browser: what holds of it however it looks. */
import { describe, expect, test } from "bun:test";
import { openWatched, skipsBrowser } from "./chromium.ts";
import { call, GUARD_MS, untilCall } from "./handset-driver.ts";
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

  test("mutes the caller, and ends that, when it is asked for and confirmed", async () => {
    const { engine } = shared;
    const context = await shared.browser.newContext();
    context.setDefaultTimeout(GUARD_MS);
    const caller = await call(context, engine);
    const { callSid } = await untilCall(engine, "caller and AI talk", ({ state }) => state === "streaming");
    const { page, wrongs } = await openWatched(context, `${engine.origin}/console/calls/${callSid}`, [
      engine.origin,
    ]);
    expect(await page.getByTestId("role").textContent()).toBe("this machine");
    const leg = page.locator(".leg.caller");
    for (const [command, shown] of [
      ["mute", "caller muted"],
      ["unmute", "caller"],
    ] as const) {
      await page.getByTestId(`command-${command}`).click();
      await page.getByTestId("confirm-participant").selectOption("caller");
      await page.getByTestId("confirm-yes").click();
      await leg.and(page.getByText(shown, { exact: true })).waitFor();
    }
    await caller.press("Hang up");
    await untilCall(engine, "the call is over", ({ state }) => state === "ended");
    expect([...wrongs, ...caller.wrongs]).toEqual([]);
    await context.close();
  });
});
