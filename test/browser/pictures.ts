/**
 * `bun run pictures`: takes every picture of the console and the phones anew that README and docs/ show, of calls with
 * the ladders of docs/examples. Times, call sids, incident codes and levels are those of the run, and so are how much
 * was heard of a sentence that was broken off, and the order of what the carrier tells at once; the rest is the same as
 * long as the pages are.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { writeStereoWav } from "../../adapters/sandbox/phone/wav.ts";
import type { DeploymentInput } from "../../engine/config/deployment.ts";
import type { AuditEntry } from "../../engine/ports.ts";
import { ULAW_SILENCE } from "../../engine/media/g711.ts";
import { launch, openWatched } from "./chromium.ts";
import { beOnCall, call, GUARD_MS, handsetOn, untilCall, untilSpokenTo } from "./handset-driver.ts";
import { type SandboxEngine, startSandboxEngine } from "./sandbox-engine.ts";

const DOCS = join(import.meta.dir, "../../docs");
const ASKS = "Can I speak to the nurse on call, please?";
const HURTS = "My chest hurts.";
const SECOND = "+15550101";
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 844 };
/** Meters. */
const OF_CALLER = ["caller-mouth", "caller-ear"];
/** Nobody says anything any more: longer than a pause between two sentences. */
const QUIET_MS = 2000;

type Open = (
  viewport: { width: number; height: number },
  scheme?: "light" | "dark",
) => Promise<BrowserContext>;

interface Scene {
  readonly engine: SandboxEngine;
  readonly open: Open;
}

interface SceneOptions {
  /** One of docs/examples. */
  readonly example: string;
  readonly microphone: string | null;
  readonly ackTimeoutMs: number;
  readonly deployment?: DeploymentInput;
}

/** Runs with an engine and a browser of its own. */
async function inScene(options: SceneOptions, run: (scene: Scene) => Promise<void>): Promise<void> {
  const { example, ackTimeoutMs, deployment, microphone } = options;
  const text = readFileSync(join(DOCS, "examples", example), "utf8");
  const engine = await startSandboxEngine({
    deployment: (phonesOrigin) => {
      const given = JSON.parse(text.replaceAll("http://127.0.0.1:8081", phonesOrigin)) as DeploymentInput;
      return { ...deployment, escalation: { ...given.escalation, ackTimeoutMs } };
    },
    // Without it nobody is told afterwards what was said.
    env: { TANDEM_ENCRYPTION_KEY: "11".repeat(32) },
  });
  const browser = await launch(microphone);
  try {
    const open: Open = async (viewport, colorScheme = "light") => {
      const looks = { reducedMotion: "reduce", locale: "en-US", timezoneId: "UTC" } as const;
      const context = await browser.newContext({ viewport, colorScheme, ...looks });
      context.setDefaultTimeout(GUARD_MS);
      return context;
    };
    await run({ engine, open });
  } finally {
    await browser.close();
    await engine.kill();
  }
}

/** Takes a picture of what shows all of `signs`, and throws if it did not any more when it was taken. */
async function take(name: string, page: Page, signs: readonly Locator[], fullPage = false): Promise<void> {
  for (const sign of signs) await sign.waitFor();
  const png = await page.screenshot({ fullPage });
  for (const sign of signs) {
    if (!(await sign.isVisible())) throw new Error(`${name}: what it shows was over; run it again`);
  }
  await Bun.write(join(DOCS, name), png);
  process.stdout.write(`docs/${name}\n`);
}

/** A page of the console, connected, and the chart drawn that it has. */
async function openConsole({ engine, open }: Scene, path: string, ...looks: Parameters<Open>): Promise<Page> {
  const { page } = await openWatched(await open(...looks), `${engine.origin}/console${path}`, [
    engine.origin,
  ]);
  await page.getByTestId("link").getByText("live", { exact: true }).waitFor();
  if (path === "") await page.getByText("Where the calls are, on the chart").click();
  if (path !== "/board") await page.locator("[data-testid=chart-call] svg").waitFor();
  return page;
}

/** Ids of meters of what is heard now, and of what is silent, for so long. */
type Levels = readonly [loud: readonly string[], silent: readonly string[], forMs: number];

/** Runs in the page: waits for such levels. */
function levelsAre([loud, silent, forMs]: Levels): Promise<void> {
  const { document, performance, requestAnimationFrame } = globalThis as unknown as Record<string, any>;
  const level = (id: string): number => document.getElementById(id).value;
  let sinceMs = performance.now();
  return new Promise((resolve) => {
    const look = (): void => {
      const now = performance.now();
      const isSo = loud.every((id) => level(id) > 0.4) && silent.every((id) => level(id) === 0);
      if (!isSo) sinceMs = now;
      if (isSo && now - sinceMs >= forMs) resolve();
      else requestAnimationFrame(look);
    };
    look();
  });
}

const untilLevels = async (page: Page, ...levels: Levels): Promise<void> =>
  await page.evaluate(levelsAre, levels);

/** Waits until this is in the conversation, and the caller has heard it to its end. */
async function untilSaid({ engine }: Scene, page: Page, text: string): Promise<void> {
  await untilCall(engine, `“${text}”`, ({ transcript }) =>
    transcript.some((said) => said.text.includes(text)),
  );
  await untilLevels(page, [], OF_CALLER, QUIET_MS);
}

type Check = (entry: AuditEntry) => boolean;

/** The number of the first entry of the call's log that is so. */
async function entryOf({ engine }: Scene, callSid: string, is: Check): Promise<number> {
  const log = await (await fetch(`${engine.origin}/api/calls/${callSid}/events`)).text();
  const entries = log.trim().split("\n");
  const entry = entries.map((line) => JSON.parse(line) as AuditEntry).find(is);
  if (!entry) throw new Error(`the log of ${callSid} has no such entry`);
  return entry.seq;
}

