/** The console's page, told by the test what is live: what it shows of it, and what it does when nobody tells it anything. */
import { describe, expect, test } from "bun:test";
import type { BrowserContextOptions, Page, Route, WebSocketRoute } from "playwright-core";
import type { FeedText, IncidentView, SnapshotMessage } from "../../engine/console/protocol.ts";
import { skipsBrowser } from "./chromium.ts";
import { GUARD_MS } from "./handset-driver.ts";
import { share } from "./setup.ts";

const CALL_SID = `CA${"1".repeat(32)}`;
const STARTED = "2026-01-02T03:04:05.000Z";
const SHARED_ROW = {
  callSid: CALL_SID,
  from: "+15550142",
  startedAt: STARTED,
  endReason: null,
  handover: null,
};
const ROW = {
  ...SHARED_ROW,
  state: "streaming",
  endedAt: null,
  escalations: [] as readonly object[],
  transcript: [],
  escalationReason: null,
  recordings: [],
  speakers: "apart",
  errors: [],
};
const entry = (seq: number, kind: string, name: string, data: object = {}) =>
  JSON.stringify({ callSid: CALL_SID, seq, at: STARTED, kind, name, data });
const LOG = [
  entry(1, "note", "call.begun", { machines: "a".repeat(64) }),
  entry(2, "step", "call", { event: "xstate.init", edges: [], value: "streaming", status: "active" }),
  entry(3, "event", "participant.joined", { label: "caller" }),
].join("\n");

const SNAPSHOT: SnapshotMessage = {
  type: "snapshot",
  nowMs: Date.parse(STARTED),
  missed: 0,
  calls: [],
  incidents: [],
};
const LIVE: SnapshotMessage = {
  ...SNAPSHOT,
  calls: [
    {
      callSid: CALL_SID,
      startedAtMs: Date.parse(STARTED),
      from: "+15550142",
      now: { state: "streaming", value: { streaming: "live" }, role: "agent", model: "ready", onHold: false },
      room: [{ label: "caller", kind: "caller", status: "joined", muted: false, coaches: null }],
      turn: null,
      levels: null,
    },
  ],
};
const NOTHING: FeedText = { type: "delta", nowMs: 1, calls: [], gone: [], incidents: [], closed: [] };

/** Cut off by a fault while somebody was paged, and followed up. */
const LOST: readonly IncidentView[] = [1, 2].map((number) => ({
  callSid: CALL_SID,
  number,
  by: "ai",
  reason: null,
  urgency: "normal",
  phase: number === 1 ? "over" : "paging",
  walk: 1,
  rung: 0,
  openedAtMs: Date.parse(STARTED),
  nextAtMs: null,
  outcome: "call_lost",
  endedAtMs: null,
  following: true,
  owner: null,
  pages: [],
  morePages: 0,
}));
/** What is in the row in the end. */
const CALLED_OFF = LOST.map(({ number, owner, outcome }) => ({
  number,
  owner,
  outcome: number === 1 ? outcome : "called_off",
}));

const shared = share();

interface Played {
  readonly page: Page;
  /** The page's feeds so far, the newest last. */
  readonly feeds: readonly WebSocketRoute[];
  tell(text: FeedText): void;
}

interface PlayedOptions {
  readonly path?: string;
  readonly row?: object;
  readonly snapshot?: SnapshotMessage | null;
  readonly context?: BrowserContextOptions;
  /** On the page before it is opened. */
  readonly prepare?: (page: Page) => Promise<void>;
}

const json = async (route: Route, body: object): Promise<void> => await route.fulfill({ json: body });

/** Runs with the page of the real engine, whose answers about calls are the test's. */
async function withPage(options: PlayedOptions, run: (played: Played) => Promise<void>): Promise<void> {
  const { path = "/console", row = ROW, snapshot = LIVE, context: of = {}, prepare } = options;
  const context = await shared.browser.newContext(of);
  context.setDefaultTimeout(GUARD_MS);
  try {
    const page = await context.newPage();
    const feeds: WebSocketRoute[] = [];
    await page.routeWebSocket("**/api/switchboard", (socket) => {
      feeds.push(socket);
      if (snapshot) socket.send(JSON.stringify(snapshot));
    });
    const ofCall = `**/api/calls/${CALL_SID}`;
    await page.route(ofCall, (route) => json(route, row));
    await page.route(`${ofCall}/events`, (route) => route.fulfill({ body: LOG }));
    const next = { commands: ["hangup", "escalate"], participants: {}, actors: [] };
    await page.route(`${ofCall}/next`, (route) => json(route, next));
    await prepare?.(page);
    await page.goto(`${shared.engine.origin}${path}`);
    await run({ page, feeds, tell: (text) => feeds.at(-1)?.send(JSON.stringify(text)) });
  } finally {
    await context.close();
  }
}

