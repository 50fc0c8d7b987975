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

  test("has one feed, however often it is woken while it connects", async () => {
    const context = await shared.browser.newContext();
    const page = await context.newPage();
    const feeds: string[] = [];
    page.on("websocket", (socket) => feeds.push(socket.url()));
    // The answer on which it waits before it connects.
    const session = Promise.withResolvers<void>();
    await page.route("**/api/session", async (route) => {
      await session.promise;
      await route.continue();
    });
    const asked = page.waitForRequest("**/api/session");
    await page.goto(`${shared.engine.origin}/console`);
    await asked;
    const askedAgain = page.waitForRequest("**/api/session");
    await page.evaluate(`dispatchEvent(new Event("online"))`);
    await askedAgain;
    session.resolve();
    await page.getByTestId("link").getByText("live").waitFor();
    // A second one would be there by now, and stay as long as the page.
    await page.getByTestId("nav-board").click();
    await page.getByTestId("no-incidents").waitFor();
    expect(feeds).toHaveLength(1);
    await context.close();
  });

  test("keeps the moment that is shown when somebody skips to the content", async () => {
    const context = await shared.browser.newContext();
    const page = await context.newPage();
    const callSid = `CA${"0".repeat(32)}`;
    await page.goto(`${shared.engine.origin}/console/calls/${callSid}#at=3`);
    await page.getByRole("status").getByText("there is no such call").waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(await page.locator(":focus").getAttribute("id")).toBe("main");
    expect(new URL(page.url()).hash).toBe("#at=3");
    await context.close();
  });
});
