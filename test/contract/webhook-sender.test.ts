/** What handing a row on promises, over real HTTP. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createWebhookSender } from "../../adapters/push/webhook.ts";
import { PushError } from "../../engine/errors.ts";
import { systemClock } from "../../engine/platform/clock.ts";
import { type RowReceiver, signedAt, startRowReceiver } from "../support/row-receiver.ts";

const SECRET = "a-webhook-secret-for-tests-only";
const BODY = JSON.stringify({ eventId: "CA1/row", name: "Zoë 💥" });
const EVENT = { eventId: "CA1/row", body: BODY };

const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function receiver(secret = SECRET): RowReceiver {
  const one = startRowReceiver(secret);
  stops.push(() => one.stop());
  return one;
}

const sender = (more: Partial<Parameters<typeof createWebhookSender>[0]> = {}) =>
  createWebhookSender({ secret: SECRET, clock: systemClock, timeoutMs: 5000, ...more });

const failure = async (work: Promise<void>): Promise<PushError> =>
  await work.then(
    () => {
      throw new Error("it was delivered");
    },
    (error: unknown) => error as PushError,
  );

describe("a row that is handed on", () => {
  test("comes as it is, signed with its time, and with its id", async () => {
    const one = receiver();
    const beforeS = Math.floor(systemClock.now() / 1000);
    await sender().send({ url: one.url, ...EVENT });
    const [received] = one.rows;
    expect(received).toMatchObject({ eventId: "CA1/row", text: BODY, row: { name: "Zoë 💥" } });
    expect(received?.atS).toBeGreaterThanOrEqual(beforeS);
    expect(received?.atS).toBeLessThanOrEqual(Math.floor(systemClock.now() / 1000));
  });

  test("is known for a forgery with another secret, another time or another body", async () => {
    const one = receiver("another-secret-of-somebody");
    expect(await failure(sender().send({ url: one.url, ...EVENT }))).toMatchObject({ status: 401 });
    expect([one.counts.forged, one.rows.length]).toEqual([1, 0]);
    let header = "";
    const listener = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => {
        header = request.headers.get("tandem-signature") ?? "";
        return new Response(null, { status: 204 });
      },
    });
    stops.push(() => listener.stop(true));
    await sender().send({ url: `http://127.0.0.1:${listener.port}/`, ...EVENT });
    const atS = signedAt(SECRET, header, BODY);
    expect(atS).not.toBeNull();
    expect(signedAt(SECRET, header, `${BODY} `)).toBeNull();
    expect(signedAt(SECRET, header.replace(`t=${atS}`, `t=${(atS ?? 0) + 1}`), BODY)).toBeNull();
  });

  test("is known by the check that the documentation gives", async () => {
    const text = readFileSync(new URL("../../docs/rows.md", import.meta.url), "utf8");
    const [, code = ""] = /```ts\n([^]*?)```/.exec(text) ?? [];
    const folder = mkdtempSync(join(tmpdir(), "tandem-docs-"));
    stops.push(async () => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "check.ts"), code);
    const { isFromTandem } = (await import(join(folder, "check.ts"))) as {
      isFromTandem: (secret: string, header: string, body: string, nowMs: number) => boolean;
    };
    let header = "";
    const network = {
      fetch: async (_url: string, { headers }: RequestInit): Promise<Response> => {
        header = new Headers(headers).get("tandem-signature") ?? "";
        return new Response();
      },
    };
    await sender({ network }).send({ url: "http://127.0.0.1:9/", ...EVENT });
    const nowMs = systemClock.now();
    expect(isFromTandem(SECRET, header, BODY, nowMs)).toBe(true);
    expect(isFromTandem(SECRET, header, `${BODY} `, nowMs)).toBe(false);
    expect(isFromTandem("another-secret-of-somebody", header, BODY, nowMs)).toBe(false);
    expect(isFromTandem(SECRET, header, BODY, nowMs + 600_000)).toBe(false);
    expect(isFromTandem(SECRET, "", BODY, nowMs)).toBe(false);
  });

  test("is tried once: whether again is the caller's to say", async () => {
    const one = receiver();
    one.status = 503;
    expect(await failure(sender().send({ url: one.url, ...EVENT }))).toMatchObject({
      status: 503,
      retryable: true,
    });
    expect(one.counts.asked).toBe(1);
  });

  test.each([
    "http://rows.example/hook",
    "https://10.0.0.1/hook",
    "https://169.254.169.254/latest",
    "https://rows.internal/hook",
  ])("does not go to %s", async (url) => {
    let asked = 0;
    const network = {
      fetch: async (): Promise<Response> => {
        asked++;
        return new Response();
      },
    };
    const error = await failure(sender({ network }).send({ url, ...EVENT }));
    expect(error).toBeInstanceOf(PushError);
    expect(error).toMatchObject({ status: 0, retryable: false });
    // The URL may be a secret.
    expect(error.message).not.toContain(url);
    expect(asked).toBe(0);
  });

  test("does not go where a public name leads to a private address, nor where a redirect leads", async () => {
    const resolve = async (): Promise<readonly string[]> => ["192.168.1.1"];
    const private_ = await failure(sender({ resolve }).send({ url: "https://rows.example/", ...EVENT }));
    expect(private_).toMatchObject({ status: 0, retryable: false });
    const elsewhere = receiver();
    const listener = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.redirect(elsewhere.url, 307),
    });
    stops.push(() => listener.stop(true));
    const moved = await failure(sender().send({ url: `http://127.0.0.1:${listener.port}/`, ...EVENT }));
    expect(moved.status).toBe(307);
    expect(elsewhere.counts.asked).toBe(0);
  });

  test("is given up after its time, when told to, and when nobody listens", async () => {
    const never = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Promise<Response>(() => undefined),
    });
    stops.push(() => never.stop(true));
    const url = `http://127.0.0.1:${never.port}/`;
    expect(await failure(sender({ timeoutMs: 20 }).send({ url, ...EVENT }))).toMatchObject({ status: 0 });
    const abort = new AbortController();
    const work = sender().send({ url, ...EVENT }, abort.signal);
    abort.abort();
    expect(await failure(work)).toBeInstanceOf(PushError);
    const gone = receiver();
    await gone.stop();
    expect(await failure(sender().send({ url: gone.url, ...EVENT }))).toMatchObject({
      status: 0,
      retryable: true,
    });
  });
});
