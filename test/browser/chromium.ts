/** Debian's Chromium, as the tests of pages start it. */
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-fake-device-for-media-stream",
];

/** A machine that is busy takes its time. */
const LAUNCH_TIMEOUT_MS = 120_000;

const executablePath = CANDIDATES.find((path) => existsSync(path)) ?? null;
const inCi = Bun.env["CI"] === "true";

/**
 * Pages are tested where there is a browser. In CI one is installed before, and its absence is a failure; elsewhere
 * the tests say that they are skipped.
 */
export const skipsBrowser = executablePath === null && !inCi;
if (skipsBrowser) {
  process.stderr.write("browser tests are SKIPPED: there is no Chromium (apt-get install chromium)\n");
}

/** A browser without anything of another run. Its microphone plays `wavPath`, over and over; without, nobody may use it. */
export async function launch(wavPath: string | null): Promise<Browser> {
  if (executablePath === null) throw new Error("no Chromium: .ci/run installs it (apt-get install chromium)");
  const microphone =
    wavPath === null
      ? []
      : ["--use-fake-ui-for-media-stream", `--use-file-for-fake-audio-capture=${wavPath}`];
  return await chromium.launch({
    executablePath,
    args: [...ARGS, ...microphone],
    timeout: LAUNCH_TIMEOUT_MS,
  });
}

/** What a page must never do, as it happens. */
export interface Watched {
  readonly page: Page;
  /** Errors of its scripts, what its policy has refused, and requests to anybody but `origins`. */
  readonly wrongs: readonly string[];
}

export async function openWatched(
  context: BrowserContext,
  url: string,
  origins: readonly string[],
): Promise<Watched> {
  const page = await context.newPage();
  const wrongs: string[] = [];
  // What the policy refuses is told on the console, too.
  page.on("console", (message) => {
    if (message.type() === "error") wrongs.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrongs.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol.startsWith("http") && !origins.includes(origin)) wrongs.push(`request: ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    const { host } = new URL(socket.url());
    if (!origins.some((origin) => new URL(origin).host === host)) wrongs.push(`socket: ${socket.url()}`);
  });
  await page.goto(url);
  return { page, wrongs };
}
