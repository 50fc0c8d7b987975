/** What the tests of one file share: an engine in sandbox mode, and a browser whose microphone nobody may use. */
import { afterAll, beforeAll } from "bun:test";
import type { Browser } from "playwright-core";
import { launch, skipsBrowser } from "./chromium.ts";
import { type SandboxEngine, type SandboxOptions, startSandboxEngine } from "./sandbox-engine.ts";

/** Engines and browsers of a busy machine take their time. */
export const SETUP_TIMEOUT_MS = 240_000;

export interface Shared {
  /** Not before the first test has begun. */
  readonly engine: SandboxEngine;
  readonly browser: Browser;
}

export function share(options: SandboxOptions = {}): Shared {
  let engine: SandboxEngine | null = null;
  let browser: Browser | null = null;
  beforeAll(async () => {
    if (skipsBrowser) return;
    engine = await startSandboxEngine(options);
    browser = await launch(null);
  }, SETUP_TIMEOUT_MS);
  afterAll(async () => {
    await engine?.kill();
    await browser?.close();
  });
  return {
    get engine() {
      return engine as SandboxEngine;
    },
    get browser() {
      return browser as Browser;
    },
  };
}