/** The first of the ladder does not answer, the second takes it. */
async function ofTheConsole(scene: Scene): Promise<void> {
  const { engine, open } = scene;
  const second = await beOnCall(await open(NARROW, "dark"), engine, SECOND);
  await second.logged("Connected.");
  await take("phones/narrow-dark.png", second.page, [second.section.getByText("Waiting for a call.")], true);
  const wide = await openConsole(scene, "", WIDE);
  const narrow = await openConsole(scene, "", NARROW);
  const light = await openConsole(scene, "/board", WIDE);
  const dark = await openConsole(scene, "/board", WIDE, "dark");

  const caller = await call(await open({ width: 560, height: 1000 }), engine);
  const { page } = caller;
  const refused = page.getByRole("alert").getByText("The microphone is not allowed.");
  await untilLevels(page, ["caller-ear"], [], 0);
  await take("phones/denied.png", page, [refused]);
  await untilSaid(scene, page, "You have reached the after-hours line.");
  await caller.say(ASKS);
  await untilSaid(scene, page, "still trying");
  await take("console/switchboard.png", wide, [wide.locator(".ladder").getByText("secondary")]);
  await take("console/switchboard-phone.png", narrow, [narrow.locator(".ladder").getByText("secondary")]);
  await take("console/board.png", light, [light.locator(".rungs .now").getByText("secondary")]);

  await second.press("Answer");
  await untilSpokenTo(second);
  await second.press("1");
  const { callSid } = await untilCall(engine, "coaching", ({ state }) => state === "coaching");
  await take("console/board-dark.png", dark, [dark.getByText("owned", { exact: true })]);
  await caller.say(HURTS);
  const path = `/calls/${callSid}`;
  for (const [name, viewport, scheme] of [
    ["console/call.png", WIDE, "light"],
    ["console/call-dark.png", WIDE, "dark"],
    ["console/call-phone.png", NARROW, "light"],
  ] as const) {
    const of = await openConsole(scene, path, viewport, scheme);
    await of.getByTestId("transcript").getByText("Ask where it hurts").waitFor();
    await take(name, of, [of.getByTestId("command-mute")]);
  }
  await caller.press("Hang up");
  await untilCall(engine, "ended", ({ state }) => state === "ended");

  const joined = await entryOf(scene, callSid, ({ kind, name }) => kind === "state" && name === "coaching");
  const moment = await openConsole(scene, `${path}#at=${joined}`, WIDE);
  await take("console/moment.png", moment, [moment.getByText("as it was")]);
  const log = await openConsole(scene, path, WIDE);
  await log.getByTestId("verify").click();
  const agrees = log.getByTestId("verified").getByText("replay: agrees");
  await agrees.scrollIntoViewIfNeeded();
  await take("console/log.png", log, [agrees]);
}

/** Both handsets on one page, of a call that is recorded. */
async function ofThePhones(scene: Scene): Promise<void> {
  const { engine, open } = scene;
  const origins = [engine.origin, engine.phonesOrigin];
  const { page } = await openWatched(await open({ width: 1000, height: 1090 }), engine.phonesUrl, origins);
  const [caller, onCall] = [await handsetOn(page, "caller"), await handsetOn(page, "on-call")];
  await onCall.press("Be on call");
  await onCall.logged("This is the phone of");
  await caller.press(/^Call/);
  await caller.phase("in-call");
  await untilSaid(scene, page, "You have reached the after-hours line.");
  await caller.say(ASKS);
  await onCall.phase("incoming");
  await untilSaid(scene, page, "I will stay with you.");
  const [text, push] = [onCall.section.locator("li.sms"), onCall.section.locator("li.push")];
  await take("phones/ringing.png", page, [page.getByText("Ringing:"), text, push]);

  await onCall.press("Answer");
  await untilLevels(page, ["on-call-ear"], OF_CALLER, 0);
  await onCall.press("1");
  await untilCall(engine, "coaching", ({ state }) => state === "coaching");
  await untilLevels(page, [], [...OF_CALLER, "on-call-ear"], QUIET_MS);
  await caller.say(HURTS);
  await untilCall(engine, "it is heard", ({ transcript }) => transcript.some(({ text }) => text === HURTS));
  await untilLevels(page, ["on-call-ear"], OF_CALLER, 0);
  await take("phones/whisper.png", page, []);
  await untilCall(engine, "the coach", ({ transcript }) =>
    transcript.some(({ speaker }) => speaker === "coach"),
  );
  await caller.press("Hang up");
  const { callSid } = await untilCall(
    engine,
    "the track is kept",
    (row) => row.state === "ended" && (row as unknown as { recordings: string[] }).recordings.length > 0,
  );
  const isRung: Check = ({ data }) => data["label"] === "human-1" && data["status"] === "ringing";
  const rung = await entryOf(scene, callSid, isRung);
  const sound = await openConsole(scene, `/calls/${callSid}#at=${rung}`, { width: 1280, height: 990 });
  await take("console/sound.png", sound, [sound.getByTestId("scrub-time")]);
}

const folder = mkdtempSync(join(tmpdir(), "tandem-pictures-"));
try {
  // A rung is long enough for what happens on it, and shorter than the silence after which the AI reassures the caller.
  await inScene({ example: "short-ladder.json", ackTimeoutMs: 15_000, microphone: null }, ofTheConsole);
  // Without anything of the room that it is in.
  const microphone = join(folder, "silence.wav");
  const silence = new Uint8Array(8000).fill(ULAW_SILENCE);
  await writeStereoWav(microphone, silence, silence);
  const deployment = { recording: "leg" } as const;
  await inScene({ example: "phones.json", ackTimeoutMs: 30_000, microphone, deployment }, ofThePhones);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