/** Waits until what has the focus says so: it is moved after what is new is drawn. */
const focusOn = async (page: Page, text: string): Promise<void> =>
  await page.locator(":focus").filter({ hasText: text }).waitFor();

describe.skipIf(skipsBrowser)("the console's page", () => {
  test("leads the keyboard to a call, and leaves it there when the call's log has come", async () => {
    const log = Promise.withResolvers<void>();
    const prepare = async (page: Page): Promise<void> => {
      await page.route(`**/api/calls/${CALL_SID}/events`, async (route) => {
        await log.promise;
        await route.fulfill({ body: LOG });
      });
    };
    await withPage({ prepare }, async ({ page }) => {
      await page.getByTestId(`call-${CALL_SID}`).getByRole("link").focus();
      await page.keyboard.press("Enter");
      await page.getByText("Reading its log…").waitFor();
      await focusOn(page, "Call CA1111…1111");
      log.resolve();
      await page.getByTestId("timeline").waitFor();
      await focusOn(page, "+15550142");
      // What is not possible, or not known to be yet, is passed over.
      await page.locator("[data-testid=command-escalate]:enabled").waitFor();
      await page.keyboard.press("Tab");
      await focusOn(page, "Escalate");
    });
  });

  test("leads the keyboard to the sign-in when nobody is signed in any more, and back", async () => {
    await withPage({}, async ({ page }) => {
      // Answered already, or the refusal came before the clicks, which take the focus.
      await page.getByText("No call has ended yet.").waitFor();
      const refuse = (route: Route) => route.fulfill({ status: 401, json: { error: "sign in" } });
      await page.route("**/api/calls?*", refuse);
      await page.route("**/api/session", refuse);
      await page.getByTestId("nav-board").click();
      await page.getByTestId("nav-switchboard").click();
      await page.getByTestId("sign-in").waitFor();
      await focusOn(page, "Sign in");
      await page.unroute("**/api/calls?*");
      await page.unroute("**/api/session");
      await page.route("**/console/sign-in", (route) => json(route, {}));
      await page.getByLabel("Token").fill("a-token");
      await page.keyboard.press("Enter");
      await page.getByTestId("live-calls").waitFor();
      await focusOn(page, "Switchboard");
    });
  });

  test("gives a command once, however often it is confirmed, and goes back to where it was", async () => {
    const posts: string[] = [];
    const answer = Promise.withResolvers<void>();
    const prepare = async (page: Page): Promise<void> => {
      await page.route(`**/api/calls/${CALL_SID}/commands`, async (route) => {
        posts.push(route.request().postData() ?? "");
        await answer.promise;
        await (posts.length === 1
          ? route.fulfill({ status: 409, json: { error: "it ends already" } })
          : json(route, { accepted: true }));
      });
    };
    await withPage({ path: `/console/calls/${CALL_SID}`, prepare }, async ({ page }) => {
      // Not before it is known what is possible.
      await page.locator("[data-testid=command-hangup]:enabled").focus();
      await page.keyboard.press("Enter");
      const yes = page.getByTestId("confirm-yes");
      await yes.dblclick();
      await yes.getByText("On its way…").waitFor();
      await page.keyboard.press("Enter");
      await page.keyboard.press("Escape");
      answer.resolve();
      // What is refused is said where it was asked, and may be tried again.
      await page.getByTestId("confirm").getByRole("alert").getByText("it ends already").waitFor();
      expect(posts).toEqual([`{"command":"hangup"}`]);
      await page.keyboard.press("Enter");
      await page.getByTestId("command-said").getByText("Hang up: done").waitFor();
      expect(posts).toHaveLength(2);
      expect(await page.getByTestId("confirm").count()).toBe(0);
      await focusOn(page, "Hang up");
    });
  });

  test("has tables on a narrow screen, too", async () => {
    const context = { viewport: { width: 375, height: 700 } };
    await withPage({ context }, async ({ page }) => {
      await page.getByTestId("live-calls").waitFor();
      /** Runs in the page: parts of tables that are laid out as something else, and do not say what they are. */
      const nameless = await page.evaluate(() => {
        const { document, getComputedStyle } = globalThis as unknown as Record<string, any>;
        return [...document.querySelectorAll("table, table *")]
          .filter((each: any) => /^(TABLE|THEAD|TBODY|TR|TH|TD)$/.test(each.tagName))
          .filter((each: any) => !getComputedStyle(each).display.startsWith("table") && !each.role)
          .map((each: any) => each.outerHTML.slice(0, 60));
      });
      expect(nameless).toEqual([]);
    });
  });

  test("shows where the first calls are on the chart, and then leaves it to who reads it", async () => {
    const context = { viewport: { width: 390, height: 844 }, reducedMotion: "reduce" } as const;
    await withPage({ context }, async ({ page, tell }) => {
      const [live] = LIVE.calls;
      const callIn = (state: string, value: object) =>
        tell({ ...NOTHING, calls: [{ ...live!, now: { ...live!.now, state, value } }] } as FeedText);
      await page.getByText("Where the calls are, on the chart").click();
      const chart = page.getByTestId("chart-call").getByRole("region");
      await chart.locator(".calls-here").first().waitFor();
      callIn("escalating", { escalating: { ladder: "paging", link: "live" } });
      const title = chart.locator("[data-state='call.escalating']").getByText("escalating", { exact: true });
      await chart.locator("[data-state='call.escalating'] .calls-here").first().waitFor();
      const [box, name] = [await chart.boundingBox(), await title.boundingBox()];
      expect(name!.x).toBeGreaterThan(box!.x);
      expect(name!.x + name!.width).toBeLessThan(box!.x + box!.width);
      expect(name!.y).toBeGreaterThan(box!.y);
      expect(name!.y).toBeLessThan(box!.y + box!.height);
      // Something else of the same call: nobody is torn away from what they read.
      await chart.evaluate((element: any) => element.scrollTo(0, 0));
      tell({ ...NOTHING, calls: [{ callSid: CALL_SID, levels: [-20, -60] }] } as FeedText);
      await page.getByTitle("caller: -20 dBov").waitFor();
      expect(await chart.evaluate((element: any) => element.scrollTop)).toBe(0);
    });
  });

  test("keeps what was said last in sight, but for who goes back to what was said before", async () => {
    const lines = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => ({
        speaker: "caller",
        text: `line ${from + at}.`,
        atMs: at,
      }));
    const row = { ...ROW, transcript: lines(0, 20) };
    await withPage({ path: `/console/calls/${CALL_SID}`, row }, async ({ page, tell }) => {
      const list = page.getByTestId("transcript");
      const say = async (from: number): Promise<void> => {
        tell({
          type: "call",
          callSid: CALL_SID,
          entries: [],
          missed: 0,
          from,
          said: lines(from, from + 1),
        } as FeedText);
        await list.getByText(`line ${from}.`).waitFor();
      };
      const below = () =>
        list.evaluate(
          ({ scrollHeight, scrollTop, clientHeight }: any) => scrollHeight - scrollTop - clientHeight,
        );
      await list.getByText("line 19.").waitFor();
      expect(await below()).toBeLessThan(2);
      await say(20);
      expect(await below()).toBeLessThan(2);
      await list.evaluate((element: any) => element.scrollTo(0, 0));
      await say(21);
      expect(await list.evaluate((element: any) => element.scrollTop)).toBe(0);
    });
  });

  test("says that it is not connected when the engine has not said anything for long", async () => {
    const prepare = async (page: Page): Promise<void> => await page.clock.install();
    await withPage({ prepare }, async ({ page, feeds, tell }) => {
      const link = page.getByTestId("link");
      await link.getByText("live", { exact: true }).waitFor();
      // Nothing has happened, and that is told.
      for (let times = 0; times < 3; times++) {
        await page.clock.fastForward(15_000);
        tell(NOTHING);
        await page.evaluate("new Promise((resolve) => queueMicrotask(resolve))");
      }
      expect(await link.textContent()).toBe("live");
      expect(feeds).toHaveLength(1);
      await page.clock.fastForward(21_000);
      await link.getByText("not connected since").waitFor();
      await page.getByTestId(`call-${CALL_SID}`).waitFor();
      await page.clock.fastForward(1000);
      await link.getByText("live", { exact: true }).waitFor();
      expect(feeds).toHaveLength(2);
    });
  });

  test("does not say that nothing is live before it knows", async () => {
    await withPage({ snapshot: null }, async ({ page, tell }) => {
      for (const view of ["switchboard", "board"]) {
        await page.getByTestId(`nav-${view}`).click();
        await page.getByTestId("not-yet").getByText("Asking the engine").waitFor();
        expect(await page.getByTestId("no-calls").or(page.getByTestId("no-incidents")).count()).toBe(0);
      }
      tell(SNAPSHOT);
      await page.getByTestId("no-incidents").waitFor();
    });
  });

  test("says why nobody is let in", async () => {
    const prepare = async (page: Page): Promise<void> => {
      const answer = {
        status: 403,
        json: { error: "without TANDEM_CONSOLE_TOKEN only loopback is answered" },
      };
      await page.route("**/api/session", (route) => route.fulfill(answer));
    };
    await withPage({ prepare }, async ({ page }) => {
      await page.getByTestId("not-yet").getByText("only loopback is answered").waitFor();
      expect(await page.getByTestId("link").textContent()).toBe("not let in");
    });
  });

  test("asks anew what became of a call when somebody is sought on for its caller", async () => {
    let row: object = ROW;
    const prepare = async (page: Page): Promise<void> => {
      await page.route(`**/api/calls/${CALL_SID}`, (route) => json(route, row));
    };
    await withPage({ path: `/console/calls/${CALL_SID}`, prepare }, async ({ page, tell }) => {
      const state = page.getByTestId("call-state");
      await state.getByText("streaming", { exact: true }).waitFor();
      row = { ...ROW, state: "ended", endedAt: STARTED, endReason: "model_failed" };
      tell({ ...NOTHING, gone: [CALL_SID], incidents: LOST } as FeedText);
      await state.getByText("ended", { exact: true }).waitFor();
      await page.getByText("model failed").waitFor();
      await page.getByTestId("sought").getByText("Incident 2").waitFor();
    });
  });

  test("shows that somebody is sought for the caller of a call that was lost, and can end that", async () => {
    const ended = { state: "ended", endedAt: STARTED, endReason: "model_failed" };
    const row = { ...ROW, ...ended, escalations: CALLED_OFF };
    const snapshot = { ...SNAPSHOT, incidents: LOST };
    const commands: string[] = [];
    const prepare = async (page: Page): Promise<void> => {
      await page.route(`**/api/calls/${CALL_SID}/commands`, async (route) => {
        commands.push(route.request().postData() ?? "");
        await json(route, { accepted: true });
      });
    };
    await withPage({ path: "/console/board", row, snapshot, prepare }, async ({ page, tell }) => {
      const card = (number: number) => page.getByTestId(`incident-${CALL_SID}-${number}`);
      await card(2).getByText("Somebody is sought who calls the caller back.").waitFor();
      expect(await card(2).innerText()).toContain("the call was cut off");
      const before = await card(1).innerText();
      expect(before).toContain("The call was cut off before somebody came. It goes on as incident 2.");
      await card(2).getByRole("link").first().click();
      const sought = page.getByTestId("sought");
      await sought.getByText("The call was cut off before somebody came.").waitFor();
      // There is no end of its log to verify yet.
      expect(await page.getByTestId("verify").count()).toBe(0);
      await page.getByTestId("command-hangup").click();
      await page.getByTestId("confirm").getByText("Stop seeking?").waitFor();
      await page.getByTestId("confirm-yes").click();
      await page.getByTestId("command-said").getByText("Stop seeking: done").waitFor();
      expect(commands).toEqual([`{"command":"hangup"}`]);
      tell({
        ...NOTHING,
        type: "delta",
        closed: LOST.map(({ number }) => `${CALL_SID}/${number}`),
      } as FeedText);
      await page.getByTestId("verify").waitFor();
      // The row has the last word.
      await sought.getByText("It was called off.").waitFor();
    });
  });
});
